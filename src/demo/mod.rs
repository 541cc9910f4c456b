//! The demo: two clinics with staff in every role, patients, visits, notes and files, loaded through the same
//! services as everything else, under the people's own sign-ins, so that its audit log reads like a clinic's.
//!
//! Loading is safe to interrupt: what was loaded is told by a file beside the data, and a half-loaded demo is
//! thrown away by its caller (`cli::demo`) and begun anew.

mod conversations;
mod data;
mod people;
mod records;

use std::sync::Arc;

use crate::app::App;
use crate::error::{Error, Result, Stop};

pub use people::PASSWORD;

/// Loads everything. Blocks nothing: each write is a transaction of its own.
///
/// # Errors
/// When the database or the store refuses; the data itself is checked by a test.
pub async fn load(app: &Arc<App>, mut progress: impl FnMut(&str)) -> Result<()> {
    let data = data::read()?;
    progress("facilities and staff");
    let world = people::load(app, &data).await?;
    progress("patients and visits");
    let patients = records::patients(app, &world, &data).await?;
    records::visits(app, &world, &patients, &data).await?;
    progress("notes and documents");
    records::notes(&world, &patients, &data).await?;
    records::uploads(&world, &patients, &data).await?;
    progress("conversations");
    conversations::conversations(&world, &patients).await
}

/// The ICD-10-CM table, compressed with gzip.
#[must_use]
pub fn icd10() -> &'static [u8] {
    data::ICD10
}

/// The data is ours: a refusal is a fault in it.
fn must<T, R: std::fmt::Debug>(what: &str, outcome: Result<T, Stop<R>>) -> Result<T> {
    outcome.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refused(refused) => {
            let codes: Vec<String> = refused.iter().map(|one| format!("{:?} {:?}", one.code, one.field)).collect();
            Error::internal(format!("the demo's {what} was refused: {}", codes.join(", ")))
        }
    })
}
