//! Whether somebody is there. Pure.

use chrono::{DateTime, Datelike as _, Utc, Weekday};
use chrono_tz::Tz;

use super::model::{OpenInterval, WhatsappWeekday};

const fn weekday(day: Weekday) -> WhatsappWeekday {
    match day {
        Weekday::Mon => WhatsappWeekday::Monday,
        Weekday::Tue => WhatsappWeekday::Tuesday,
        Weekday::Wed => WhatsappWeekday::Wednesday,
        Weekday::Thu => WhatsappWeekday::Thursday,
        Weekday::Fri => WhatsappWeekday::Friday,
        Weekday::Sat => WhatsappWeekday::Saturday,
        Weekday::Sun => WhatsappWeekday::Sunday,
    }
}

/// Whether an instant is within one of the intervals, by the clock on the wall of the zone: an hour that a change of clocks
/// repeats is open twice, one it leaves out never comes.
pub(super) fn is_open(hours: &[OpenInterval], zone: Tz, now: DateTime<Utc>) -> bool {
    let local = now.with_timezone(&zone);
    let (time, today) = (local.time(), local.weekday());
    hours.iter().any(|interval| {
        let (starts_today, started_yesterday) =
            (interval.weekday == weekday(today), interval.weekday == weekday(today.pred()));
        if interval.opens < interval.closes {
            starts_today && interval.opens <= time && time < interval.closes
        } else {
            (starts_today && interval.opens <= time) || (started_yesterday && time < interval.closes)
        }
    })
}
