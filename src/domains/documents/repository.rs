//! SQL of the domain. Named constraints become refusals here and nowhere else.
//!
//! Everything is seen through a [`Sight`]: the kinds the actor may know of, and drafts only by their author.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::{
    BoolExpressionMethods as _, ExpressionMethods as _, IntoSql as _, OptionalExtension as _, QueryDsl as _,
    SelectableHelper as _,
};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{PgExpressionMethods as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{
    BodyRow, DocumentChanges, DocumentFilter, DocumentKind, DocumentRow, FileRow, NewDocument, NoteRow, NoteState,
    Refusal, SignatureRow,
};
use crate::db::schema::{document_patients, document_signatures, documents};
use crate::db::sql;
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{DocumentId, FacilityId, PatientId, SignatureId, UserId, VisitId};
use crate::pagination::PageRequest;

/// What the actor may know of, beyond what the database's own policies say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub facility: FacilityId,
    pub kinds: &'static [DocumentKind],
    /// Whether documents labelled Part 2 that are not one's own.
    pub part2: bool,
    pub user: Option<UserId>,
}

impl Sight {
    pub(super) fn documents(self) -> documents::BoxedQuery<'static, Pg> {
        documents::table
            .filter(documents::facility_id.eq(self.facility))
            .filter(documents::kind.eq_any(self.kinds))
            .filter(
                documents::note_state
                    .is_distinct_from(NoteState::Draft)
                    .or(documents::author_id.is_not_distinct_from(self.user)),
            )
            .filter(
                documents::kind
                    .ne(DocumentKind::PsychotherapyNote)
                    .or(documents::author_id.is_not_distinct_from(self.user)),
            )
            .filter(
                documents::part2
                    .eq(false)
                    .or(documents::author_id.is_not_distinct_from(self.user))
                    .or(self.part2.into_sql::<diesel::sql_types::Bool>()),
            )
            .into_boxed()
    }

    fn matching(self, filter: &DocumentFilter) -> documents::BoxedQuery<'static, Pg> {
        let mut query = self.documents();
        if let Some(patient) = filter.patient {
            query = query.filter(
                documents::id.eq_any(
                    document_patients::table
                        .filter(document_patients::facility_id.eq(self.facility))
                        .filter(document_patients::patient_id.eq(patient))
                        .select(document_patients::document_id),
                ),
            );
        }
        if !filter.kinds.is_empty() {
            query = query.filter(documents::kind.eq_any(filter.kinds.clone()));
        }
        if let Some(status) = filter.status {
            query = query.filter(documents::status.eq(status));
        }
        if let Some(from) = filter.from {
            query = query.filter(documents::document_date.ge(from));
        }
        if let Some(to) = filter.to {
            query = query.filter(documents::document_date.le(to));
        }
        query
    }
}

pub(super) async fn find_by_id(
    mut db: &AsyncPgConnection,
    sight: Sight,
    id: DocumentId,
) -> Result<Option<DocumentRow>> {
    let query = sight.documents().filter(documents::id.eq(id)).select(DocumentRow::as_select());
    Ok(query.first(&mut db).await.optional()?)
}

/// A document whatever its kind, for the server itself.
pub(super) async fn find_any(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
) -> Result<Option<DocumentRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(id))
        .select(DocumentRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn find_by_ids(
    mut db: &AsyncPgConnection,
    sight: Sight,
    ids: &[DocumentId],
) -> Result<Vec<DocumentRow>> {
    let query = sight.documents().filter(documents::id.eq_any(ids.to_vec())).select(DocumentRow::as_select());
    Ok(query.load(&mut db).await?)
}

pub(super) async fn find_file(mut db: &AsyncPgConnection, sight: Sight, id: DocumentId) -> Result<Option<FileRow>> {
    let query = sight.documents().filter(documents::id.eq(id)).select(FileRow::as_select());
    Ok(query.first(&mut db).await.optional()?)
}

pub(super) async fn find_notes(mut db: &AsyncPgConnection, sight: Sight, ids: &[DocumentId]) -> Result<Vec<NoteRow>> {
    let query = sight.documents().filter(documents::id.eq_any(ids.to_vec())).select(NoteRow::as_select());
    Ok(query.load(&mut db).await?)
}

pub(super) async fn bodies_of(mut db: &AsyncPgConnection, sight: Sight, ids: &[DocumentId]) -> Result<Vec<BodyRow>> {
    let query = sight
        .documents()
        .filter(documents::id.eq_any(ids.to_vec()))
        .filter(documents::body_ciphertext.is_not_null())
        .select(BodyRow::as_select());
    Ok(query.load(&mut db).await?)
}

/// Last added first.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    sight: Sight,
    filter: &DocumentFilter,
    page: PageRequest<DocumentId>,
) -> Result<Vec<DocumentRow>> {
    let mut query = sight.matching(filter);
    if let Some(after) = page.after {
        query = query.filter(documents::id.lt(after));
    }
    Ok(query.order(documents::id.desc()).limit(page.limit()).select(DocumentRow::as_select()).load(&mut db).await?)
}

