//! Rows into tables by COPY, in its text form.

use std::fmt::Write as _;
use std::pin::Pin;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures::SinkExt as _;
use tokio_postgres::{Client, CopyInSink};
use uuid::Uuid;

use crate::Result;

/// Sent at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A value of a row.
pub enum Value<'a> {
    Bool(bool),
    Int(i64),
    Uuid(Uuid),
    /// Words of ours, without a tab or a backslash.
    Word(&'a str),
    Bytes(&'a [u8]),
    Date(NaiveDate),
    Time(DateTime<Utc>),
    Vector(&'a [f32]),
}

/// Rows on their way into one table.
pub struct Copy {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    text: String,
}

impl Copy {
    /// Begins; `columns` as they stand in SQL.
    pub async fn into(client: &Client, table: &str, columns: &str) -> Result<Self> {
        let sink = client.copy_in(&format!("COPY {table} ({columns}) FROM STDIN")).await?;
        Ok(Self { sink: Box::pin(sink), text: String::with_capacity(2 * CHUNK_BYTES) })
    }

    /// Adds a row.
    pub async fn row(&mut self, values: &[Value<'_>]) -> Result<()> {
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.text.push('\t');
            }
            write(&mut self.text, value)?;
        }
        self.text.push('\n');
        if self.text.len() >= CHUNK_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let text = std::mem::replace(&mut self.text, String::with_capacity(2 * CHUNK_BYTES));
        Ok(self.sink.send(Bytes::from(text)).await?)
    }

    /// Ends; the rows are in the table then.
    pub async fn finish(mut self) -> Result<()> {
        self.flush().await?;
        self.sink.as_mut().finish().await?;
        Ok(())
    }
}

fn write(text: &mut String, value: &Value<'_>) -> std::fmt::Result {
    match value {
        Value::Bool(value) => text.write_str(if *value { "t" } else { "f" }),
        Value::Int(value) => write!(text, "{value}"),
        Value::Uuid(value) => write!(text, "{value}"),
        Value::Word(value) => text.write_str(value),
        Value::Bytes(value) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            text.push_str("\\\\x");
            for byte in *value {
                text.push(char::from(DIGITS[usize::from(byte >> 4)]));
                text.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            Ok(())
        }
        Value::Date(value) => write!(text, "{value}"),
        Value::Time(value) => text.write_str(&value.to_rfc3339()),
        Value::Vector(value) => {
            text.push('[');
            for (place, number) in value.iter().enumerate() {
                write!(text, "{}{number}", if place == 0 { "" } else { "," })?;
            }
            text.write_str("]")
        }
    }
}
