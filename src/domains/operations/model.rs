//! Jobs as an operator sees them: never with their payload.

use chrono::{DateTime, Utc};
use diesel::{Queryable, Selectable};

use crate::db::schema::jobs;
use crate::ids::JobId;
use crate::text_enum::text_enum;

text_enum! {
    /// How a job stands.
    JobState {
        /// Waits for its turn.
        Queued = "queued",
        /// Is being done.
        Running = "running",
        /// Failed for good; waits for a person.
        Dead = "dead",
    }
}

/// A background job.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct JobRow {
    pub id: JobId,
    pub kind: String,
    pub state: JobState,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Why an operation on a job was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "JobErrorCode")]
pub enum Refusal {
    /// It waits or runs.
    NotDead,
    /// Another job that does the same waits already.
    AlreadyQueued,
}
