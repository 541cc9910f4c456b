//! Making an archive.

use std::convert::Infallible;
use std::fmt::Write as _;

use bytes::Bytes;
use chrono::Datelike as _;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::repository::{self, ExportRow, Made};
use super::service::seal_file_key;
use crate::access::{RequestContext, Subject};
use crate::archive::Archive;
use crate::crypto::FacilityKeys;
use crate::domains::documents::model::{
    Document, DocumentKind, DocumentOrigin, DocumentStatus, FileRow, NoteState, REDISCLOSURE_NOTICE,
};
use crate::domains::documents::processing::fault;
use crate::domains::documents::service::require_clean;
use crate::domains::documents::{policy, sealing};
use crate::domains::patients;
use crate::error::{Error, Result};
use crate::extraction::FileKind;
use crate::ids::{PatientId, RecordExportId, TypedId as _};
use crate::jobs::{Failure, Handler, Job};
use crate::storage::{Place, Stored};

/// Largest archive, in bytes: twice what a thousand of the largest uploads come to.
const MAX_BYTES: u64 = 100 * 1024 * 1024 * 1024;

/// Makes the archive of an export.
pub(super) struct MakeExport;

impl Handler for MakeExport {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            make(&ctx, job.about("exportId")?).await?;
            Ok(())
        }
        .boxed()
    }

    fn died<'a>(&'a self, ctx: RequestContext, job: &'a Job, _: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            let Ok(export_id) = job.about::<RecordExportId>("exportId") else { return Ok(()) };
            ctx.write(&policy::EXPORT_MAKE)
                .run::<(), Infallible, _, _>(|tx| async move {
                    repository::set_failed(tx.db()?, tx.ctx().facility(), export_id).await?;
                    tx.audit(Subject::of(export_id), json!({ "status": "failed" }));
                    Ok(())
                })
                .await
                .map_err(fault)
        }
        .boxed()
    }
}

/// Whether an export for somebody knows of a document. Nothing tells that there are others, not even their number:
/// psychotherapy notes are in no export, and documents labelled 42 CFR Part 2 only in one for who may read such.
pub(super) fn is_known(document: &Document, part2: bool) -> bool {
    document.kind != DocumentKind::PsychotherapyNote && (part2 || !document.part2)
}

/// Whether a document may leave in an export at all: what is done, and sound.
pub(super) fn may_leave(document: &Document) -> bool {
    match document.origin {
        DocumentOrigin::Upload => document.status != DocumentStatus::Quarantined,
        DocumentOrigin::Note => {
            matches!(document.note_state, Some(NoteState::Final | NoteState::AwaitingCosignature | NoteState::Signed))
        }
    }
}

async fn make(ctx: &RequestContext, id: RecordExportId) -> Result<()> {
    let read = ctx.read(&policy::EXPORT_MAKE).await?;
    let Some(row) = repository::find(read.db()?, ctx.facility(), id).await? else { return Ok(()) };
    if row.status == "ready" || row.expires_at <= ctx.now() {
        return Ok(());
    }
    let rows = repository::documents_of(read.db()?, ctx.facility(), row.patient_id).await?;
    let keys = read.keys().await?;
    let person = patients::service::title_page(ctx, row.patient_id).await?;
    drop(read);
    ctx.finish().await?;
    let (archive, bytes) = Archive::begin();
    let place = Place { facility: ctx.facility(), file: id.uuid(), year: ctx.now().year() };
    let storage = &ctx.app().storage;
    let writing = fill(ctx, &keys, archive, rows, &row, &person);
    let storing = async { storage.put(place, Box::pin(bytes), MAX_BYTES).await.map_err(Error::from) };
    let (count, stored) = futures::try_join!(writing, storing)?;
    keep(ctx, &keys, id, row.patient_id, stored, count).await
}

/// Puts the archive on record. One that is not is removed as it is dropped.
async fn keep(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    id: RecordExportId,
    patient: PatientId,
    stored: Stored,
    documents: i32,
) -> Result<()> {
    let file = stored.keep();
    let made = Made {
        object_key: file.object_key.clone(),
        file_key_ciphertext: seal_file_key(keys, id, &file.file_key)?,
        size_bytes: i64::try_from(file.size_bytes).map_err(Error::internal)?,
        sha256: file.sha256.to_vec(),
        documents,
    };
    ctx.write(&policy::EXPORT_MAKE)
        .run::<(), Infallible, _, _>(|tx| async move {
            repository::set_ready(tx.db()?, tx.ctx().facility(), id, made, tx.ctx().now()).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({ "documents": documents }));
            Ok(())
        })
        .await
        .map_err(fault)
}

/// What the index says of the archive so far.
#[derive(Default)]
struct Index {
    entries: Vec<Value>,
    text: String,
    checksums: String,
    left_out: i32,
}

