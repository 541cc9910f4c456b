//! What passages are made of: the sentences of the demo's notes, each with its vector by the model and its lexemes by
//! PostgreSQL. A passage is some sentences of one note and one of another; its vector is theirs, averaged.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anamnesis::app::App;
use anamnesis::embedding::{LOCAL_MODEL, Priority};
use anamnesis::eval::dataset::Dataset;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use tokio_postgres::Client;

use crate::Result;

/// The labelled set whose passages are the demo's notes.
const SET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/search-set/notes.jsonl");
/// Embedded at once.
const BATCH: usize = 64;
/// Sentences of one note in a passage.
const OWN: usize = 5;
/// How far vectors of the same sentences lie apart, so that no two are alike: in each dimension, of a length of 1.
const NOISE: f32 = 0.01;

/// A sentence.
pub struct Sentence {
    pub text: String,
    pub vector: Vec<f32>,
    /// Lexemes, and how often.
    pub lexemes: Vec<(String, i16)>,
    /// Words with their lexemes, those of letters alone.
    pub words: Vec<(String, String)>,
}

/// All sentences, by note.
pub struct Corpus {
    notes: Vec<Vec<Sentence>>,
}

/// A passage made of sentences.
pub struct Made<'a> {
    pub sentences: Vec<&'a Sentence>,
    pub vector: Vec<f32>,
}

impl Corpus {
    /// The queries of the labelled set, in their order.
    ///
    /// # Errors
    /// When the set cannot be read.
    pub fn queries(most: usize) -> Result<Vec<String>> {
        Ok(Dataset::read(Path::new(SET))?.queries.into_iter().map(|query| query.text).take(most).collect())
    }

    /// Reads the notes, embeds their sentences, has PostgreSQL find their lexemes.
    ///
    /// # Errors
    /// When the model or the database refuses.
    pub async fn read(app: &Arc<App>, client: &Client) -> Result<Self> {
        let set = Dataset::read(Path::new(SET))?;
        let texts: Vec<Vec<String>> = set.passages.iter().map(|passage| sentences(&passage.text)).collect();
        let flat: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
        let mut vectors = embed(app, &flat).await?.into_iter();
        let mut lexemes = pairs(
            client,
            "SELECT (t.ordinality - 1)::int4, l.lexeme, coalesce(cardinality(l.positions), 1)::text \
             FROM unnest($1::text[]) WITH ORDINALITY AS t (text, ordinality), \
             LATERAL unnest(to_tsvector('english', t.text)) AS l (lexeme, positions, weights)",
            &flat,
        )
        .await?;
        let mut words = pairs(
            client,
            "SELECT DISTINCT (t.ordinality - 1)::int4, lower(p.token), l.lexeme \
             FROM unnest($1::text[]) WITH ORDINALITY AS t (text, ordinality), LATERAL ts_parse('default', t.text) p, \
             LATERAL unnest(ts_lexize('english_stem', lower(p.token))) AS l (lexeme) WHERE p.tokid IN (1, 2, 10, 11)",
            &flat,
        )
        .await?;
        let mut number = 0_i32;
        let mut notes = Vec::with_capacity(texts.len());
        for note in texts {
            let mut of_note = Vec::with_capacity(note.len());
            for text in note {
                let counted = lexemes.remove(&number).unwrap_or_default().into_iter();
                of_note.push(Sentence {
                    text,
                    vector: vectors.next().ok_or("a sentence without a vector")?,
                    lexemes: counted.map(|(lexeme, count)| (lexeme, count.parse().unwrap_or(1))).collect(),
                    words: words.remove(&number).unwrap_or_default(),
                });
                number += 1;
            }
            if of_note.len() > OWN {
                notes.push(of_note);
            }
        }
        Ok(Self { notes })
    }

    /// One passage, by chance.
    pub fn passage(&self, random: &mut StdRng) -> Made<'_> {
        let note = self.notes.choose(random).map_or(&[][..], Vec::as_slice);
        let other = self.notes.choose(random).map_or(&[][..], Vec::as_slice);
        let mut sentences: Vec<&Sentence> = note.sample(random, OWN).collect();
        sentences.extend(other.choose(random));
        let mut vector = vec![0.0; sentences.first().map_or(0, |sentence| sentence.vector.len())];
        for sentence in &sentences {
            vector.iter_mut().zip(&sentence.vector).for_each(|(sum, part)| *sum += part);
        }
        normalise(&mut vector);
        for number in &mut vector {
            *number += random.random_range(-NOISE..NOISE);
        }
        normalise(&mut vector);
        Made { sentences, vector }
    }
}

/// Vectors of texts, as the product would make them.
///
/// # Errors
/// When the model refuses.
pub async fn embed(app: &Arc<App>, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let provider = app.models.named(LOCAL_MODEL)?.ok_or("the local model is not there")?;
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let batch = batch.iter().map(|text| (*text).to_owned()).collect();
        vectors.extend(provider.embed(batch, Priority::Document).await?);
    }
    Ok(vectors)
}

fn sentences(text: &str) -> Vec<String> {
    let parts = text.split_inclusive(['.', '!', '?', '\n']).map(str::trim);
    parts.filter(|part| part.chars().count() > 20).map(str::to_owned).collect()
}

fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    for number in vector {
        *number /= length;
    }
}

/// Two texts by the place of a third.
async fn pairs(client: &Client, statement: &str, texts: &[&str]) -> Result<HashMap<i32, Vec<(String, String)>>> {
    let mut found: HashMap<i32, Vec<(String, String)>> = HashMap::new();
    for row in client.query(statement, &[&texts]).await? {
        found.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    Ok(found)
}
