//! pgvector's `halfvec` in diesel: half-precision vectors over the binary protocol.
//!
//! Half precision keeps 11 significant bits, which moves the cosine of two unit vectors by less than 0.001,
//! and takes half the room. pgvector's own support for diesel asks for libpq, which this program does not
//! link, so the type is declared here over the half-precision values of that crate.
//!
//! The format, from `halfvec_send` and `halfvec_recv` of pgvector: the number of dimensions and a zero, 16 bits
//! each, then each value as an IEEE 754 half; all big-endian.

use std::io::Write;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;
use half::f16;
use pgvector::HalfVector;

/// The most dimensions of a `halfvec` (`HALFVEC_MAX_DIM` of pgvector).
const MAX_DIMENSIONS: u16 = 16_000;

/// The SQL type `halfvec`.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(name = "halfvec"))]
pub struct Halfvec;

/// A vector that is kept as `halfvec`. Values are rounded to half precision on the way to the database, so one
/// read back may differ from the one written in the fourth significant digit.
#[derive(Debug, Clone, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Halfvec)]
pub struct HalfVec(pub Vec<f32>);

impl ToSql<Halfvec, Pg> for HalfVec {
    /// Fails for no dimensions or more than 16,000, and for a value beyond the range of a half (65,504).
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&encode(&self.0)?)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Halfvec, Pg> for HalfVec {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        decode(value.as_bytes()).map(Self).ok_or_else(|| "malformed halfvec".into())
    }
}

fn encode(values: &[f32]) -> Result<Vec<u8>, &'static str> {
    let dimensions = u16::try_from(values.len())
        .ok()
        .filter(|count| (1..=MAX_DIMENSIONS).contains(count))
        .ok_or("a halfvec has 1 to 16,000 dimensions")?;
    let vector = HalfVector::from_f32_slice(values);
    if !vector.as_slice().iter().all(|value| value.is_finite()) {
        return Err("a value does not fit a halfvec");
    }
    let mut bytes = Vec::with_capacity(4 + 2 * values.len());
    bytes.extend(dimensions.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(vector.as_slice().iter().flat_map(|value| value.to_be_bytes()));
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Vec<f32>> {
    let (header, values) = bytes.split_first_chunk::<4>()?;
    let [high, low, 0, 0] = *header else { return None };
    let (values, rest) = values.as_chunks::<2>();
    let dimensions = usize::from(u16::from_be_bytes([high, low]));
    (rest.is_empty() && values.len() == dimensions)
        .then(|| values.iter().map(|value| f16::from_be_bytes(*value).to_f32()).collect())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn bytes_are_those_of_pgvector() {
        // SELECT encode(halfvec_send('[1,-2,0.5,65504]'), 'hex')
        let bytes = [0, 4, 0, 0, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x00, 0x7b, 0xff];
        assert_eq!(encode(&[1.0, -2.0, 0.5, 65_504.0]).unwrap(), bytes);
        assert_eq!(decode(&bytes).unwrap(), [1.0, -2.0, 0.5, 65_504.0]);
    }

    #[test]
    fn a_unit_vector_survives_the_round_trip_to_the_fourth_digit() {
        let vector: Vec<f32> = (0_u8..=255).map(|i| (f32::from(i) * 0.7).sin() / 11.3).collect();
        let back = decode(&encode(&vector).unwrap()).unwrap();
        assert_eq!(back.len(), 256);
        for (back, value) in back.iter().zip(&vector) {
            assert!((back - value).abs() <= value.abs() / 2048.0 + 1e-7);
        }
        // What was rounded once is not rounded again.
        assert_eq!(decode(&encode(&back).unwrap()).unwrap(), back);
    }

    #[test]
    fn what_a_halfvec_cannot_hold_is_refused() {
        assert!(encode(&[]).is_err());
        assert!(encode(&vec![0.0; 16_001]).is_err());
        assert!(encode(&vec![0.0; 16_000]).is_ok());
        assert!(encode(&[65_536.0]).is_err());
        assert!(encode(&[f32::NAN]).is_err());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bytes in [&[][..], &[0, 1], &[0, 1, 0, 0], &[0, 1, 0, 0, 0x3c], &[0, 1, 0, 1, 0x3c, 0], &[0, 0, 0, 0, 1, 2]]
        {
            assert!(decode(bytes).is_none(), "{bytes:?}");
        }
    }
}
