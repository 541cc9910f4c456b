//! Files of a multipart request: stored, encrypted, before the operation runs; the operation takes them by number.

use std::sync::{Mutex, PoisonError};

use async_graphql::{Context, InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::domains::documents::service::Staged;
use crate::error::{Error, Result};
use crate::phi::Phi;

/// A file of a multipart request (the GraphQL multipart request specification): null in `operations`, named in `map`,
/// sent as a part of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    index: usize,
}

/// Begins the value that stands for a file while the operation runs.
const MARK: &str = "staged";

/// A file of a multipart request: null in `operations`, named in `map`.
#[Scalar(name = "Upload")]
impl ScalarType for Upload {
    fn parse(value: Value) -> InputValueResult<Self> {
        let index = match &value {
            Value::String(text) => {
                text.split(':').nth(1).filter(|_| text.starts_with(MARK)).and_then(|n| n.parse().ok())
            }
            _ => None,
        };
        index
            .map(|index| Self { index })
            .ok_or_else(|| InputValueError::custom("a file must be sent as a part of a multipart request"))
    }

    fn to_value(&self) -> Value {
        Value::String(format!("{MARK}:{}", self.index))
    }
}

/// A stored file, and what the client called it.
#[derive(Debug)]
pub struct NamedFile {
    pub staged: Staged,
    pub name: Phi<String>,
}

/// The stored files of one request. What the operation does not take is removed when this is dropped.
#[derive(Debug, Default)]
pub struct StagedFiles {
    files: Mutex<Vec<Option<NamedFile>>>,
}

impl StagedFiles {
    /// Adds a file; gives the value its variable gets. The checksum is in it, so that the idempotency key of the
    /// operation covers the content.
    pub fn add(&self, staged: Staged, name: Phi<String>) -> String {
        use std::fmt::Write as _;
        let mut value = String::new();
        let sha256 = *staged.sha256();
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(value, "{MARK}:{}:", files.len());
        for byte in sha256 {
            let _ = write!(value, "{byte:02x}");
        }
        files.push(Some(NamedFile { staged, name }));
        value
    }
}

impl Upload {
    /// Takes the file out of the request.
    ///
    /// # Errors
    /// [`Error::BadInput`] when there is none of this number, or it was taken before.
    pub fn take(&self, ctx: &Context<'_>) -> Result<NamedFile> {
        let missing = || Error::bad_input("a file must be sent as a part of a multipart request, for one field");
        let files = ctx.data_opt::<std::sync::Arc<StagedFiles>>().ok_or_else(missing)?;
        let mut files = files.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get_mut(self.index).and_then(Option::take).ok_or_else(missing)
    }
}