async fn fill(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    mut archive: Archive,
    rows: Vec<FileRow>,
    export: &ExportRow,
    person: &patients::service::TitlePage,
) -> Result<i32> {
    let (patient, part2) = (export.patient_id, export.part2);
    let mut index = Index::default();
    let mut count = 0;
    for row in rows {
        let file = sealing::open_file(ctx, keys, &row)?;
        let scanned = row.scanned_at.is_some();
        let document = sealing::open_document(ctx, keys, row.document)?;
        if !is_known(&document, part2) {
            continue;
        }
        if !may_leave(&document) {
            index.left_out += 1;
            continue;
        }
        let sha256 = match &file {
            Some(file) => {
                match require_clean(ctx, &document, file, scanned).await {
                    Ok(()) => {}
                    Err(Error::NotFound) => {
                        index.left_out += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                archive.entry(name_of(count + 1, &document), false).await?;
                let mut content = ctx.app().storage.get(file).await?;
                // The store compares the whole with the checksum of the row before it gives the last piece.
                while let Some(piece) = content.try_next().await? {
                    archive.content(piece).await?;
                }
                document.sha256.clone()
            }
            None => write_note(ctx, keys, &mut archive, count + 1, &document).await?,
        };
        count += 1;
        describe(&mut index, count, &document, &sha256);
    }
    ctx.finish().await?;
    finish(ctx, archive, index, patient, person, count).await?;
    Ok(count)
}

/// A note as a text with a head.
async fn write_note(
    ctx: &RequestContext,
    keys: &FacilityKeys,
    archive: &mut Archive,
    number: i32,
    document: &Document,
) -> Result<Vec<u8>> {
    let read = ctx.read(&policy::EXPORT_MAKE).await?;
    let body = repository::body_of(read.db()?, ctx.facility(), document.id).await?.ok_or(Error::NotFound)?;
    drop(read);
    ctx.finish().await?;
    let text = sealing::open_body(keys, &body)?.unwrap_or_default();
    let mut out = format!("{}\n{}\n", document.title.reveal(), document.document_date);
    match document.signed_at {
        Some(at) => {
            let _ = writeln!(out, "Signed {}", at.to_rfc3339());
        }
        None => out.push_str("Not signed\n"),
    }
    out.push('\n');
    out.push_str(text.reveal());
    out.push('\n');
    let sha256 = Sha256::digest(out.as_bytes()).to_vec();
    archive.entry(name_of(number, document), true).await?;
    archive.content(Bytes::from(out)).await?;
    Ok(sha256)
}

/// `documents/0001.pdf`: a number, so that nothing of the patient is in a name.
fn name_of(number: i32, document: &Document) -> String {
    let kind = FileKind::ALL.iter().find(|kind| kind.mime() == document.mime_type);
    let extension = match kind {
        Some(FileKind::PlainText) => "txt",
        Some(FileKind::OpenDocument) => "odt",
        Some(FileKind::Mail) => "eml",
        Some(FileKind::Fhir) => "json",
        Some(FileKind::OfficeBinary) => "doc",
        Some(FileKind::Dicom) => "dcm",
        Some(FileKind::Other) | None => "bin",
        Some(kind) => kind.name(),
    };
    format!("documents/{number:04}.{extension}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn describe(index: &mut Index, number: i32, document: &Document, sha256: &[u8]) {
    let (name, sha256) = (name_of(number, document), hex(sha256));
    let kind = document.kind.as_str();
    index.entries.push(json!({
        "file": name, "sha256": sha256, "title": document.title.reveal(), "kind": kind,
        "documentDate": document.document_date, "mimeType": document.mime_type, "origin": document.origin.as_str(),
        "fileName": document.file_name.as_ref().map(crate::phi::Phi::reveal), "signedAt": document.signed_at,
        "id": document.id.encode(), "redisclosureNotice": document.part2.then_some(REDISCLOSURE_NOTICE),
    }));
    let title = document.title.reveal();
    if document.part2 {
        let _ = writeln!(index.text, "{name}  {REDISCLOSURE_NOTICE}");
    }
    let _ = writeln!(index.text, "{name}  {}  {}  {title}", document.document_date, kind.replace('_', " "));
    let _ = writeln!(index.checksums, "{sha256}  {name}");
}

/// The index, for programs and for people, and the checksums of all.
async fn finish(
    ctx: &RequestContext,
    mut archive: Archive,
    mut index: Index,
    patient: PatientId,
    person: &patients::service::TitlePage,
    count: i32,
) -> Result<()> {
    let made_at = ctx.now().to_rfc3339();
    let (name, mrn, birth_date) = (person.name.reveal(), person.mrn.reveal(), person.birth_date.reveal());
    let for_programs = serde_json::to_vec_pretty(&json!({
        "format": 1, "madeAt": made_at, "leftOut": index.left_out, "documents": index.entries,
        "patient": { "id": patient.encode(), "name": name, "mrn": mrn, "birthDate": birth_date },
    }))?;
    let mut for_people =
        format!("Documents of {name}, born {birth_date}, MRN {mrn}\nMade {made_at}, {count} documents\n");
    if index.left_out > 0 {
        let _ = writeln!(for_people, "{} documents may not be exported and were left out", index.left_out);
    }
    for_people.push('\n');
    for_people.push_str(&index.text);
    for (name, content) in [("index.json", for_programs), ("index.txt", for_people.into_bytes())] {
        let _ = writeln!(index.checksums, "{}  {name}", hex(&Sha256::digest(&content)));
        archive.entry(name.to_owned(), true).await?;
        archive.content(Bytes::from(content)).await?;
    }
    archive.entry("checksums.sha256".to_owned(), true).await?;
    archive.content(Bytes::from(index.checksums)).await?;
    archive.finish().await
}
