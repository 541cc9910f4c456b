//! [`Phi<T>`]: a value that says something about a patient and must not leave by accident.
//!
//! Invariants:
//! - it cannot be printed: there is no `Display`, and `Debug` shows `Phi(…)` whatever is inside;
//! - it cannot be serialised: there is no `Serialize`, so the only way out is a visible
//!   [`Phi::reveal`] or [`Phi::into_revealed`];
//! - reading it from outside echoes nothing: serde's own messages quote the value they could not
//!   use, so `Deserialize` replaces them by a fixed sentence;
//! - text and bytes are wiped when it is dropped.
//!
//! It encrypts nothing (`crypto` does) and does not decide who may look. Wiping lowers what a core
//! dump or a reused page can show; it is no promise, because the allocator and the response buffers
//! hold copies that no type can reach.
//!
//! `Debug` works and shows nothing:
//!
//! ```
//! fn shows<T: std::fmt::Debug>(value: &T) -> String { format!("{value:?}") }
//! assert_eq!(shows(&anamnesis::phi::Phi::from("Maria")), "Phi(…)");
//! ```
//!
//! `Display` does not exist:
//!
//! ```compile_fail,E0277
//! fn shows<T: std::fmt::Display>(value: &T) -> String { format!("{value}") }
//! assert_eq!(shows(&anamnesis::phi::Phi::from("Maria")), "Phi(…)");
//! ```
//!
//! Nor does `Serialize`:
//!
//! ```compile_fail,E0277
//! fn stores<T: serde::Serialize>(_: &T) {}
//! stores(&anamnesis::phi::Phi::from("Maria"));
//! ```

use std::any::Any;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize as _;

/// A value of a patient. See the module for what it refuses to do.
///
/// `T: 'static` because wiping looks at the type inside; every owned type is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Phi<T: 'static>(T);

impl<T> Phi<T> {
    /// Protects a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, to be used on the spot. Each call is a place to look at in review.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// A protected value computed from this one, which stays.
    pub fn map_ref<U>(&self, change: impl FnOnce(&T) -> U) -> Phi<U> {
        Phi(change(&self.0))
    }

    /// The same where the computation may fail, as parsing does.
    ///
    /// # Errors
    /// What `change` says. It must hold nothing of the value: it comes out unprotected.
    pub fn try_map_ref<U, E>(&self, change: impl FnOnce(&T) -> Result<U, E>) -> Result<Phi<U>, E> {
        change(&self.0).map(Phi)
    }
}

impl<T: Default> Phi<T> {
    /// The value without its protection. `Default` fills the place it is moved out of, since a type
    /// with a destructor cannot be taken apart; without `Default`, clone what `reveal` gives.
    pub fn into_revealed(mut self) -> T {
        std::mem::take(&mut self.0)
    }

    /// A protected value made of this one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Phi<U> {
        Phi(change(self.into_revealed()))
    }
}

impl Phi<String> {
    /// The text, to be used on the spot.
    #[must_use]
    pub fn reveal_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing but white space is inside. Says no more than that.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Length in characters (Unicode scalar values), for limits.
    #[must_use]
    pub fn length_chars(&self) -> usize {
        self.0.chars().count()
    }

    /// The text without white space at its ends.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        Self(self.0.trim().to_owned())
    }

    /// `None` when blank, else the trimmed text: how optional form fields are read.
    #[must_use]
    pub fn non_blank(&self) -> Option<Self> {
        if self.is_blank() { None } else { Some(self.trimmed()) }
    }
}

impl From<String> for Phi<String> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Phi<String> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(…)")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Phi<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("a protected value cannot be read"))
    }
}

/// Wipes `String`, `Vec<u8>`, `Vec<String>` and the `Option` of the first two. The type is looked at
/// here because `Drop` cannot be written for some `T` only; the comparison is a constant per type and
/// costs nothing. Dates and numbers are not wiped.
impl<T> Drop for Phi<T> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites what [`Phi`] knows how to overwrite. Whether it did is for the tests.
fn wipe(value: &mut dyn Any) -> bool {
    if let Some(text) = value.downcast_mut::<String>() {
        text.zeroize();
    } else if let Some(text) = value.downcast_mut::<Option<String>>() {
        text.zeroize();
    } else if let Some(bytes) = value.downcast_mut::<Vec<u8>>() {
        bytes.zeroize();
    } else if let Some(bytes) = value.downcast_mut::<Option<Vec<u8>>>() {
        bytes.zeroize();
    } else if let Some(texts) = value.downcast_mut::<Vec<String>>() {
        texts.zeroize();
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Phi, wipe};

    #[test]
    fn debug_shows_nothing_however_deep() {
        let deep = Some(vec![Phi::from("Maria"), Phi::from("O’Brien")]);
        assert_eq!(format!("{deep:?}"), "Some([Phi(…), Phi(…)])");
        assert_eq!(format!("{:#?}", Phi::new(42)), "Phi(…)");
    }

    #[test]
    fn values_come_out_only_when_asked_for() {
        let name = Phi::from("  Maria ");
        assert_eq!(name.reveal(), "  Maria ");
        assert_eq!(name.trimmed().reveal_str(), "Maria");
        assert_eq!(name.map(|text| text.trim().len()).into_revealed(), 5);
        assert_eq!(Phi::from("Müller").length_chars(), 6);
        assert_eq!(Phi::from(" \t").non_blank(), None);
        assert_eq!(Phi::<String>::default(), Phi::from(""));
    }

    #[test]
    fn a_failed_computation_gives_its_error_alone() {
        assert_eq!(Phi::from("7").try_map_ref(|text| text.parse::<u8>()).unwrap(), Phi::new(7));
        assert!(Phi::from("x").try_map_ref(|text| text.parse::<u8>()).is_err());
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_quoted() {
        let error = serde_json::from_str::<Phi<u32>>("\"Maria\"").unwrap_err().to_string();
        assert!(error.starts_with("a protected value cannot be read"), "{error}");
        assert!(!error.contains("Maria"));
        assert_eq!(serde_json::from_str::<Phi<String>>("\"Maria\"").unwrap(), Phi::from("Maria"));
    }

    #[test]
    fn text_and_bytes_are_wiped_and_dates_are_not() {
        let mut text = String::from("Maria");
        let mut bytes = vec![1_u8, 2];
        let mut maybe = Some(String::from("Maria"));
        assert!(wipe(&mut text) && wipe(&mut bytes) && wipe(&mut maybe));
        assert_eq!((text.as_str(), bytes.len(), maybe), ("", 0, None));
        assert!(!wipe(&mut chrono::NaiveDate::default()));
    }
}
