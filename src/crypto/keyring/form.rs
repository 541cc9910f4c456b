//! The key ring as TOML: reading it with every fault named at once, and writing it.
//!
//! Faults name list and position, or a line, and never show what stands there: a key pasted into the
//! wrong place must not end up in a log. For the same reason the parser's own messages, which quote the
//! line, are dropped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Entry, KeyList, KeyState, Keyring, Pair, Ring};
use crate::config::Environment;
use crate::crypto::signing::SigningKey;
use crate::crypto::{CryptoError, Key32, KeyringFault};

const ID_LIMIT: usize = 64;
const HEADER: &str =
    "# Every secret of an Anamnesis installation. Mode 0600, one copy offline, never in version control.\n\n";

/// The file, every leaf optional so that what is missing is a fault among others. (`default` stands on
/// each field: a struct that wipes itself cannot be taken apart, which the container's form would do.)
#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    master: Vec<Row>,
    #[serde(default)]
    token: Vec<Row>,
    #[serde(default)]
    audit: Vec<Row>,
    #[serde(default)]
    url: Single,
    #[serde(default)]
    lookup: Single,
}

/// One key of a list; `key` for master keys, `pkcs8` for key pairs.
#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pkcs8: Option<String>,
}

#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Single {
    #[serde(default)]
    key: Option<String>,
}

/// Reads and checks all of it.
pub(super) fn read(text: &str) -> Result<Keyring, Vec<KeyringFault>> {
    let form: Form = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        vec![KeyringFault::Syntax { line: before.matches('\n').count() + 1 }]
    })?;
    let mut check = Check::default();
    let environment = check.environment(form.environment.as_deref());
    let masters = check.masters(&form.master);
    let tokens = check.pairs(KeyList::Token, &form.token);
    let audits = check.pairs(KeyList::Audit, &form.audit);
    let url = check.symmetric("url", 1, form.url.key.as_deref());
    let lookup = check.symmetric("lookup", 1, form.lookup.key.as_deref());
    match (environment, masters, tokens, audits, url, lookup) {
        (Some(environment), Some(masters), Some(tokens), Some(audits), Some(url), Some(lookup))
            if check.faults.is_empty() =>
        {
            Ok(Keyring { environment, masters, tokens, audits, url, lookup })
        }
        _ => Err(check.faults),
    }
}

/// Collects faults; remembers keys seen to find one that stands twice.
#[derive(Default)]
struct Check {
    faults: Vec<KeyringFault>,
    seen: Vec<Key32>,
}

impl Check {
    fn environment(&mut self, word: Option<&str>) -> Option<Environment> {
        let environment = word.and_then(|word| word.parse().ok());
        if environment.is_none() {
            self.faults.push(KeyringFault::Environment);
        }
        environment
    }

    fn masters(&mut self, rows: &[Row]) -> Option<Ring<Key32>> {
        let section = KeyList::Master.as_str();
        let entries = self.entries(KeyList::Master, rows, |check, position, row, _| {
            if row.pkcs8.is_some() {
                check.faults.push(KeyringFault::Key { section, position });
                return None;
            }
            check.symmetric(section, position, row.key.as_deref())
        });
        if entries.iter().filter(|entry| entry.state == KeyState::Active).count() > 1 {
            self.faults.push(KeyringFault::SeveralActive { section });
        }
        ring(entries)
    }

    fn pairs(&mut self, list: KeyList, rows: &[Row]) -> Option<Ring<Pair>> {
        let section = list.as_str();
        let entries = self.entries(list, rows, |check, position, row, id| {
            let pair = row.pkcs8.as_deref().filter(|_| row.key.is_none()).and_then(|text| read_pair(id, text));
            match &pair {
                Some(pair) => check.once(section, position, Key32::from_bytes(pair.key.public_key())),
                None => check.faults.push(KeyringFault::Key { section, position }),
            }
            pair
        });
        ring(entries)
    }

