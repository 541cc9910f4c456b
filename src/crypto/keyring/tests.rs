//! Behaviour of the key ring: what is read, refused, rotated.
use std::io::ErrorKind;

use super::{KeyList, Keyring, form};
use crate::config::Environment;
use crate::crypto::envelope::{Binding, KeyPurpose};
use crate::crypto::signing::SigningPurpose;
use crate::crypto::{CryptoError, Key32, KeyringFault};

fn fresh() -> Keyring {
    Keyring::generate(Environment::Development).unwrap()
}

fn text_of(keyring: &Keyring) -> String {
    form::write(keyring).unwrap().to_string()
}

/// The faults of a text; none when it is sound or fails otherwise.
fn faults(text: &str) -> Vec<KeyringFault> {
    match Keyring::parse(text) {
        Err(CryptoError::Keyring { faults }) => faults,
        _ => Vec::new(),
    }
}

fn binding() -> Binding {
    Binding { facility: uuid::Uuid::from_u128(1), purpose: KeyPurpose::Data, version: 1 }
}

#[test]
fn a_key_ring_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let before = fresh();
    before.save_new(&path).unwrap();
    let after = Keyring::load(&path).unwrap();
    assert_eq!(text_of(&after), text_of(&before));
    assert_eq!(after.environment(), Environment::Development);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let wrapped = before.master_keys().active().wrap(&Key32::generate().unwrap(), &binding()).unwrap();
    assert!(after.master_keys().active().unwrap(&wrapped, &binding()).is_ok());
}

#[test]
fn a_new_key_ring_never_replaces_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let first = fresh();
    first.save_new(&path).unwrap();
    let refused = CryptoError::KeyringFile { path: path.clone(), kind: ErrorKind::AlreadyExists };
    assert_eq!(fresh().save_new(&path), Err(refused));
    assert_eq!(text_of(&Keyring::load(&path).unwrap()), text_of(&first));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_refused_when_it_is_not() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    fresh().save_new(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o601] {
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = Keyring::load(&path).unwrap_err();
        assert_eq!(error, CryptoError::KeyringExposed { path: path.clone(), mode });
        assert!(error.to_string().contains("chmod 600"));
    }
    set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(Keyring::load(&path).is_ok());
    // A replaced file is private whatever the one before was.
    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fresh().save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_missing_file_or_a_folder_is_a_fault_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let missing = CryptoError::KeyringFile { path: path.clone(), kind: ErrorKind::NotFound };
    assert_eq!(Keyring::load(&path).unwrap_err(), missing);
    assert!(matches!(Keyring::load(folder.path()), Err(CryptoError::KeyringFile { .. })));
}

#[test]
fn changes_are_written_one_at_a_time_and_only_when_they_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    fresh().save_new(&path).unwrap();
    Keyring::update(&path, |keyring| {
        let second = Keyring::update(&path, Keyring::rotate_token);
        assert_eq!(second, Err(CryptoError::KeyringBusy { path: path.clone() }));
        keyring.rotate_master()
    })
    .unwrap();
    assert_eq!(Keyring::load(&path).unwrap().ids(KeyList::Master).len(), 2);

    let failed = Keyring::update(&path, |keyring| {
        keyring.rotate_master()?;
        Err::<(), _>(CryptoError::Random)
    });
    assert_eq!(failed, Err(CryptoError::Random));
    assert_eq!(Keyring::load(&path).unwrap().ids(KeyList::Master).len(), 2);
}

#[test]
fn rotation_keeps_what_the_old_keys_made() {
    let mut keyring = fresh();
    let key = Key32::generate().unwrap();
    let wrapped = keyring.master_keys().active().wrap(&key, &binding()).unwrap();
    let signature = keyring.audit_key().sign(SigningPurpose::AuditBlock, b"block").unwrap();
    let (master, token, audit) =
        [KeyList::Master, KeyList::Token, KeyList::Audit].map(|list| keyring.ids(list)[0].to_owned()).into();
    keyring.rotate_master().unwrap();
    keyring.rotate_token().unwrap();
    keyring.rotate_audit().unwrap();

    let read = Keyring::parse(&text_of(&keyring)).unwrap();
    assert_ne!(read.master_keys().active().id(), master);
    let moved = read.master_keys().rewrap(&master, &wrapped, &binding()).unwrap().unwrap();
    assert_eq!(read.master_keys().active().unwrap(&moved, &binding()).unwrap().expose(), key.expose());
    assert_ne!(read.token_key().id, token);
    assert!(read.token_public_keys().any(|(id, _)| id == token));
    assert_ne!(read.audit_key().id(), audit);
    assert_eq!(read.audit_public_keys().verify(SigningPurpose::AuditBlock, b"block", &signature), Ok(()));
}

