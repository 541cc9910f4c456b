//! Requests a minute, per signed-in user or, before that, per address. Kept in this process: behind several
//! nodes the limit is per node.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

use crate::access::{Actor, ContextParts};
use crate::error::{Error, Result};
use crate::ids::TypedId as _;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(Uuid),
    Address(Option<String>),
}

/// How many callers are remembered before those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// The limit of this process.
pub(crate) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
}

impl RateLimit {
    pub(crate) fn new(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Error::RateLimited`] with the seconds to wait.
    pub(crate) fn check(&self, parts: &ContextParts) -> Result<()> {
        let caller = match parts.actor {
            Actor::User { user, .. } => Caller::User(user.uuid()),
            Actor::Anonymous | Actor::System { .. } => Caller::Address(parts.ip_address.clone()),
        };
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&caller)
            .map_err(|until| Error::RateLimited(until.wait_time_from(self.clock.now()).as_secs().saturating_add(1)))
    }
}
