//! Keyset pages. Order is by id, newest first: `UUIDv7` ids grow with time, so it is order of making,
//! and a row comparison on the primary key is an index condition under row-level security.

use crate::error::{Error, Result};
use crate::ids::TypedId;

/// The most rows one page may hold.
pub const MAX_PAGE: i32 = 100;
/// Rows of a page when `first` is not given.
pub const DEFAULT_PAGE: i32 = 20;

/// How much is wanted, and after which row.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<I> {
    /// 1 to [`MAX_PAGE`].
    pub first: i64,
    pub after: Option<I>,
}

impl<I: TypedId> PageRequest<I> {
    /// Checks `first` and reads the cursor.
    ///
    /// # Errors
    /// [`Error::BadInput`] when `first` is out of range or the cursor is not one of ours.
    pub fn parse(first: Option<i32>, after: Option<&str>) -> Result<Self> {
        Self::parse_with(first, after, |cursor| I::decode(cursor).ok())
    }
}

impl<I> PageRequest<I> {
    /// The same for a cursor that is more than an id.
    ///
    /// # Errors
    /// [`Error::BadInput`] when `first` is out of range or the cursor is not one of ours.
    pub fn parse_with(first: Option<i32>, after: Option<&str>, decode: impl Fn(&str) -> Option<I>) -> Result<Self> {
        let first = first.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&first) {
            return Err(Error::bad_input(format!("`first` must be between 1 and {MAX_PAGE}")));
        }
        let after = after
            .map(|cursor| decode(cursor).ok_or_else(|| Error::bad_input("`after` is not a cursor of this connection")))
            .transpose()?;
        Ok(Self { first: i64::from(first), after })
    }

    /// Rows to fetch: one more than wanted tells whether there is a next page.
    #[must_use]
    pub const fn limit(&self) -> i64 {
        self.first + 1
    }

    /// Cuts the extra row off.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let has_next = rows.len() > first;
        rows.truncate(first);
        Page { rows, has_next }
    }
}

/// One page of rows.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_next: bool,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(change).collect(), has_next: self.has_next }
    }
}
