//! When mail is sent.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::model::{MailTime, NotificationMail, Preferences};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const NEW_YORK: Tz = chrono_tz::America::New_York;

fn quiet(from: i32, until: i32) -> Preferences {
    Preferences { quiet_from: Some(from), quiet_until: Some(until), ..Preferences::default() }
}

#[test]
fn soon_is_now_unless_it_is_quiet() {
    let plain = Preferences::default();
    let night = at("2026-03-10T03:30:00Z");
    assert_eq!(plain.mail_time(NEW_YORK, night, night), MailTime::Now);
    // 23:30 in New York; quiet from 22 to 7, which is 11:00 UTC in summer.
    assert_eq!(quiet(22, 7).mail_time(NEW_YORK, night, night), MailTime::At(at("2026-03-10T11:00:00Z")));
    assert_eq!(quiet(1, 5).mail_time(NEW_YORK, night, night), MailTime::Now);
    let noon = at("2026-03-10T16:00:00Z");
    assert_eq!(quiet(22, 7).mail_time(NEW_YORK, noon, noon), MailTime::Now);
    assert_eq!(quiet(9, 17).mail_time(NEW_YORK, noon, noon), MailTime::At(at("2026-03-10T21:00:00Z")));
}

#[test]
fn daily_is_the_next_hour_of_the_digest_after_it_happened() {
    let daily = Preferences { mail: NotificationMail::Daily, digest_hour: 8, ..Preferences::default() };
    let since = at("2026-03-09T16:00:00Z");
    let eight = at("2026-03-10T12:00:00Z");
    assert_eq!(daily.mail_time(NEW_YORK, since, since), MailTime::At(eight));
    assert_eq!(daily.mail_time(NEW_YORK, since, eight), MailTime::Now);
    assert_eq!(daily.mail_time(NEW_YORK, since, at("2026-03-12T00:00:00Z")), MailTime::Now);
    let never = Preferences { mail: NotificationMail::Never, ..Preferences::default() };
    assert_eq!(never.mail_time(NEW_YORK, since, since), MailTime::Never);
}

#[test]
fn an_hour_that_the_clocks_leave_out_is_the_next() {
    // On 8 March 2026 two o'clock is left out in New York.
    let daily = Preferences { mail: NotificationMail::Daily, digest_hour: 2, ..Preferences::default() };
    let since = at("2026-03-08T05:30:00Z");
    assert_eq!(daily.mail_time(NEW_YORK, since, since), MailTime::At(at("2026-03-08T07:00:00Z")));
}

proptest! {
    #[test]
    fn mail_is_never_put_off_for_more_than_two_days_nor_sent_in_quiet_hours(
        from in 0..24, until in 0..24, minutes in 0_i64..1_000_000, digest in 0..24, daily: bool,
    ) {
        prop_assume!(from != until);
        let mail = if daily { NotificationMail::Daily } else { NotificationMail::Soon };
        let preferences = Preferences { mail, digest_hour: digest, ..quiet(from, until) };
        let now = at("2026-01-01T00:00:00Z") + chrono::TimeDelta::minutes(minutes);
        match preferences.mail_time(NEW_YORK, now, now) {
            MailTime::Never => prop_assert!(false),
            MailTime::Now => prop_assert_eq!(preferences.mail_time(NEW_YORK, now, now), MailTime::Now),
            MailTime::At(later) => {
                prop_assert!(later > now && later - now < chrono::TimeDelta::hours(49));
                prop_assert_eq!(preferences.mail_time(NEW_YORK, now, later), MailTime::Now);
            }
        }
    }
}
