//! Search over many tenants of skewed size, as the unprivileged role behind row-level security: whether it finds what the
//! exact answer holds, and how long it takes beside pgbench with the same SQL.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use anamnesis::ids::{ChunkId, PatientId, TypedId as _};
use serde_json::{Value, json};
use tokio_postgres::Client as Postgres;
use uuid::Uuid;

use crate::Result;
use crate::bed::Bed;
use crate::client::Client;
use crate::pgbench;
use crate::population::{Corpus, Facility, Sizes, embed};
use crate::server::Server;
use crate::statistics::{milliseconds, percentile};
use crate::wire::{Recording, Tap, types};

const SEARCH: &str = "query($query: String!, $mode: DocumentSearchMode!, $patient: ID) { \
     documentSearch(query: $query, mode: $mode, filter: { patientId: $patient }, first: 10) { edges { node { passage { id } } } } }";
/// What recall is of.
const FIRST: usize = 10;
/// A passage as near as the last of the exact answer, but for what a half-precision number leaves out, is as right.
const ALIKE: f64 = 1e-3;
const ROUNDS: usize = 3;
/// Of pgbench, in each round.
const SECONDS: u64 = 4;

/// A passage with its vector.
struct Row {
    id: Uuid,
    patient: Uuid,
    vector: Vec<f64>,
}

/// Where queries are asked.
struct Place {
    name: &'static str,
    facility: Facility,
    rows: Vec<Row>,
}

/// A query, and the patient it is narrowed to.
struct Asked {
    text: String,
    vector: Vec<f64>,
    patient: Option<Uuid>,
}

