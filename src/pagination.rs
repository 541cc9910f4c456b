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

/// From which end of a list a [`Window`] is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    First,
    Last,
}

/// So many rows from one end of a list, between two others: what a list that is read in both directions takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowRequest<C> {
    /// 1 to [`MAX_PAGE`].
    pub count: i64,
    pub end: End,
    pub after: Option<C>,
    pub before: Option<C>,
}

impl<C: Copy> WindowRequest<C> {
    /// Reads `first`, `after`, `last` and `before`; `usual` says which end is meant when neither number is given.
    ///
    /// # Errors
    /// [`Error::BadInput`] when both numbers are given, one is out of range, or a cursor is not one of ours.
    pub fn parse(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
        usual: End,
        decode: impl Fn(&str) -> Option<C>,
    ) -> Result<Self> {
        let (end, count) = match (first, last) {
            (Some(_), Some(_)) => return Err(Error::bad_input("give `first` or `last`, not both")),
            (Some(first), None) => (End::First, first),
            (None, Some(last)) => (End::Last, last),
            (None, None) => (usual, DEFAULT_PAGE),
        };
        if !(1..=MAX_PAGE).contains(&count) {
            let name = if end == End::First { "first" } else { "last" };
            return Err(Error::bad_input(format!("`{name}` must be between 1 and {MAX_PAGE}")));
        }
        let cursor = |name: &str, text: Option<&str>| {
            let read = |text| {
                decode(text).ok_or_else(|| Error::bad_input(format!("`{name}` is not a cursor of this connection")))
            };
            text.map(read).transpose()
        };
        Ok(Self { count: i64::from(count), end, after: cursor("after", after)?, before: cursor("before", before)? })
    }

    /// Rows to fetch, from the wanted end: one more than wanted tells whether there are more.
    #[must_use]
    pub const fn limit(&self) -> i64 {
        self.count + 1
    }

    /// Cuts the extra row off and puts rows that were fetched from the last into the order of the list.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Window<T> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let more = rows.len() > count;
        rows.truncate(count);
        let (has_previous, has_next) = match self.end {
            End::First => (self.after.is_some(), more),
            End::Last => {
                rows.reverse();
                (more, self.before.is_some())
            }
        };
        Window { page: Page { rows, has_next }, has_previous }
    }
}

/// A page that may be one in the middle.
#[derive(Debug, Clone)]
pub struct Window<T> {
    pub page: Page<T>,
    pub has_previous: bool,
}

impl<T> Window<T> {
    /// The same window of something else; the first failure of a change is the outcome.
    ///
    /// # Errors
    /// What `change` says.
    pub fn try_map<U, E>(self, change: impl FnMut(T) -> Result<U, E>) -> Result<Window<U>, E> {
        let rows = self.page.rows.into_iter().map(change).collect::<Result<_, E>>()?;
        Ok(Window { page: Page { rows, has_next: self.page.has_next }, has_previous: self.has_previous })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
    ) -> Result<WindowRequest<i64>> {
        WindowRequest::parse(first, after, last, before, End::Last, |text| text.parse().ok())
    }

    #[test]
    fn a_window_is_of_one_end_and_of_a_number_that_is_allowed() {
        assert_eq!(window(None, None, None, None).unwrap().end, End::Last);
        assert_eq!(window(Some(5), Some("3"), None, None).unwrap().after, Some(3));
        for wrong in [
            window(Some(1), None, Some(1), None),
            window(Some(0), None, None, None),
            window(None, None, Some(101), None),
            window(None, Some("x"), None, None),
            window(None, None, None, Some("x")),
        ] {
            assert!(matches!(wrong, Err(Error::BadInput(_))));
        }
    }

    #[test]
    fn a_window_is_in_the_order_of_the_list_and_knows_what_is_beyond_it() {
        let forward = window(Some(2), Some("3"), None, None).unwrap().cut(vec![4, 5, 6]);
        assert_eq!((forward.page.rows, forward.has_previous, forward.page.has_next), (vec![4, 5], true, true));
        let backward = window(None, None, Some(2), None).unwrap().cut(vec![9, 8, 7]);
        assert_eq!((backward.page.rows, backward.has_previous, backward.page.has_next), (vec![8, 9], true, false));
        let begun = window(None, None, Some(2), Some("3")).unwrap().cut(vec![2, 1]);
        assert_eq!((begun.page.rows, begun.has_previous, begun.page.has_next), (vec![1, 2], false, true));
    }
}
