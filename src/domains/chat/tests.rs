//! Pure rules of conversations.

use chrono::DateTime;

use super::model::{ActivityCursor, ConversationKind, ParticipantParty, decode_sequence, encode_sequence};
use super::{policy, validation};
use crate::access::Role;
use crate::ids::new_id;
use crate::phi::Phi;

#[test]
fn patients_take_part_where_staff_speaks_with_them_and_nowhere_else() {
    let allowed = |roles: &[Role]| -> Vec<ConversationKind> {
        ConversationKind::ALL.iter().copied().filter(|kind| policy::may_take_part(roles, *kind)).collect()
    };
    assert_eq!(allowed(&[Role::Patient]), [ConversationKind::SecureMail, ConversationKind::CareTeam]);
    assert_eq!(allowed(&[Role::Nurse]), ConversationKind::ALL);
    assert_eq!(allowed(&[Role::Patient, Role::Nurse]), ConversationKind::ALL);
    assert_eq!(allowed(&[Role::SystemAdmin]), [ConversationKind::General, ConversationKind::Administrative]);
    assert_eq!(allowed(&[]), []);
    assert_eq!(policy::party(&[Role::Patient]), ParticipantParty::Patient);
    assert_eq!(policy::party(&[Role::Patient, Role::SystemAdmin]), ParticipantParty::Staff);
}

#[test]
fn titles_tags_and_texts_are_held_to_their_limits() {
    assert_eq!(validation::title(Some(" ".into())).unwrap(), None);
    assert_eq!(validation::title(Some(" Beds ".into())).unwrap(), Some(Phi::from("Beds")));
    assert!(validation::title(Some("x".repeat(validation::MAX_TITLE + 1).into())).is_err());
    assert!(validation::title(Some("two\nlines".into())).is_err());
    let tags = |tags: &[&str]| validation::tags(tags.iter().map(|tag| (*tag).to_owned()).collect());
    assert_eq!(tags(&[" a ", "b", "a"]).unwrap(), ["a", "b"]);
    assert!(tags(&[""]).is_err() && tags(&["x".repeat(41).as_str()]).is_err());
    assert!(tags(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]).is_err());
    assert!(validation::body(&" \n".into()).is_err() && validation::body(&"a\0".into()).is_err());
    assert!(validation::body(&"x".repeat(validation::MAX_BODY).into()).is_ok());
    assert!(validation::body(&"x".repeat(validation::MAX_BODY + 1).into()).is_err());
}

#[test]
fn cursors_survive_the_round_trip() {
    for sequence in [0, 1, i64::MAX] {
        assert_eq!(decode_sequence(&encode_sequence(sequence)), Some(sequence));
    }
    assert_eq!(decode_sequence("nonsense"), None);
    let cursor = ActivityCursor {
        last_activity_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
        id: new_id(),
    };
    assert_eq!(ActivityCursor::decode(&cursor.encode()), Some(cursor));
    assert_eq!(ActivityCursor::decode("AAAA"), None);
}
