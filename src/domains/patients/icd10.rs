//! The ICD-10-CM code set: loading it, as the owner of the schema, and nothing else.
//!
//! The codes are reference data of all facilities: no tenant, no row-level security, and no right of the
//! server's own role to change them.

use std::collections::HashSet;
use std::io::Read;

use diesel::sql_types::{Array, Bool, Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};

use crate::db::sql;
use crate::error::{Error, Result};

/// Rows of one statement. Measured on the release of 98,186 codes: larger batches are no faster.
const BATCH: usize = 5_000;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Codes in the file.
    pub codes: usize,
    /// Rows added or changed; 0 when the same release is loaded again.
    pub changed: usize,
    /// Codes on record that the file lacks: kept for old diagnoses, and no longer accepted for new ones.
    pub retired: usize,
}

#[derive(serde::Deserialize)]
struct Line {
    code: String,
    description: String,
    /// `1`, or `0` for a heading.
    billable: u8,
}

#[derive(Default)]
struct Batch {
    codes: Vec<String>,
    descriptions: Vec<String>,
    billable: Vec<bool>,
}

/// Loads a release: CSV with a header and the columns `code`, `description` and `billable` (1 or 0); others are
/// passed over. All or nothing; the same release may be loaded again.
///
/// # Errors
/// When the file is not of this form or has no code, or the database refuses: the connection must be the
/// owner's.
pub async fn import_icd10(db: &mut AsyncPgConnection, release: impl Read + Send) -> Result<Imported> {
    let mut lines = csv::Reader::from_reader(release);
    let mut codes = HashSet::new();
    let mut batches = vec![Batch::default()];
    for line in lines.deserialize::<Line>() {
        let line = line.map_err(Error::internal)?;
        if !codes.insert(line.code.clone()) {
            return Err(Error::internal(format!("the code {} stands twice in the release", line.code)));
        }
        if batches.last().is_none_or(|batch| batch.codes.len() == BATCH) {
            batches.push(Batch::default());
        }
        if let Some(batch) = batches.last_mut() {
            batch.codes.push(line.code);
            batch.descriptions.push(line.description);
            batch.billable.push(line.billable == 1);
        }
    }
    if codes.is_empty() {
        return Err(Error::internal("the release has no codes"));
    }
    let all: Vec<String> = codes.into_iter().collect();
    db.transaction(async |db| store(db, batches, all).await).await
}

async fn store(db: &mut AsyncPgConnection, batches: Vec<Batch>, all: Vec<String>) -> Result<Imported> {
    let codes = all.len();
    let mut changed = 0;
    for batch in batches {
        changed += sql("INSERT INTO icd10_codes (code, description, billable) SELECT * FROM unnest($1, $2, $3) \
             ON CONFLICT (code) DO UPDATE SET description = excluded.description, billable = excluded.billable \
             WHERE (icd10_codes.description, icd10_codes.billable) IS DISTINCT FROM (excluded.description, excluded.billable)")
            .bind::<Array<Text>, _>(batch.codes)
            .bind::<Array<Text>, _>(batch.descriptions)
            .bind::<Array<Bool>, _>(batch.billable)
            .execute(&mut &*db)
            .await?;
    }
    let retired = sql("UPDATE icd10_codes c SET billable = false \
         WHERE c.billable AND NOT EXISTS (SELECT FROM unnest($1) AS r (code) WHERE r.code = c.code)")
    .bind::<Array<Text>, _>(all)
    .execute(&mut &*db)
    .await?;
    Ok(Imported { codes, changed, retired })
}
