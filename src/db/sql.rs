//! Hand-written SQL as a statement that is prepared once per connection.
//!
//! diesel's own `sql_query` is prepared anew each time, a round trip more for every statement.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement with `$1`, `$2`… for what is bound, in order. Rows are read by column name.
pub struct Sql<'a> {
    text: &'static str,
    parameters: Vec<Box<dyn Parameter + Send + 'a>>,
}

/// Starts a statement. The text is static: nothing is ever spliced into it.
#[must_use]
pub const fn sql<'a>(text: &'static str) -> Sql<'a> {
    Sql { text, parameters: Vec::new() }
}

impl<'a> Sql<'a> {
    /// Binds the next parameter.
    #[must_use]
    pub fn bind<ST, T>(mut self, value: T) -> Self
    where
        ST: Send + 'a,
        T: ToSql<ST, Pg> + Send + 'a,
        Pg: HasSqlType<ST>,
    {
        self.parameters.push(Box::new(Bound::<ST, T> { value, kind: std::marker::PhantomData }));
        self
    }
}

struct Bound<ST, T> {
    value: T,
    kind: std::marker::PhantomData<ST>,
}

trait Parameter {
    fn push<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

impl<ST, T> Parameter for Bound<ST, T>
where
    T: ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    fn push<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param_value_only::<ST, T>(&self.value)
    }
}

impl QueryFragment<Pg> for Sql<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.text);
        for parameter in &self.parameters {
            parameter.push(out.reborrow())?;
        }
        Ok(())
    }
}

impl QueryId for Sql<'_> {
    type QueryId = ();
    // The text itself is the key of the statement cache.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sql<'_> {
    type SqlType = Untyped;
}

impl<Conn> diesel::query_dsl::RunQueryDsl<Conn> for Sql<'_> {}
