//! Supervisions as stored and as known.

use chrono::{DateTime, Utc};
use diesel::prelude::{Insertable, Queryable, Selectable};

use crate::db::schema::note_supervisions;
use crate::ids::{FacilityId, SupervisionId, UserId};

/// That the notes of one member need the co-signature of another.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = note_supervisions, check_for_backend(diesel::pg::Pg))]
pub struct Supervision {
    pub id: SupervisionId,
    pub supervisee_id: UserId,
    pub supervisor_id: UserId,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// A row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = note_supervisions)]
pub(super) struct NewSupervision {
    pub facility_id: FacilityId,
    pub id: SupervisionId,
    pub supervisee_id: UserId,
    pub supervisor_id: UserId,
    pub started_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
