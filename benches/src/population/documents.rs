//! Notes in search: their rows, passages, vectors and terms.

use std::collections::{BTreeSet, HashMap};

use anamnesis::crypto::{ColumnId, FacilityKeys};
use anamnesis::domains::documents::lexemes::spellings;
use anamnesis::ids::TypedId as _;
use anamnesis::phi::Phi;
use chrono::{Days, NaiveDate};
use indicatif::ProgressBar;
use rand::RngExt as _;
use tokio_postgres::Client;
use uuid::Uuid;

use super::copy::{Copy, Value};
use super::corpus::{Corpus, Made};
use super::{Facility, Maker};
use crate::Result;

const TITLE: ColumnId = ColumnId::new("documents", "title");
const BODY: ColumnId = ColumnId::new("documents", "body");
const TEXT: ColumnId = ColumnId::new("document_chunks", "text");

/// Passages of a document.
const PASSAGES: usize = 10;
/// Days that documents are spread over.
const DAYS: u64 = 1500;

/// A passage with its ids.
struct Passage<'a> {
    id: Uuid,
    document: Uuid,
    position: usize,
    made: Made<'a>,
    text: String,
    /// Hashed lexemes, and how often.
    terms: HashMap<i64, i64>,
}

pub async fn make(
    maker: &mut Maker,
    client: &Client,
    facility: &Facility,
    patients: &[Uuid],
    corpus: &Corpus,
    bar: &ProgressBar,
) -> Result<()> {
    let keys = maker.app.keys_of_facility(facility.id).await?;
    let model: i16 = client.query_one("SELECT id FROM embedding_models WHERE state = 'serving'", &[]).await?.get(0);
    let documents: Vec<Uuid> = (0..facility.passages.div_ceil(PASSAGES)).map(|_| Uuid::now_v7()).collect();
    let mut passages = Vec::with_capacity(facility.passages);
    for number in 0..facility.passages {
        let made = corpus.passage(&mut maker.random);
        let text = made.sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" ");
        let mut terms = HashMap::new();
        for (lexeme, count) in made.sentences.iter().flat_map(|sentence| &sentence.lexemes) {
            *terms.entry(keys.index.lexeme(lexeme)).or_default() += i64::from(*count);
        }
        let (document, position) = (documents[number / PASSAGES], number % PASSAGES);
        passages.push(Passage { id: Uuid::now_v7(), document, position, made, text, terms });
    }
    write_documents(maker, client, facility, &keys, &documents, patients).await?;
    write_passages(client, facility, &keys, &passages, bar).await?;
    write_vectors(client, facility, model, &passages).await?;
    write_terms(client, facility, &passages).await?;
    write_spellings(client, facility, &keys, &passages).await
}

async fn write_documents(
    maker: &mut Maker,
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    documents: &[Uuid],
    patients: &[Uuid],
) -> Result<()> {
    let first = NaiveDate::from_ymd_opt(2022, 1, 1).unwrap_or_default();
    let mut rows = Copy::into(
        client,
        "documents",
        "facility_id, id, origin, kind, title_ciphertext, mime_type, size_bytes, sha256, body_ciphertext, author_id, \
         document_date, status, note_state, language, chunk_count, ready_at, created_at, updated_at",
    )
    .await?;
    for (number, id) in documents.iter().enumerate() {
        let title = keys.fields.encrypt_text(TITLE, *id, &Phi::from("Progress note"))?;
        let body = keys.fields.encrypt_text(BODY, *id, &Phi::from("See its passages."))?;
        let date = first.checked_add_days(Days::new(maker.random.random_range(0..DAYS))).unwrap_or(first);
        let chunks = PASSAGES.min(facility.passages - number * PASSAGES);
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(*id),
            Value::Word("note"),
            Value::Word(["clinical_note", "treatment_plan", "discharge_summary"][number % 3]),
            Value::Bytes(&title),
            Value::Word("text/plain"),
            Value::Int(4000),
            Value::Bytes(&[0; 32]),
            Value::Bytes(&body),
            Value::Uuid(maker.user.uuid()),
            Value::Date(date),
            Value::Word("ready"),
            Value::Word("final"),
            Value::Word("en"),
            Value::Int(i64::try_from(chunks)?),
            Value::Time(maker.now),
            Value::Time(maker.now),
            Value::Time(maker.now),
        ])
        .await?;
    }
    rows.finish().await?;
    let mut links = Copy::into(client, "document_patients", "facility_id, document_id, patient_id, linked_at").await?;
    for (number, id) in documents.iter().enumerate() {
        let patient = patients[number % patients.len()];
        let facility = Value::Uuid(facility.id.uuid());
        links.row(&[facility, Value::Uuid(*id), Value::Uuid(patient), Value::Time(maker.now)]).await?;
    }
    links.finish().await
}

