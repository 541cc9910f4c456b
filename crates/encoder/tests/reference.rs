//! The vectors agree with an independent double-precision implementation (`reference.py`).

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "model/mod.rs"]
mod model;

use std::num::NonZero;
use std::sync::LazyLock;

use anamnesis_encoder::Encoder;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    text: String,
    tokens: usize,
    vector: Vec<f32>,
}

/// The model, loaded once per test binary.
fn encoder() -> &'static Encoder {
    static ENCODER: LazyLock<Encoder> = LazyLock::new(|| Encoder::load(&model::dir()).unwrap());
    &ENCODER
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn vectors_agree_with_the_reference_alone_and_in_any_batch() {
    let encoder = encoder();
    let references = references();
    assert_eq!(references.len(), 9);
    let texts: Vec<&str> = references.iter().map(|r| r.text.as_str()).collect();
    let batched = encoder.embed(&texts).unwrap();
    let here = encoder.embed_here(&texts).unwrap();
    assert_eq!((batched.len(), here.len()), (9, 9));
    for (index, reference) in references.iter().enumerate() {
        let alone = encoder.embed_here(&texts[index..=index]).unwrap().remove(0);
        for vector in [&batched[index], &here[index], &alone] {
            assert_eq!(vector.len(), 384);
            let cosine = cosine(vector, &reference.vector);
            assert!(cosine > 0.999_999, "text {index}: cosine {cosine}");
            let length: f32 = vector.iter().map(|v| v * v).sum();
            assert!((length - 1.0).abs() < 1e-5, "text {index}: length {length}");
        }
    }
}

#[test]
fn chunks_count_the_wordpieces_of_the_reference() {
    let encoder = encoder();
    for reference in references() {
        // The reference stops at 256 and counts the two special tokens; a chunk stops at 200.
        if reference.tokens <= 202 {
            let chunks = encoder.chunk(&reference.text).unwrap();
            let counted: usize = chunks.iter().map(|chunk| chunk.tokens).sum();
            assert_eq!(counted, reference.tokens - 2, "{}", reference.text);
        }
    }
}

#[test]
fn text_beyond_256_wordpieces_changes_nothing_and_text_before_it_does() {
    let encoder = encoder();
    // Each "fever " is one wordpiece; 254 fit beside the two special tokens.
    let full = "fever ".repeat(254);
    let vectors = encoder.embed(&[&full, &format!("{full} cough"), &format!("{}cough", "fever ".repeat(253))]).unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > 0.999_999_9);
    assert!(cosine(&vectors[0], &vectors[2]) < 0.999_9);
}

#[test]
fn a_note_that_spells_a_special_token_does_not_get_one() {
    let encoder = encoder();
    let vectors = encoder.embed(&["[SEP]", "", "[ SEP ]"]).unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) < 0.9);
    assert!(cosine(&vectors[0], &vectors[2]) > 0.999_999);
}

#[test]
fn meaning_is_nearer_than_wording() {
    let encoder = encoder();
    let vectors = encoder.embed(&["raised blood pressure", "hypertension", "raised garden bed"]).unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]));
}

#[test]
fn nothing_in_nothing_out() {
    let encoder = encoder();
    assert!(encoder.embed(&[]).unwrap().is_empty());
    assert!(encoder.embed_here(&[]).unwrap().is_empty());
}

#[test]
fn the_number_of_threads_changes_no_vector() {
    let dir = model::dir();
    let one = Encoder::load_with_threads(&dir, NonZero::<usize>::MIN).unwrap();
    let three = Encoder::load_with_threads(&dir, NonZero::new(3).unwrap()).unwrap();
    let texts = ["No known allergies.", "Walks with a cane.", "", "Sleeps well."];
    let pairs = one.embed(&texts).unwrap().into_iter().zip(three.embed(&texts).unwrap());
    for (one, three) in pairs {
        assert!(cosine(&one, &three) > 0.999_999_9);
    }
}
