//! Parameters in binary form, written down as literals of SQL.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use half::f16;
use uuid::Uuid;

use super::protocol::Parameter;
use crate::Result;

/// The names of types by their numbers in one database.
#[derive(Debug)]
pub struct Types(HashMap<u32, String>);

impl Types {
    pub const fn of(names: HashMap<u32, String>) -> Self {
        Self(names)
    }

    /// A statement with its parameters in their places.
    ///
    /// # Errors
    /// When a parameter is of a type that is not known here.
    pub fn filled_in(&self, text: &str, parameters: &[Parameter]) -> Result<String> {
        let mut filled = text.to_owned();
        // From the last: `$1` is in `$10`.
        for (place, parameter) in parameters.iter().enumerate().rev() {
            filled = filled.replace(&format!("${}", place + 1), &self.literal(parameter)?);
        }
        Ok(filled)
    }

    fn literal(&self, parameter: &Parameter) -> Result<String> {
        let name = self.0.get(&parameter.type_oid).ok_or("a parameter of a type that is not known")?;
        match &parameter.value {
            None => Ok(format!("NULL::{name}")),
            Some(value) => Ok(format!("{}::{name}", quoted(&self.text(name, value)?))),
        }
    }

    /// The text form of a value.
    fn text(&self, name: &str, value: &[u8]) -> Result<String> {
        if let Some(element) = name.strip_suffix("[]") {
            return self.array(element, value);
        }
        let number = || {
            value
                .iter()
                .fold(if value.first().is_some_and(|first| first & 0x80 != 0) { -1_i64 } else { 0 }, |sum, byte| {
                    (sum << 8) | i64::from(*byte)
                })
        };
        Ok(match name {
            "boolean" => String::from(if value == [1] { "true" } else { "false" }),
            "smallint" | "integer" | "bigint" | "oid" => number().to_string(),
            "double precision" => f64::from_be_bytes(value.try_into()?).to_string(),
            "real" => f32::from_be_bytes(value.try_into()?).to_string(),
            "text" | "character varying" | "name" | "json" => String::from_utf8(value.to_vec())?,
            // A byte of its version comes first.
            "jsonb" => String::from_utf8(value.get(1..).unwrap_or_default().to_vec())?,
            "uuid" => Uuid::from_slice(value)?.to_string(),
            "bytea" => value.iter().fold(String::from("\\x"), |mut text, byte| {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            }),
            "date" => date(number())?.to_string(),
            "timestamp with time zone" => time(number())?.to_rfc3339(),
            "halfvec" => {
                let numbers = value.get(4..).unwrap_or_default().chunks_exact(2);
                let numbers = numbers.map(|pair| f16::from_be_bytes([pair[0], pair[1]]).to_string());
                format!("[{}]", numbers.collect::<Vec<_>>().join(","))
            }
            other => return Err(format!("a parameter of type {other}").into()),
        })
    }

    fn array(&self, element: &str, value: &[u8]) -> Result<String> {
        let int = |at: usize| -> Result<i32> {
            Ok(i32::from_be_bytes(value.get(at..at + 4).ok_or("an array cut short")?.try_into()?))
        };
        if int(0)? == 0 {
            return Ok("{}".to_owned());
        }
        // Dimensions, whether there is a NULL, the type; then length and lower bound of the one dimension.
        let count = int(12)?;
        let mut at = 20;
        let mut elements = Vec::new();
        for _ in 0..count {
            let length = int(at)?;
            at += 4;
            if let Ok(length) = usize::try_from(length) {
                let text = self.text(element, value.get(at..at + length).ok_or("an array cut short")?)?;
                elements.push(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
                at += length;
            } else {
                elements.push("NULL".to_owned());
            }
        }
        Ok(format!("{{{}}}", elements.join(",")))
    }
}

/// As an escape string where there is a colon: pgbench takes one before a word for a variable, in quotes too.
fn quoted(text: &str) -> String {
    let text = text.replace('\'', "''");
    if text.contains(':') {
        format!("E'{}'", text.replace('\\', "\\\\").replace(':', "\\x3a"))
    } else {
        format!("'{text}'")
    }
}

/// Days since the year 2000.
fn date(days: i64) -> Result<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).ok_or("no year 2000")?;
    let moved = if days < 0 {
        epoch.checked_sub_days(Days::new(days.unsigned_abs()))
    } else {
        epoch.checked_add_days(Days::new(days.unsigned_abs()))
    };
    moved.ok_or_else(|| "a date out of range".into())
}

/// Microseconds since the year 2000.
fn time(microseconds: i64) -> Result<DateTime<Utc>> {
    let epoch = date(0)?.and_hms_opt(0, 0, 0).ok_or("no midnight")?.and_utc();
    epoch.checked_add_signed(TimeDelta::microseconds(microseconds)).ok_or_else(|| "a time out of range".into())
}
