//! Pure rules of the domain.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, TimeDelta, Utc};

use super::model::{NewAccount, Refusal, UpdateUser};
use super::throttle::{Kind, State, Subject};
use super::{second_factor, validation};
use crate::crypto::Key32;
use crate::crypto::blind_index::IndexKey;
use crate::error::Stop;
use crate::phi::Phi;

fn noon() -> DateTime<Utc> {
    "2026-03-09T12:00:00Z".parse().unwrap()
}

fn after(kind: Kind, failures: i32) -> State {
    (0..failures).fold(State::none(noon()), |state, _| state.failed(kind, noon()))
}

#[test]
fn an_account_is_blocked_from_the_fifth_failure_on_for_twice_as_long_each_time() {
    assert_eq!(after(Kind::Account, 4).blocked_for(noon()), None);
    let blocks: Vec<u32> =
        (5..13).map(|failures| after(Kind::Account, failures).blocked_for(noon()).unwrap()).collect();
    assert_eq!(blocks, [32, 64, 128, 256, 512, 900, 900, 900]);
    assert_eq!(after(Kind::Account, 2000).blocked_for(noon()), Some(900));
}

#[test]
fn a_block_ends_to_the_second_and_counts_go_on_after_it() {
    let state = after(Kind::Account, 5);
    assert_eq!(state.blocked_for(noon() + TimeDelta::milliseconds(31_001)), Some(1));
    assert_eq!(state.blocked_for(noon() + TimeDelta::seconds(32)), None);
    let next = state.failed(Kind::Account, noon() + TimeDelta::hours(23));
    assert_eq!((next.failures, next.blocked_for(noon() + TimeDelta::hours(23))), (6, Some(64)));
}

#[test]
fn an_account_starts_over_after_a_quiet_day() {
    let later = noon() + TimeDelta::days(1);
    assert_eq!(after(Kind::Account, 40).failed(Kind::Account, later).failures, 1);
}

#[test]
fn an_address_forgets_one_failure_a_minute() {
    assert_eq!(after(Kind::Address, 19).blocked_for(noon()), None);
    assert_eq!(after(Kind::Address, 20).blocked_for(noon()), Some(32));
    let later = noon() + TimeDelta::seconds(359);
    assert_eq!(after(Kind::Address, 20).failed(Kind::Address, later).failures, 16);
    // A mistyping a minute, all day long, never adds up.
    let day = (0..1440)
        .fold(State::none(noon()), |state, minute| state.failed(Kind::Address, noon() + TimeDelta::minutes(minute)));
    assert_eq!((day.failures, day.blocked_until), (1, None));
}

#[test]
fn a_clock_set_back_forgets_nothing_and_does_not_overflow() {
    let earlier = noon() - TimeDelta::days(400);
    for kind in [Kind::Account, Kind::Address, Kind::Reset] {
        assert_eq!(after(kind, 3).failed(kind, earlier).failures, 4, "{kind:?}");
    }
}

#[test]
fn subjects_of_another_kind_or_value_are_others() {
    let key = IndexKey::global(&Key32::from_bytes([3; 32])).unwrap();
    let address = |text| Subject::address(&key, text).unwrap();
    assert_ne!(Subject::account(7).hash, Subject::reset(7).hash);
    assert_ne!(address("192.0.2.1").hash, address("192.0.2.2").hash);
    assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
    assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
    assert_ne!(address("2001:db8:1:2::1").hash, address("2001:db8:1:3::1").hash);
    assert_eq!(Subject::address(&key, "not an address"), None);
}

#[test]
fn a_code_is_accepted_one_step_around_now_and_never_again() {
    let secret = Phi::new(b"12345678901234567890".to_vec());
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    // RFC 6238, appendix B: at 59 s the code is 94287082, of which six digits are shown.
    let accepted = |last, seconds| second_factor::accepted_step(&secret, " 287 082 ", last, at(seconds)).unwrap();
    assert_eq!(accepted(None, 59), Some(1));
    assert_eq!((accepted(None, 0), accepted(None, 89)), (Some(1), Some(1)));
    assert_eq!(accepted(None, 90), None);
    assert_eq!((accepted(Some(0), 59), accepted(Some(1), 59), accepted(Some(2), 59)), (Some(1), None, None));
    for wrong in ["", "28708", "2870822", "28708x", "+87082"] {
        assert_eq!(second_factor::accepted_step(&secret, wrong, None, at(59)).unwrap(), None, "{wrong}");
    }
}

