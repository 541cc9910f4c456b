//! PostgreSQL's 64-bit transaction id, as a diesel type for the printed schema.

/// The SQL type `xid8`. Read and compared in SQL only.
#[derive(Debug, Clone, Copy, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "xid8"))]
pub struct Xid8;