#[test]
fn only_a_key_that_is_not_in_use_can_be_forgotten() {
    let mut keyring = fresh();
    let old = keyring.ids(KeyList::Token)[0].to_owned();
    let unknown = |id: &str| Err(CryptoError::UnknownKey { id: id.to_owned() });
    assert_eq!(keyring.forget(KeyList::Token, &old), unknown(&old));
    keyring.rotate_token().unwrap();
    assert_eq!(keyring.forget(KeyList::Master, &old), unknown(&old));
    assert_eq!(keyring.forget(KeyList::Token, &old), Ok(()));
    assert_eq!(keyring.ids(KeyList::Token).len(), 1);
}

#[test]
fn a_key_just_made_signs_under_its_own_id() {
    let mut keyring = fresh();
    keyring.rotate_audit().unwrap();
    let signature = keyring.audit_key().sign(SigningPurpose::AuditBlock, b"block").unwrap();
    assert_eq!(signature.key_id(), keyring.ids(KeyList::Audit)[0]);
}

#[test]
fn development_keys_are_refused_in_production() {
    assert_eq!(fresh().require(Environment::Development), Ok(()));
    let wrong = CryptoError::Keyring { faults: vec![KeyringFault::WrongEnvironment] };
    assert_eq!(fresh().require(Environment::Production), Err(wrong));
}

#[test]
fn an_empty_file_lists_everything_it_lacks() {
    assert_eq!(
        faults(""),
        [
            KeyringFault::Environment,
            KeyringFault::NoneActive { section: "master" },
            KeyringFault::NoneActive { section: "token" },
            KeyringFault::NoneActive { section: "audit" },
            KeyringFault::Key { section: "url", position: 1 },
            KeyringFault::Key { section: "lookup", position: 1 },
        ]
    );
}

#[test]
fn every_fault_of_a_bad_file_is_named_once() {
    let zero = Key32::from_bytes([0; 32]).to_base64().to_string();
    let good = Key32::generate().unwrap().to_base64().to_string();
    let text = format!(
        "environment = \"staging\"\n\
         [[master]]\nid = \"m 1\"\nkey = \"{good}\"\nstate = \"active\"\n\
         [[master]]\nid = \"m2\"\nkey = \"{zero}\"\nstate = \"idle\"\n\
         [[master]]\nid = \"m2\"\nkey = \"{good}\"\nstate = \"active\"\n\
         [[token]]\nid = \"t1\"\npkcs8 = \"AAAA\"\nstate = \"active\"\n\
         [url]\nkey = \"{good}\"\n[lookup]\nkey = \"short\"\n"
    );
    assert_eq!(
        faults(&text),
        [
            KeyringFault::Environment,
            KeyringFault::Id { section: "master", position: 1 },
            KeyringFault::State { section: "master", position: 2 },
            KeyringFault::Key { section: "master", position: 2 },
            KeyringFault::DuplicateId { section: "master", position: 3 },
            KeyringFault::SharedKey { section: "master", position: 3 },
            KeyringFault::SeveralActive { section: "master" },
            KeyringFault::Key { section: "token", position: 1 },
            KeyringFault::NoneActive { section: "audit" },
            KeyringFault::SharedKey { section: "url", position: 1 },
            KeyringFault::Key { section: "lookup", position: 1 },
        ]
    );
}

#[test]
fn the_first_active_token_key_signs() {
    let (one, two) = (fresh(), fresh());
    let second = text_of(&two);
    let start = second.find("[[token]]").unwrap();
    let end = second.find("[[audit]]").unwrap();
    let both = format!("{}\n{}", text_of(&one), &second[start..end]);
    let read = Keyring::parse(&both).unwrap();
    assert_eq!(read.token_key().id, one.token_key().id);
    assert_eq!(read.ids(KeyList::Token), [one.token_key().id, two.token_key().id]);
}

#[test]
fn a_file_that_is_not_understood_names_the_line_and_shows_nothing() {
    let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ=";
    for (text, line) in [
        (format!("environment = \"development\"\nmaster = \"{secret}\"\n"), 2),
        (format!("environment = \"development\"\n[url]\nkey = {secret}\n"), 3),
        (format!("[url]\nkey = \"x\"\nkee = \"{secret}\"\n"), 3),
    ] {
        assert_eq!(faults(&text), [KeyringFault::Syntax { line }], "{text}");
        let error = Keyring::parse(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c2Vj"));
    }
}

#[test]
fn debug_and_errors_hold_no_secret() {
    let keyring = fresh();
    let text = text_of(&keyring);
    let shown = format!("{keyring:?} {:#?} {:?}", keyring, keyring.token_key());
    let secrets: Vec<&str> =
        text.lines().filter_map(|line| line.split('"').nth(1)).filter(|value| value.len() > 40).collect();
    assert_eq!(secrets.len(), 5);
    assert!(secrets.iter().all(|secret| !shown.contains(secret)));
    assert!(shown.contains(keyring.token_key().id));
}