#[test]
fn an_app_is_given_the_account_and_the_issuer() {
    let secret = Phi::new(b"12345678901234567890".to_vec());
    let shown = second_factor::enrolment(&secret, &Phi::from("maria:o@lakeside.example")).unwrap();
    assert_eq!(shown.secret.reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let url =
        "otpauth://totp/Anamnesis:maria_o%40lakeside.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Anamnesis";
    assert_eq!(shown.url.reveal(), url);
    assert_eq!(format!("{shown:?}"), "Enrolment { secret: Phi(…), url: Phi(…) }");
}

#[test]
fn a_device_has_a_short_printable_name() {
    let name = |given, agent| validation::device(given, agent);
    assert_eq!(name(Some(" Ward\u{7} tablet "), Some("curl")).as_deref(), Some("Ward tablet"));
    assert_eq!(name(Some("  "), Some("curl")).as_deref(), Some("curl"));
    assert_eq!(name(None, None), None);
    assert_eq!(name(Some("\u{1}"), None), None);
    assert_eq!(name(Some(&"é".repeat(300)), None).unwrap().chars().count(), 200);
}

#[test]
fn what_is_no_address_still_has_one_form_to_be_counted_by() {
    let form = |typed: &str| validation::login(&Phi::from(typed)).into_revealed();
    assert_eq!(form(" Maria@Example.ORG "), "maria@example.org");
    assert_eq!(form(" NOT an address "), "not an address");
    assert_eq!(form(&"x".repeat(100_000)).len(), 254);
}

fn faults<T: std::fmt::Debug>(result: Result<T, Stop<Refusal>>) -> Vec<String> {
    match result.unwrap_err() {
        Stop::Refused(all) => all.into_iter().map(|fault| fault.field.join(".")).collect(),
        Stop::Error(error) => vec![error.to_string()],
    }
}

#[test]
fn every_fault_of_an_account_is_listed_at_once() {
    let account = NewAccount {
        email: "a@b@c".into(),
        display_name: "".into(),
        phone: Some("12".into()),
        password: None,
        locale: Some("english!".to_owned()),
        time_zone: Some("Nowhere".to_owned()),
        npi: Some("123".to_owned()),
        license_number: Some("x".repeat(41)),
    };
    let all = ["email", "displayName", "phone", "locale", "timeZone", "npi", "licenseNumber"]
        .map(|name| format!("input.{name}"));
    assert_eq!(faults(validation::account(&account)), all);
}

#[test]
fn defaults_fill_what_an_account_leaves_out() {
    let account = NewAccount {
        email: "maria@lakeside.example".into(),
        display_name: "Maria".into(),
        phone: Some("  ".into()),
        password: None,
        locale: None,
        time_zone: None,
        npi: Some(String::new()),
        license_number: None,
    };
    let values = validation::account(&account).unwrap();
    assert_eq!((values.locale.as_str(), values.time_zone.as_str()), ("en-US", "UTC"));
    assert_eq!((values.phone, values.npi), (None, None));
}

#[test]
fn a_change_names_what_it_changes_and_blank_clears() {
    let update = UpdateUser {
        expected_version: 1,
        display_name: None,
        phone: MaybeUndefined::Value(Phi::from(" ")),
        npi: MaybeUndefined::Null,
        license_number: MaybeUndefined::Undefined,
        locale: Some("en-GB".to_owned()),
        time_zone: None,
    };
    let changes = validation::changes(update).unwrap();
    assert_eq!(changes.names(), ["phone", "npi", "locale"]);
    assert!(changes.phone.is_null() && changes.npi.is_null() && changes.license_number.is_undefined());
}
