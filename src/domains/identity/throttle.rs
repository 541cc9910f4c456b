//! Back-off after failures: pure arithmetic, no database and no clock of its own.
//!
//! A subject is an account, known or not, or a client address. It is kept by a keyed hash, so that the
//! table tells neither who was tried nor from where, and an unknown account is slowed exactly as a known one.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::crypto::blind_index::{IndexKey, TermKind};

/// The longest block.
const LONGEST_BLOCK_SECONDS: i64 = 15 * 60;
/// The first block lasts two to the power of this many seconds, and the power grows with each failure.
const FIRST_BLOCK_POWER: i32 = 5;

/// What failures are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sign-ins to one account.
    Account,
    /// Sign-ins from one client address: someone trying many accounts.
    Address,
    /// Password resets asked for one account. Never blocks; past the threshold no mail is sent.
    Reset,
}

impl Kind {
    /// The failure from which on there is a block.
    const fn threshold(self) -> i32 {
        match self {
            Self::Account => 5,
            // A hospital shares an address among hundreds.
            Self::Address => 20,
            Self::Reset => 4,
        }
    }

    /// How many failures are forgotten by now, of those counted when the last one happened.
    fn forgotten(self, failures: i32, quiet: TimeDelta) -> i32 {
        let each = |minutes: i64| i32::try_from(quiet.num_minutes() / minutes).unwrap_or(i32::MAX).clamp(0, failures);
        match self {
            // An account starts over after a day without failures: slow guessing is never forgiven in part.
            Self::Account => {
                if quiet >= TimeDelta::days(1) {
                    failures
                } else {
                    0
                }
            }
            // An address leaks: mistypings of a busy place never add up to a block.
            Self::Address => each(1),
            Self::Reset => each(20),
        }
    }
}

/// Failures of one subject as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub failures: i32,
    pub last_failed_at: DateTime<Utc>,
    pub blocked_until: Option<DateTime<Utc>>,
}

impl State {
    /// No failure yet.
    pub(super) const fn none(now: DateTime<Utc>) -> Self {
        Self { failures: 0, last_failed_at: now, blocked_until: None }
    }

    /// Whole seconds until the next attempt is looked at; `None` when it is looked at now.
    pub(super) fn blocked_for(&self, now: DateTime<Utc>) -> Option<u32> {
        let left = (self.blocked_until? - now).num_milliseconds();
        if left <= 0 { None } else { u32::try_from((left + 999) / 1000).ok() }
    }

    /// After one more failure.
    pub(super) fn failed(&self, kind: Kind, now: DateTime<Utc>) -> Self {
        let kept = self.failures - kind.forgotten(self.failures, now - self.last_failed_at);
        let failures = kept.saturating_add(1);
        let over = failures - kind.threshold();
        let blocked_until = (over >= 0).then(|| {
            // 2^10 s is past the longest block already.
            let power = (FIRST_BLOCK_POWER + over).clamp(0, 10);
            now + TimeDelta::seconds((1_i64 << power).min(LONGEST_BLOCK_SECONDS))
        });
        Self { failures, last_failed_at: now, blocked_until }
    }
}

/// Who or what is slowed down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub kind: Kind,
    /// Keyed hash, the key of the stored row.
    pub hash: Vec<u8>,
}

impl Subject {
    fn new(kind: Kind, label: u8, term: i64) -> Self {
        Self { kind, hash: std::iter::once(label).chain(term.to_be_bytes()).collect() }
    }

    /// Sign-ins to the account with this blind index of its address.
    pub(super) fn account(email_index: i64) -> Self {
        Self::new(Kind::Account, b'a', email_index)
    }

    /// Resets asked for the account with this blind index of its address.
    pub(super) fn reset(email_index: i64) -> Self {
        Self::new(Kind::Reset, b'r', email_index)
    }

    /// Sign-ins from an address. An IPv6 client owns its whole /64 and counts as one.
    pub(super) fn address(key: &IndexKey, address: &str) -> Option<Self> {
        let network = match address.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        Some(Self::new(Kind::Address, b'i', key.term(TermKind::SignInAddress, &network).hash))
    }
}