    /// The usable entries of a list. States are counted over the whole list, usable or not, so that one
    /// bad key is not also reported as none being active.
    fn entries<T>(
        &mut self,
        list: KeyList,
        rows: &[Row],
        mut read_key: impl FnMut(&mut Self, usize, &Row, &str) -> Option<T>,
    ) -> Vec<Entry<T>> {
        let section = list.as_str();
        let mut entries: Vec<Entry<T>> = Vec::with_capacity(rows.len());
        let mut ids: Vec<&str> = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let position = at + 1;
            let id = row.id.as_deref().unwrap_or("");
            if !is_id(id) {
                self.faults.push(KeyringFault::Id { section, position });
            } else if ids.contains(&id) {
                self.faults.push(KeyringFault::DuplicateId { section, position });
            }
            ids.push(id);
            let state = match row.state.as_deref() {
                Some("active") => Some(KeyState::Active),
                Some("retired") => Some(KeyState::Retired),
                _ => {
                    self.faults.push(KeyringFault::State { section, position });
                    None
                }
            };
            let key = read_key(self, position, row, id);
            if let (Some(state), Some(key)) = (state, key) {
                entries.push(Entry { id: id.to_owned(), state, key });
            }
        }
        if !rows.iter().any(|row| row.state.as_deref() == Some("active")) {
            self.faults.push(KeyringFault::NoneActive { section });
        }
        entries
    }

    fn symmetric(&mut self, section: &'static str, position: usize, text: Option<&str>) -> Option<Key32> {
        let key = text.and_then(Key32::from_base64).filter(|key| !key.is_placeholder());
        match &key {
            Some(key) => self.once(section, position, key.clone()),
            None => self.faults.push(KeyringFault::Key { section, position }),
        }
        key
    }

    fn once(&mut self, section: &'static str, position: usize, key: Key32) {
        if self.seen.iter().any(|seen| seen.expose() == key.expose()) {
            self.faults.push(KeyringFault::SharedKey { section, position });
        }
        self.seen.push(key);
    }
}

/// The first active entry, and the others in their order.
fn ring<T>(mut entries: Vec<Entry<T>>) -> Option<Ring<T>> {
    let first = entries.iter().position(|entry| entry.state == KeyState::Active)?;
    let active = entries.remove(first);
    Some(Ring { active, others: entries })
}

fn is_id(id: &str) -> bool {
    (1..=ID_LIMIT).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn read_pair(id: &str, text: &str) -> Option<Pair> {
    let pkcs8 = Zeroizing::new(STANDARD.decode(text).ok()?);
    let key = SigningKey::from_pkcs8(id, &pkcs8).ok()?;
    Some(Pair { pkcs8, key })
}

/// The text of the file.
pub(super) fn write(keyring: &Keyring) -> Result<Zeroizing<String>, CryptoError> {
    let form = Form {
        environment: Some(environment_word(keyring.environment).to_owned()),
        master: keyring.masters.iter().map(master_row).collect(),
        token: keyring.tokens.iter().map(pair_row).collect(),
        audit: keyring.audits.iter().map(pair_row).collect(),
        url: Single { key: Some(keyring.url.to_base64().to_string()) },
        lookup: Single { key: Some(keyring.lookup.to_base64().to_string()) },
    };
    let body = toml::to_string(&form).map(Zeroizing::new).map_err(|_| CryptoError::Keyring { faults: Vec::new() })?;
    let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + body.len()));
    text.push_str(HEADER);
    text.push_str(&body);
    Ok(text)
}

const fn environment_word(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Production => "production",
    }
}

fn row<T>(entry: &Entry<T>) -> Row {
    let state = match entry.state {
        KeyState::Active => "active",
        KeyState::Retired => "retired",
    };
    Row { id: Some(entry.id.clone()), state: Some(state.to_owned()), key: None, pkcs8: None }
}

fn master_row(entry: &Entry<Key32>) -> Row {
    let mut row = row(entry);
    row.key = Some(entry.key.to_base64().to_string());
    row
}

fn pair_row(entry: &Entry<Pair>) -> Row {
    let mut row = row(entry);
    row.pkcs8 = Some(STANDARD.encode(&*entry.key.pkcs8));
    row
}