/// Notes of these authors that wait for a co-signature, last added first.
pub(super) async fn awaiting_page(
    mut db: &AsyncPgConnection,
    sight: Sight,
    authors: Vec<UserId>,
    page: PageRequest<DocumentId>,
) -> Result<Vec<DocumentRow>> {
    let mut query = sight
        .documents()
        .filter(documents::note_state.eq(NoteState::AwaitingCosignature))
        .filter(documents::author_id.eq_any(authors));
    if let Some(after) = page.after {
        query = query.filter(documents::id.lt(after));
    }
    Ok(query.order(documents::id.desc()).limit(page.limit()).select(DocumentRow::as_select()).load(&mut db).await?)
}

pub(super) async fn count(mut db: &AsyncPgConnection, sight: Sight, filter: &DocumentFilter) -> Result<i64> {
    Ok(sight.matching(filter).count().get_result(&mut db).await?)
}

/// Notes that add to others, oldest first.
pub(super) async fn addenda_of(
    mut db: &AsyncPgConnection,
    sight: Sight,
    ids: &[DocumentId],
) -> Result<Vec<DocumentRow>> {
    let query = sight
        .documents()
        .filter(documents::addendum_to.eq_any(ids.to_vec()))
        .order(documents::id)
        .select(DocumentRow::as_select());
    Ok(query.load(&mut db).await?)
}

/// The document a signature is on.
pub(super) async fn signed_by(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: SignatureId,
) -> Result<Option<DocumentId>> {
    Ok(document_signatures::table
        .filter(document_signatures::facility_id.eq(facility))
        .filter(document_signatures::id.eq(id))
        .select(document_signatures::document_id)
        .first(&mut db)
        .await
        .optional()?)
}

/// Signatures, oldest first.
pub(super) async fn signatures_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[DocumentId],
) -> Result<Vec<SignatureRow>> {
    Ok(document_signatures::table
        .filter(document_signatures::facility_id.eq(facility))
        .filter(document_signatures::document_id.eq_any(ids))
        .order(document_signatures::id)
        .select(SignatureRow::as_select())
        .load(&mut db)
        .await?)
}

#[derive(QueryableByName)]
struct Window {
    #[diesel(sql_type = SqlUuid)]
    patient_id: PatientId,
    #[diesel(sql_type = SqlUuid)]
    document_id: DocumentId,
}

/// The last documents of each of several patients, in one statement: the newest `limit` of each.
pub(super) async fn window_of(
    mut db: &AsyncPgConnection,
    sight: Sight,
    patients: &[PatientId],
    page: PageRequest<DocumentId>,
) -> Result<Vec<(PatientId, DocumentId)>> {
    let kinds: Vec<&str> = sight.kinds.iter().map(|kind| kind.as_str()).collect();
    let rows: Vec<Window> = sql("SELECT wanted.patient_id, listed.document_id FROM unnest($2) wanted (patient_id) \
         CROSS JOIN LATERAL ( \
             SELECT link.document_id FROM document_patients link \
             JOIN documents d ON d.facility_id = link.facility_id AND d.id = link.document_id \
             WHERE link.facility_id = $1 AND link.patient_id = wanted.patient_id AND d.kind = ANY ($3) \
             AND ((d.note_state IS DISTINCT FROM 'draft' AND d.kind <> 'psychotherapy_note' AND (NOT d.part2 OR $7)) \
                 OR d.author_id = $4) \
             AND ($5::uuid IS NULL OR link.document_id < $5) \
             ORDER BY link.document_id DESC LIMIT $6) listed \
         ORDER BY wanted.patient_id, listed.document_id DESC")
    .bind::<SqlUuid, _>(sight.facility)
    .bind::<Array<SqlUuid>, _>(patients)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Nullable<SqlUuid>, _>(sight.user)
    .bind::<Nullable<SqlUuid>, _>(page.after)
    .bind::<BigInt, _>(page.limit())
    .bind::<Bool, _>(sight.part2)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.patient_id, row.document_id)).collect())
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewDocument) -> Result<()> {
    diesel::insert_into(documents::table).values(new).execute(&mut db).await?;
    Ok(())
}