/// What was measured in one place with one filter in one mode.
struct Line {
    place: &'static str,
    passages: usize,
    filter: &'static str,
    mode: &'static str,
    recall: Option<f64>,
    statements: usize,
    round_trips: u64,
    own: (Duration, Duration),
    limit: (Duration, Duration),
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// Whatever goes wrong.
pub async fn run(passages: usize, facilities: usize, queries: usize, keep: Option<PathBuf>) -> Result<()> {
    // A document of ten passages is about one patient, who has five documents.
    let sizes = Sizes { facilities, patients: passages / 50, visits: 0, passages, messages: 0 };
    let bed = Bed::start(keep, sizes).await?;
    let measured = measure(&bed, queries).await;
    match measured {
        Ok(lines) => {
            report(&bed, &lines).await?;
            bed.stop().await
        }
        Err(error) => {
            bed.stop().await?;
            Err(error)
        }
    }
}

async fn measure(bed: &Bed, queries: usize) -> Result<Vec<Line>> {
    let postgres = bed.superuser().await?;
    let texts = Corpus::queries(queries)?;
    let vectors = embed(&bed.app, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let tap = Tap::open(&bed.folder.path.join("tap"), bed.embedded.socket_dir())?;
    let tapped = Server::start(bed, &tap.url(bed.urls.server.reveal())).await?;
    let server = Server::start(bed, bed.urls.server.reveal()).await?;
    let population = &bed.population;
    let mut lines = Vec::new();
    for (name, facility) in
        [("smallest", population.smallest()), ("median", population.median()), ("largest", population.largest())]
    {
        let place = Place { name, facility, rows: rows(&postgres, &facility).await? };
        for narrow in [false, true] {
            let asked: Vec<Asked> = texts
                .iter()
                .zip(&vectors)
                .enumerate()
                .map(|(number, (text, vector))| Asked {
                    text: text.clone(),
                    vector: vector.iter().copied().map(f64::from).collect(),
                    // Any patient will do, as long as it is not always the same.
                    patient: narrow.then(|| place.rows[number * 7919 % place.rows.len()].patient),
                })
                .collect();
            for mode in ["SEMANTIC", "HYBRID"] {
                lines.push(compare(bed, &server, &tapped, &tap, &postgres, &place, &asked, mode).await?);
            }
        }
    }
    Ok(lines)
}

/// One line of the table.
#[expect(clippy::too_many_arguments, reason = "everything that stands on the table meets here")]
async fn compare(
    bed: &Bed,
    server: &Server,
    tapped: &Server,
    tap: &Tap,
    postgres: &Postgres,
    place: &Place,
    asked: &[Asked],
    mode: &'static str,
) -> Result<Line> {
    let facility = place.facility.id;
    let client = Client::of(bed, &server.base, facility)?;
    let (recall, recordings) = {
        let heard = Client::of(bed, &tapped.base, facility)?;
        // Statements are prepared at their first use, and the query's vector is kept.
        for query in asked {
            heard.run(SEARCH, &variables(query, mode)).await?;
        }
        let _ = tap.take();
        let (mut hits, mut recordings) = (0.0, Vec::with_capacity(asked.len()));
        for query in asked {
            let found = heard.run(SEARCH, &variables(query, mode)).await?.data;
            recordings.push(tap.take());
            hits += recall_of(place, query, &found);
        }
        #[expect(clippy::cast_precision_loss, reason = "a few queries")]
        (hits / asked.len() as f64, recordings)
    };
    let types = types(postgres).await?;
    let scripts = recordings.iter().map(|heard| heard.script(&types)).collect::<Result<Vec<_>>>()?;
    let (mut own, mut limit) = (Vec::new(), Vec::new());
    for query in asked {
        client.run(SEARCH, &variables(query, mode)).await?;
    }
    for _ in 0..ROUNDS {
        for query in asked.iter().chain(asked) {
            own.push(client.run(SEARCH, &variables(query, mode)).await?.took);
        }
        let run = pgbench::run(bed, &scripts, 1, SECONDS).await?;
        limit.push((run.p50, run.p99));
    }
    own.sort_unstable();
    limit.sort_unstable();
    let typical = recordings.first().cloned().unwrap_or_else(Recording::default);
    Ok(Line {
        place: place.name,
        passages: place.facility.passages,
        filter: if asked.first().is_some_and(|query| query.patient.is_some()) { "patient" } else { "" },
        mode,
        // Only the ranking by vectors alone has an exact answer to be held against.
        recall: (mode == "SEMANTIC").then_some(recall),
        statements: typical.statements(),
        round_trips: typical.round_trips,
        own: (percentile(&own, 0.5), percentile(&own, 0.99)),
        limit: limit[limit.len() / 2],
    })
}

fn variables(query: &Asked, mode: &str) -> Value {
    let patient = query.patient.map(|patient| PatientId::from_uuid(patient).encode());
    json!({ "query": query.text, "mode": mode, "patient": patient })
}

/// The share of the exact answer that was found.
fn recall_of(place: &Place, query: &Asked, found: &Value) -> f64 {
    let edges = found["documentSearch"]["edges"].as_array().map_or(&[][..], Vec::as_slice);
    let found: HashSet<Uuid> = edges
        .iter()
        .filter_map(|edge| ChunkId::decode(edge["node"]["passage"]["id"].as_str()?).ok().map(ChunkId::uuid))
        .collect();
    let eligible = place.rows.iter().filter(|row| query.patient.is_none_or(|patient| row.patient == patient));
    let mut scored: Vec<(f64, Uuid)> = eligible.map(|row| (product(&row.vector, &query.vector), row.id)).collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    let scores: HashMap<Uuid, f64> = scored.iter().map(|(score, id)| (*id, *score)).collect();
    scored.truncate(FIRST);
    let Some((last, _)) = scored.last() else { return 1.0 };
    let right = found.iter().filter(|id| scores.get(id).is_some_and(|score| *score >= last - ALIKE)).count();
    #[expect(clippy::cast_precision_loss, reason = "at most ten")]
    let share = right.min(scored.len()) as f64 / scored.len() as f64;
    share
}

fn product(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// Every passage of a facility, past row-level security.
async fn rows(postgres: &Postgres, facility: &Facility) -> Result<Vec<Row>> {
    let statement = "SELECT e.chunk_id, p.patient_id, e.embedding::vector::real[] FROM chunk_embeddings e \
         JOIN document_patients p USING (facility_id, document_id) WHERE e.facility_id = $1";
    let rows = postgres.query(statement, &[&facility.id.uuid()]).await?;
    Ok(rows
        .iter()
        .map(|row| Row {
            id: row.get(0),
            patient: row.get(1),
            vector: row.get::<_, Vec<f32>>(2).into_iter().map(f64::from).collect(),
        })
        .collect())
}

async fn report(bed: &Bed, lines: &[Line]) -> Result<()> {
    let postgres = bed.superuser().await?;
    let row = postgres
        .query_one(
            "SELECT count(*), sum(pg_total_relation_size('chunk_embeddings') + pg_total_relation_size('chunk_terms') \
                 + pg_total_relation_size('document_chunks') + pg_total_relation_size('lexeme_spellings'))::int8 \
                 / greatest(count(*), 1), pg_total_relation_size('chunk_embeddings'), pg_total_relation_size('chunk_terms'), \
                 pg_total_relation_size('document_chunks'), pg_total_relation_size('lexeme_spellings') FROM document_chunks",
            &[],
        )
        .await?;
    let count: i64 = row.get(0);
    println!(
        "\n{count} passages in {} facilities, made in {:.0} s",
        bed.population.facilities.len(),
        bed.population.seconds
    );
    let each: Vec<String> = ["vectors", "terms", "passages", "spellings"]
        .iter()
        .zip(2..)
        .map(|(name, place)| format!("{name} {}", row.get::<_, i64>(place) / count.max(1)))
        .collect();
    println!("bytes a passage, indexes among them: {}\n", each.join(", "));
    println!(
        "| facility | passages | filter | mode | recall@10 | statements | round trips | p50 ms | p99 ms | pgbench p50 | \
         pgbench p99 | p50 ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for line in lines {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            line.place,
            line.passages,
            line.filter,
            line.mode.to_lowercase(),
            line.recall.map_or_else(String::new, |recall| format!("{recall:.3}")),
            line.statements,
            line.round_trips,
            milliseconds(line.own.0),
            milliseconds(line.own.1),
            milliseconds(line.limit.0),
            milliseconds(line.limit.1),
            milliseconds(line.limit.0) / milliseconds(line.own.0).max(f64::MIN_POSITIVE),
        );
    }
    Ok(())
}
