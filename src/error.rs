//! What goes wrong, in three kinds: a refusal (the user can mend it; a domain's own enum carried by
//! [`Stop`]), a denial (not allowed, not visible, malformed) and a fault (ours).

use std::borrow::Cow;

/// A denial or a fault. `Display` is safe to show: it never holds input, PHI or SQL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No valid sign-in: none given, expired, revoked.
    #[error("sign in to continue")]
    Unauthenticated,
    /// Signed in, but the role does not allow it. Names the permission, never the object.
    #[error("this needs the permission {0}")]
    Forbidden(&'static str),
    /// Absent, or not to be known of.
    #[error("not found")]
    NotFound,
    /// Input that cannot be understood.
    #[error("{0}")]
    BadInput(Cow<'static, str>),
    /// A limit of the API was passed.
    #[error("{0}")]
    Limit(Cow<'static, str>),
    /// What came after a cursor of the event stream is no longer kept.
    #[error("what happened after `after` is no longer kept: read anew, and go on from the first cursor you are given")]
    CursorExpired,
    /// Too many requests; try again after so many seconds.
    #[error("too many requests; try again in {0} s")]
    RateLimited(u64),
    /// The request took longer than allowed.
    #[error("the request took too long and was stopped")]
    Timeout,
    /// Something this needs is down or busy; trying again may help.
    #[error("the service is busy or not ready; try again")]
    Unavailable(#[source] Cause),
    /// Our fault. The cause is logged once, the client sees a fixed sentence.
    #[error("something went wrong on our side")]
    Internal(#[source] Cause),
}

/// The hidden chain behind a fault.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The closed set of `extensions.code` in the API.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadInput(_) => "BAD_USER_INPUT",
            Self::Limit(_) => "LIMIT_EXCEEDED",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    /// A fault with a cause.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// Input that cannot be understood, with a sentence that holds no input.
    pub fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::BadInput(message.into())
    }

    /// Whether it is ours and belongs in the error log.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::Unavailable(_))
    }
}

/// SQLSTATEs raised by our own functions (`src/db/replaceable/context.sql`).
const SESSION_INVALID: &str = "AN401";
const MEMBERSHIP_INVALID: &str = "AN403";

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Diesel};
        match &error {
            Diesel::NotFound => Self::NotFound,
            Diesel::DatabaseError(Kind::ClosedConnection, _) => Self::Unavailable(error.into()),
            // diesel keeps no SQLSTATE for codes it does not know; our functions put theirs first in the message.
            Diesel::DatabaseError(_, info) if info.message().starts_with(SESSION_INVALID) => Self::Unauthenticated,
            Diesel::DatabaseError(_, info) if info.message().starts_with(MEMBERSHIP_INVALID) => Self::Unauthenticated,
            Diesel::DatabaseError(_, info) if info.message().contains("statement timeout") => Self::Timeout,
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<crate::crypto::CryptoError> for Error {
    fn from(error: crate::crypto::CryptoError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        // serde_json may quote the input in its text: only the category is kept.
        Self::Internal(format!("JSON: {:?} at column {}", error.classify(), error.column()).into())
    }
}

/// One thing the user can mend: a domain's code, the input field it is about, a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<R> {
    pub code: R,
    /// Path into the input, e.g. `["input", "birthDate"]`; empty when it is about the whole.
    pub field: Vec<Cow<'static, str>>,
    pub message: Cow<'static, str>,
}

/// Why a service operation did not happen: refused by a rule, or an [`Error`].
#[derive(Debug)]
pub enum Stop<R> {
    Refused(Vec<Refused<R>>),
    Error(Error),
}

impl<R> Stop<R> {
    /// One refusal about one field of the input.
    pub fn refuse(code: R, field: &[&'static str], message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(vec![Refused {
            code,
            field: field.iter().map(|part| Cow::Borrowed(*part)).collect(),
            message: message.into(),
        }])
    }
}

/// The codes of a domain's refusals.
pub(crate) trait RefusalCode {
    /// A value that is malformed, or missing.
    const INVALID: Self;
}

/// What is wrong with an input, gathered while it is read, so that all of it is told at once.
#[derive(Debug)]
pub(crate) struct Faults<R>(Vec<Refused<R>>);

impl<R> Default for Faults<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Faults<R> {
    /// A fault of a kind, wherever it is.
    pub(crate) fn push(&mut self, code: R, field: Vec<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.0.push(Refused { code, field, message: message.into() });
    }

    /// A fault of one item of a list of the input.
    pub(crate) fn add_item(&mut self, list: &'static str, at: usize, code: R, message: impl Into<Cow<'static, str>>) {
        self.push(code, vec![Cow::Borrowed("input"), Cow::Borrowed(list), Cow::Owned(at.to_string())], message);
    }

    /// Refuses if there was any.
    pub(crate) fn into_result(self) -> Result<(), Stop<R>> {
        if self.0.is_empty() { Ok(()) } else { Err(Stop::Refused(self.0)) }
    }
}

impl<R: RefusalCode> Faults<R> {
    /// A value of the input that is malformed.
    pub(crate) fn add(&mut self, field: &'static str, message: impl Into<Cow<'static, str>>) {
        self.add_at(&[field], message);
    }

    /// The same below the fields of the input.
    pub(crate) fn add_at(&mut self, path: &[&'static str], message: impl Into<Cow<'static, str>>) {
        let field = std::iter::once("input").chain(path.iter().copied()).map(Cow::Borrowed);
        self.push(R::INVALID, field.collect(), message);
    }
}

impl<R> From<Error> for Stop<R> {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl<R> From<diesel::result::Error> for Stop<R> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Error(error.into())
    }
}

impl<R> From<crate::crypto::CryptoError> for Stop<R> {
    fn from(error: crate::crypto::CryptoError) -> Self {
        Self::Error(error.into())
    }
}

/// The name of the violated constraint, when the database refused a write for one.
#[must_use]
pub fn violated_constraint(error: &diesel::result::Error) -> Option<&str> {
    match error {
        diesel::result::Error::DatabaseError(_, info) => info.constraint_name(),
        _ => None,
    }
}