pub(super) async fn insert_signature(mut db: &AsyncPgConnection, new: SignatureRow) -> Result<()> {
    diesel::insert_into(document_signatures::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// Changes a document of a known version and raises it. `false` when it has another version by now, or is out of
/// sight.
pub(super) async fn update_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    expected_version: i32,
    changes: DocumentChanges,
) -> Result<bool, Stop<Refusal>> {
    let updated = diesel::update(documents::table)
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(id))
        .filter(documents::version.eq(expected_version))
        .set((changes, documents::version.eq(documents::version + 1)))
        .execute(&mut db)
        .await;
    match updated {
        Ok(count) => Ok(count == 1),
        Err(error) => Err(signed_or(error)),
    }
}

/// Links a document to patients whose charts the actor may open; those linked already stay. Gives how many of the
/// patients may be opened: fewer than were named means one may not.
pub(super) async fn link(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    patients: &[PatientId],
    now: DateTime<Utc>,
) -> Result<usize, Stop<Refusal>> {
    #[derive(QueryableByName)]
    struct Open {
        #[diesel(sql_type = BigInt)]
        open: i64,
    }
    // One statement reads the charts as the actor may see them and links what it read.
    let linked = sql("WITH open AS (SELECT id FROM patients WHERE facility_id = $1 AND id = ANY ($3)), \
         linked AS (INSERT INTO document_patients (facility_id, document_id, patient_id, linked_at) \
             SELECT $1, $2, open.id, $4 FROM open ON CONFLICT DO NOTHING) \
         SELECT count(*) AS open FROM open")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Array<SqlUuid>, _>(patients)
    .bind::<Timestamptz, _>(now)
    .get_result::<Open>(&mut db)
    .await;
    match linked {
        Ok(row) => Ok(usize::try_from(row.open).unwrap_or(0)),
        Err(error) => Err(signed_or(error)),
    }
}

/// Copies the links of one document to another.
pub(super) async fn copy_links(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    from: DocumentId,
    to: DocumentId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO document_patients (facility_id, document_id, patient_id, linked_at) \
         SELECT $1, $3, linked.id, $4 FROM unnest(document_linked_patients($2)) linked (id)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(from)
    .bind::<SqlUuid, _>(to)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// `false` when there was no such link to be seen.
pub(super) async fn unlink(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
    patient: PatientId,
) -> Result<bool, Stop<Refusal>> {
    let deleted = diesel::delete(document_patients::table)
        .filter(document_patients::facility_id.eq(facility))
        .filter(document_patients::document_id.eq(id))
        .filter(document_patients::patient_id.eq(patient))
        .execute(&mut db)
        .await;
    match deleted {
        Ok(count) => Ok(count == 1),
        Err(error) => Err(signed_or(error)),
    }
}

/// Whether a visit is of one of these patients, as far as the actor may open their charts.
pub(super) async fn visit_is_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    visit: VisitId,
    patients: &[PatientId],
) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Fits {
        #[diesel(sql_type = Bool)]
        fits: bool,
    }
    let row: Fits = sql("SELECT EXISTS (SELECT FROM patient_visits WHERE facility_id = $1 AND id = $2 \
         AND patient_id = ANY ($3)) AS fits")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(visit)
    .bind::<Array<SqlUuid>, _>(patients)
    .get_result(&mut db)
    .await?;
    Ok(row.fits)
}

/// Which of these objects a document names, or an export that is still kept.
pub(super) async fn named_objects(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    object_keys: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    #[derive(QueryableByName)]
    struct Named {
        #[diesel(sql_type = Text)]
        object_key: String,
    }
    let rows: Vec<Named> = sql("SELECT object_key FROM documents WHERE facility_id = $1 AND object_key = ANY ($2) \
         UNION ALL SELECT object_key FROM record_exports WHERE facility_id = $1 AND object_key = ANY ($2) AND expires_at > $3")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<Text>, _>(object_keys)
    .bind::<Timestamptz, _>(now)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| row.object_key).collect())
}

/// What became a psychotherapy note, or stopped being one.
pub(super) fn kept_apart() -> Stop<Refusal> {
    let message = "a psychotherapy note is kept apart from the record: write a note of the other kind instead";
    Stop::refuse(Refusal::KeptApart, &["input", "kind"], message)
}

/// A trigger's word that the note is signed, or the document under a legal hold; or a fault.
fn signed_or(error: diesel::result::Error) -> Stop<Refusal> {
    match violated_constraint(&error) {
        Some("documents_signed_is_final") => {
            Stop::refuse(Refusal::Signed, &["input", "id"], "the note is signed: write an addendum instead")
        }
        Some("documents_class_is_final") => kept_apart(),
        Some("documents_held_is_kept") => {
            Stop::refuse(Refusal::OnHold, &["input", "id"], "the document is under a legal hold and kept as it is")
        }
        _ => error.into(),
    }
}
