//! Where a listener is in the stream of a facility.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::ids::{FacilityId, TypedId as _};

/// A place in the stream of one facility; opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub facility: FacilityId,
    /// Of the last event the listener has.
    pub position: i64,
}

impl Cursor {
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(self.facility.uuid().as_bytes());
        bytes[16..].copy_from_slice(&self.position.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the opaque form of a cursor of this facility.
    ///
    /// # Errors
    /// [`Error::BadInput`] for anything else.
    pub fn decode(text: &str, facility: FacilityId) -> Result<Self> {
        let bad = || Error::bad_input("`after` is not a cursor of an event of this facility");
        let bytes: [u8; 24] =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
        let (whose, position) = bytes.split_at(16);
        let whose = Uuid::from_slice(whose).map_err(|_| bad())?;
        let position = i64::from_be_bytes(position.try_into().map_err(|_| bad())?);
        if FacilityId::from_uuid(whose) != facility || position < 0 {
            return Err(bad());
        }
        Ok(Self { facility, position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::new_id;

    #[test]
    fn a_cursor_is_read_back_in_its_own_facility_alone() {
        let (facility, other): (FacilityId, FacilityId) = (new_id(), new_id());
        let cursor = Cursor { facility, position: 42 };
        assert_eq!(Cursor::decode(&cursor.encode(), facility).unwrap(), cursor);
        assert!(Cursor::decode(&cursor.encode(), other).is_err());
        let before_the_first = Cursor { facility, position: -1 };
        assert!(Cursor::decode(&before_the_first.encode(), facility).is_err());
        for bad in ["", "42", "====", &cursor.encode()[1..]] {
            assert!(Cursor::decode(bad, facility).is_err(), "{bad}");
        }
    }
}
