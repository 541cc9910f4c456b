//! A damaged or foreign model folder is refused with a message that names the file and the fault.

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "model/mod.rs"]
mod model;

use std::fs;
use std::path::Path;

use anamnesis_encoder::{Encoder, EncoderError};
use tempfile::TempDir;

/// A copy of the model folder in which `file` holds `content` instead.
fn folder_with(file: &str, content: &[u8]) -> TempDir {
    let source = model::dir();
    let dir = TempDir::new().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        if name == file {
            fs::write(dir.path().join(name), content).unwrap();
        } else {
            fs::copy(source.join(name), dir.path().join(name)).unwrap();
        }
    }
    dir
}

fn fault(dir: &Path) -> String {
    Encoder::load(dir).unwrap_err().to_string()
}

/// `config.json` with one value replaced.
fn config_with(key: &str, value: serde_json::Value) -> Vec<u8> {
    let bytes = fs::read(model::dir().join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    config[key] = value;
    serde_json::to_vec(&config).unwrap()
}

#[test]
fn an_empty_folder_names_the_first_missing_file() {
    let dir = TempDir::new().unwrap();
    let error = Encoder::load(dir.path()).unwrap_err();
    assert!(matches!(&error, EncoderError::Read { path, .. } if path.ends_with("config.json")));
}

#[test]
fn a_network_that_would_be_computed_wrongly_is_refused() {
    for (key, value, message) in [
        ("model_type", "xlnet".into(), "config.json: model_type is not bert"),
        ("hidden_act", "gelu_new".into(), "config.json: hidden_act is not gelu"),
        ("position_embedding_type", "relative_key".into(), "config.json: position_embedding_type is not absolute"),
        (
            "max_position_embeddings",
            128.into(),
            "config.json: max_position_embeddings is below the 256 tokens this encoder reads",
        ),
        ("num_attention_heads", 7.into(), "config.json: hidden_size is not a positive multiple of num_attention_heads"),
        (
            "intermediate_size",
            1000.into(),
            "model.safetensors: tensor encoder.layer.0.intermediate.dense.weight has shape \
             [1536, 384], not [1000, 384]",
        ),
        (
            "num_hidden_layers",
            7.into(),
            "model.safetensors: tensor encoder.layer.6.attention.self.query.weight is missing",
        ),
    ] {
        let dir = folder_with("config.json", &config_with(key, value));
        assert_eq!(fault(dir.path()), message);
    }
}

#[test]
fn a_truncated_weights_file_is_refused() {
    let bytes = fs::read(model::dir().join("model.safetensors")).unwrap();
    let dir = folder_with("model.safetensors", &bytes[..bytes.len() - 4]);
    assert!(fault(dir.path()).starts_with("model.safetensors: "));
}

#[test]
fn a_weight_that_is_not_a_number_is_refused() {
    let mut bytes = fs::read(model::dir().join("model.safetensors")).unwrap();
    // All ones is not a number; eight bytes of it cover at least one whole element, and the middle
    // of the file lies in the table of words.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0xff);
    let dir = folder_with("model.safetensors", &bytes);
    assert_eq!(
        fault(dir.path()),
        "model.safetensors: tensor embeddings.word_embeddings.weight holds a number that is not finite"
    );
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let dir = folder_with("tokenizer.json", b"{}");
    assert!(fault(dir.path()).starts_with("tokenizer.json: "));

    let bytes = fs::read(model::dir().join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["model"]["vocab"]["zyzzyva"] = 30_522.into();
    let dir = folder_with("tokenizer.json", &serde_json::to_vec(&json).unwrap());
    assert_eq!(fault(dir.path()), "tokenizer.json: id 30522 is beyond the model's vocabulary");
}