async fn write_passages(
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    passages: &[Passage<'_>],
    bar: &ProgressBar,
) -> Result<()> {
    let mut rows = Copy::into(
        client,
        "document_chunks",
        "facility_id, id, document_id, position, start_char, end_char, term_count, text_ciphertext",
    )
    .await?;
    for passage in passages {
        let sealed = keys.fields.encrypt_text(TEXT, passage.id, &Phi::new(passage.text.clone()))?;
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(passage.id),
            Value::Uuid(passage.document),
            Value::Int(i64::try_from(passage.position)?),
            Value::Int(0),
            Value::Int(i64::try_from(passage.text.chars().count())?),
            Value::Int(passage.terms.values().sum()),
            Value::Bytes(&sealed),
        ])
        .await?;
        bar.inc(1);
    }
    rows.finish().await
}

async fn write_vectors(client: &Client, facility: &Facility, model: i16, passages: &[Passage<'_>]) -> Result<()> {
    let columns = "facility_id, model_id, chunk_id, document_id, embedding";
    let mut rows = Copy::into(client, "chunk_embeddings", columns).await?;
    for passage in passages {
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Int(i64::from(model)),
            Value::Uuid(passage.id),
            Value::Uuid(passage.document),
            Value::Vector(&passage.made.vector),
        ])
        .await?;
    }
    rows.finish().await
}

async fn write_terms(client: &Client, facility: &Facility, passages: &[Passage<'_>]) -> Result<()> {
    let columns = "facility_id, term, chunk_id, document_id, frequency, term_count";
    let mut rows = Copy::into(client, "chunk_terms", columns).await?;
    let mut total = 0;
    for passage in passages {
        let count: i64 = passage.terms.values().sum();
        total += count;
        for (term, frequency) in &passage.terms {
            rows.row(&[
                Value::Uuid(facility.id.uuid()),
                Value::Int(*term),
                Value::Uuid(passage.id),
                Value::Uuid(passage.document),
                Value::Int(*frequency),
                Value::Int(count),
            ])
            .await?;
        }
    }
    rows.finish().await?;
    let mut sizes = Copy::into(client, "search_statistics", "facility_id, documents, chunks, terms").await?;
    let documents = i64::try_from(passages.len().div_ceil(PASSAGES))?;
    let chunks = i64::try_from(passages.len())?;
    sizes.row(&[Value::Uuid(facility.id.uuid()), Value::Int(documents), Value::Int(chunks), Value::Int(total)]).await?;
    sizes.finish().await
}

async fn write_spellings(
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    passages: &[Passage<'_>],
) -> Result<()> {
    let words: BTreeSet<&(String, String)> =
        passages.iter().flat_map(|passage| &passage.made.sentences).flat_map(|sentence| &sentence.words).collect();
    let mut spelled = BTreeSet::new();
    for (word, lexeme) in words {
        let term = keys.index.lexeme(lexeme);
        spelled.extend(spellings(word).iter().map(|spelling| (keys.index.spelling(spelling), term)));
    }
    let mut rows = Copy::into(client, "lexeme_spellings", "facility_id, variant, term").await?;
    for (variant, term) in spelled {
        rows.row(&[Value::Uuid(facility.id.uuid()), Value::Int(variant), Value::Int(term)]).await?;
    }
    rows.finish().await
}
