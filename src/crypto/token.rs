//! Random tokens that are handed out once and stored only as a hash: refresh, reset and invitation
//! tokens, and recovery codes for when a second factor is lost.
//!
//! Tokens carry 256 random bits and recovery codes 80, so a plain SHA-256 is enough: there is nothing
//! to guess that a slow hash would protect. They are looked up by their hash, so no comparison leaks
//! how much of a guess was right.
//!
//! It does not know what a token is for, whether it was used, or when it expires.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::CryptoError;
use super::secret::random;

const TOKEN_BYTES: usize = 32;
/// Length of a token in letters.
pub const TOKEN_LENGTH: usize = (TOKEN_BYTES * 4).div_ceil(3);

/// How many recovery codes someone is given.
pub const RECOVERY_CODES: usize = 10;
const CODE_LETTERS: usize = 16;
const CODE_GROUP: usize = 4;
/// 32 letters, five bits each: no 0, 1, I or O, which people take for one another.
const CODE_ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// What is stored of a token or code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a token as it was sent. Anything may be sent: what is no token is in no table.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        Self(Sha256::new().chain_update(b"anamnesis token\0").chain_update(token).finalize().into())
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A token about to be handed out. Redacted in `Debug`, wiped when dropped.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new token: 43 letters that need no escaping in a URL.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        let mut bytes = random::<TOKEN_BYTES>()?;
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
        bytes.zeroize();
        Ok(Self(token))
    }

    /// The token, to be sent to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What to store.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of_token(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A recovery code: four groups of four letters, `7KQM-2XWF-9HTB-RC4P`.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new set to hand out.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate_set() -> Result<Vec<Self>, CryptoError> {
        (0..RECOVERY_CODES).map(|_| Self::generate()).collect()
    }

    fn generate() -> Result<Self, CryptoError> {
        let mut bytes = random::<CODE_LETTERS>()?;
        // 256 is a multiple of 32: every letter is as likely as another.
        let code = bytes.iter().map(|byte| char::from(CODE_ALPHABET[usize::from(byte % 32)])).collect();
        bytes.zeroize();
        Ok(Self(Zeroizing::new(code)))
    }

    /// Reads a code as typed: case, spaces and hyphens do not matter. `None` when it cannot be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(CODE_LETTERS));
        for letter in typed.chars().filter(|letter| !matches!(letter, ' ' | '-')) {
            let letter = letter.to_ascii_uppercase();
            let known = u8::try_from(letter).is_ok_and(|byte| CODE_ALPHABET.contains(&byte));
            if !known || code.len() == CODE_LETTERS {
                return None;
            }
            code.push(letter);
        }
        if code.len() == CODE_LETTERS { Some(Self(code)) } else { None }
    }

    /// The code in groups, to be shown once.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(CODE_LETTERS + CODE_LETTERS / CODE_GROUP));
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % CODE_GROUP == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// What to store.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(
            Sha256::new().chain_update(b"anamnesis recovery code\0").chain_update(self.0.as_str()).finalize().into(),
        )
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{CODE_ALPHABET, RECOVERY_CODES, RecoveryCode, TOKEN_LENGTH, Token, TokenHash};

    #[test]
    fn a_token_is_found_again_by_its_hash() {
        let token = Token::generate().unwrap();
        assert_eq!(token.expose().len(), TOKEN_LENGTH);
        assert!(token.expose().chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)));
        assert_eq!(TokenHash::of_token(token.expose()), token.hash());
        assert_ne!(Token::generate().unwrap().hash(), token.hash());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn recovery_codes_are_ten_and_different_and_readable() {
        let codes = RecoveryCode::generate_set().unwrap();
        let shown: HashSet<String> = codes.iter().map(|code| code.expose().to_string()).collect();
        assert_eq!((codes.len(), shown.len()), (RECOVERY_CODES, RECOVERY_CODES));
        for code in &shown {
            assert_eq!(code.len(), 19);
            let groups: Vec<&str> = code.split('-').collect();
            assert_eq!(groups.len(), 4);
            assert!(groups.concat().bytes().all(|letter| CODE_ALPHABET.contains(&letter)), "{code}");
        }
        assert_eq!(format!("{:?}", codes[0]), "RecoveryCode(…)");
    }

    #[test]
    fn the_alphabet_has_no_letter_twice_and_none_that_look_alike() {
        assert_eq!(CODE_ALPHABET.iter().collect::<HashSet<_>>().len(), 32);
        assert!(b"01IO".iter().all(|letter| !CODE_ALPHABET.contains(letter)));
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = RecoveryCode::parse("7KQM-2XWF-9HTB-RC4P").unwrap();
        for typed in ["7kqm2xwf9htbrc4p", " 7kqm 2xwf 9htb rc4p ", "7KQM2XWF-9HTBRC4P"] {
            assert_eq!(RecoveryCode::parse(typed).unwrap().hash(), code.hash(), "{typed}");
        }
        assert_eq!(code.expose().as_str(), "7KQM-2XWF-9HTB-RC4P");
        for wrong in ["", "7KQM-2XWF-9HTB", "7KQM-2XWF-9HTB-RC4P-A", "0KQM-2XWF-9HTB-RC4P", "7KQM-2XWF-9HTB-RC4é"] {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_code_and_a_token_of_the_same_text_have_other_hashes() {
        let code = RecoveryCode::parse("7KQM-2XWF-9HTB-RC4P").unwrap();
        assert_ne!(code.hash(), TokenHash::of_token("7KQM2XWF9HTBRC4P"));
    }
}
