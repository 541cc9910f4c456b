//! Pure rules of what comes from and goes to people outside.

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::crisis::{self, Wish};
use super::model::{OpenInterval, WhatsappDeliveryStatus as Status, WhatsappWeekday};
use super::webhook::{self, Said};
use super::{hours, validation};
use crate::config::Secret;
use crate::domains::chat::phrases;

fn interval(weekday: WhatsappWeekday, opens: &str, closes: &str) -> OpenInterval {
    let time = |text: &str| -> NaiveTime { validation::time(text).unwrap() };
    OpenInterval { weekday, opens: time(opens), closes: time(closes) }
}

fn open(hours: &[OpenInterval], zone: Tz, at: &str) -> bool {
    let at: DateTime<Utc> = at.parse().unwrap();
    hours::is_open(hours, zone, at)
}

#[test]
fn hours_are_by_the_clock_on_the_wall() {
    let day = [interval(WhatsappWeekday::Monday, "09:00", "17:00")];
    let zone = Tz::America__New_York;
    // The Monday before clocks go forward, and the one after.
    assert!(!open(&day, zone, "2026-03-02T13:59:59Z") && open(&day, zone, "2026-03-02T14:00:00Z"));
    assert!(open(&day, zone, "2026-03-02T21:59:59Z") && !open(&day, zone, "2026-03-02T22:00:00Z"));
    assert!(open(&day, zone, "2026-03-09T13:00:00Z") && !open(&day, zone, "2026-03-09T21:00:00Z"));
    assert!(!open(&day, zone, "2026-03-10T15:00:00Z"));
    assert!(!open(&[], zone, "2026-03-09T15:00:00Z"), "no hours are none, not all");
}

#[test]
fn hours_that_pass_midnight_close_on_the_day_after() {
    let night = [interval(WhatsappWeekday::Saturday, "22:00", "03:00")];
    let zone = Tz::America__New_York;
    // Saturday 2026-03-07, 22:00 EST is 03:00 UTC on Sunday; clocks go from 2:00 to 3:00 that night.
    assert!(!open(&night, zone, "2026-03-08T02:59:59Z") && open(&night, zone, "2026-03-08T03:00:00Z"));
    assert!(open(&night, zone, "2026-03-08T06:59:59Z") && !open(&night, zone, "2026-03-08T07:00:00Z"));
    // In November the hour from 1:00 comes twice, and both are open.
    let zone_night = [interval(WhatsappWeekday::Sunday, "01:00", "02:00")];
    for at in ["2026-11-01T05:00:00Z", "2026-11-01T06:59:59Z"] {
        assert!(open(&zone_night, zone, at), "{at}");
    }
    assert!(!open(&zone_night, zone, "2026-11-01T07:00:00Z"));
    let sunday =
        [interval(WhatsappWeekday::Sunday, "18:00", "00:00"), interval(WhatsappWeekday::Monday, "00:00", "00:00")];
    for at in ["2026-03-08T22:00:00Z", "2026-03-09T03:59:00Z", "2026-03-09T04:00:00Z", "2026-03-10T03:59:59Z"] {
        assert!(open(&sunday, zone, at), "{at}");
    }
    assert!(!open(&sunday, zone, "2026-03-10T04:00:00Z"));
}

