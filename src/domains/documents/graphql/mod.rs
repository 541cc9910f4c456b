//! Documents in the API: translation only.

mod inputs;
mod mutation;
mod query;
mod types;
mod upload;

pub use mutation::DocumentsMutation;
pub use query::DocumentsQuery;
pub use types::{Document, DocumentConnection, documents_of_patient};
pub use upload::{NamedFile, StagedFiles, Upload};
