//! Documents in the API: translation only.

mod inputs;
mod mutation;
mod node;
mod query;
mod types;
mod upload;

pub use mutation::DocumentsMutation;
pub use node::node;
pub use query::DocumentsQuery;
pub use types::{Document, DocumentConnection, DocumentSignature, DocumentUserError, documents_of_patient};
pub use upload::{NamedFile, StagedFiles, Upload};