#[test]
fn times_of_day_have_one_form() {
    for wrong in ["9:00", "09:00:00", "24:00", "12:60", "noon", "+9:00", ""] {
        assert!(validation::time(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_signature_is_of_every_byte_and_of_one_secret() {
    let secret = Secret::new("key");
    let body = b"The quick brown fox jumps over the lazy dog";
    // A known answer of HMAC-SHA256.
    let known = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert!(webhook::is_signed(&secret, Some(known), body));
    assert!(webhook::is_signed(&secret, Some(&known.to_uppercase().replace("SHA256", "sha256")), body));
    assert!(!webhook::is_signed(&Secret::new("Key"), Some(known), body));
    assert!(!webhook::is_signed(&secret, Some(known), &body[1..]));
    let sha1 = known.replace("sha256", "sha1");
    for wrong in
        [None, Some(""), Some("sha256="), Some(&known[..70]), Some(&known[7..]), Some(sha1.as_str()), Some("sha256=é")]
    {
        assert!(!webhook::is_signed(&secret, wrong, body), "{wrong:?}");
    }
}

#[test]
fn phrases_are_found_whatever_their_case_marks_and_punctuation() {
    for text in [
        "I want to die",
        "i WANNA   die!!!",
        "I don’t want to live any more",
        "i dont want to be here. suicide",
        "No, I do not want to kill myself",
        "Quiero morír",
        "hacerme daño",
        "I took all\nmy pills",
    ] {
        assert!(crisis::is_crisis(text), "{text}");
    }
    for text in ["When is my appointment?", "The pasta was to die for", "skills myself", "I overdid it", "", "#", "😀"]
    {
        assert!(!crisis::is_crisis(text), "{text}");
    }
}

#[test]
fn the_list_of_phrases_is_in_its_form() {
    let mut seen = std::collections::BTreeSet::new();
    for phrase in phrases::of(phrases::CRISIS_OUTSIDE) {
        assert!(seen.insert(phrase), "twice: {phrase}");
        assert!(
            phrase.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())),
            "{phrase}"
        );
        assert!(crisis::is_crisis(phrase), "{phrase}");
    }
    assert!(seen.len() > 80);
}

#[test]
fn a_wish_is_the_whole_text_or_none() {
    for text in ["STOP", " stop. ", "Unsubscribe", "BAJA", "arrêt"] {
        assert_eq!(crisis::wish(text), Some(Wish::Stop), "{text}");
    }
    for text in ["start", "START!", "alta"] {
        assert_eq!(crisis::wish(text), Some(Wish::Start), "{text}");
    }
    for text in ["please stop calling", "start on Tuesday", "cancel", "end", "quit", ""] {
        assert_eq!(crisis::wish(text), None, "{text}");
    }
}

#[test]
fn news_go_forward_alone() {
    for (was, news, believed, moves) in [
        (Status::Sending, Status::Sent, false, true),
        (Status::Queued, Status::Delivered, false, true),
        (Status::Sent, Status::Sent, false, false),
        (Status::Read, Status::Delivered, false, false),
        (Status::Sent, Status::Failed, false, true),
        (Status::Delivered, Status::Failed, false, false),
        (Status::Failed, Status::Read, false, false),
        (Status::Failed, Status::Read, true, true),
        (Status::Failed, Status::Failed, true, false),
    ] {
        assert_eq!(was.moves_to(news, believed), moves, "{was:?} {news:?}");
    }
}

#[test]
fn a_call_is_read_piece_by_piece() {
    let message = |id: &str, kind: &str| json!({ "id": id, "from": "16175550199", "timestamp": "1773064800", "type": kind, "text": { "body": "Hello" } });
    let call = json!({ "entry": [null, { "changes": [
        { "field": "messages", "value": { "metadata": { "phone_number_id": "1" },
            "contacts": [{ "wa_id": "16175550199", "profile": { "name": " Odile " } }, 7],
            "messages": [message("a", "text"), message("b", "reaction"), { "id": 1 }, message("c", "image")],
            "statuses": [{ "id": "w", "status": "warning" }, { "id": "w", "status": "read", "biz_opaque_callback_data": "x" }] } },
        { "field": "account_update", "value": {} },
        { "field": "messages", "value": { "metadata": { "phone_number_id": "2" }, "messages": [message("d", "text")] } },
    ] }] });
    let call = webhook::read(call.to_string().as_bytes(), "1").unwrap();
    assert_eq!((call.messages.len(), call.news.len()), (2, 1));
    assert_eq!((call.malformed, call.foreign, call.ignored), (2, 1, 3));
    assert_eq!(call.messages[0].name.as_ref().unwrap().reveal(), "Odile");
    assert!(matches!(call.messages[1].said, Said::Other("A picture", None)));
    assert!(call.news[0].reference.is_none());
    assert!(webhook::read(b"{", "1").is_none());
    assert!(!format!("{call:?}").contains("Hello") && !format!("{call:?}").contains("6175550199"));
}
