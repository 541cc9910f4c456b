//! SQL of the portal.

use diesel::QueryableByName;
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::documents;
use crate::db::sql;
use crate::domains::documents::model::NoteRow;
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, PatientId};

#[derive(QueryableByName)]
struct Shown {
    #[diesel(sql_type = SqlUuid)]
    id: DocumentId,
}

/// Notes that a patient may see, last added first; of one alone where it is named.
pub(super) async fn notes(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patient: PatientId,
    one: Option<DocumentId>,
    before: Option<DocumentId>,
    most: i64,
) -> Result<Vec<NoteRow>> {
    let ids: Vec<Shown> = sql("SELECT d.id FROM document_patients p \
         JOIN documents d ON d.facility_id = $1 AND d.id = p.document_id \
         WHERE p.facility_id = $1 AND p.patient_id = $2 AND ($3::uuid IS NULL OR d.id = $3) AND ($4::uuid IS NULL OR d.id < $4) \
             AND d.note_state IN ('final', 'signed') AND d.kind <> 'psychotherapy_note' AND NOT d.part2 \
             AND cardinality(document_linked_patients(d.id)) = 1 \
         ORDER BY d.id DESC LIMIT $5")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(patient)
    .bind::<Nullable<SqlUuid>, _>(one)
    .bind::<Nullable<SqlUuid>, _>(before)
    .bind::<BigInt, _>(most)
    .load(&mut db)
    .await?;
    let ids: Vec<DocumentId> = ids.into_iter().map(|row| row.id).collect();
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq_any(ids))
        .order(documents::id.desc())
        .select(NoteRow::as_select())
        .load(&mut db)
        .await?)
}
