//! Where the tests find the model. They fail without it: a skipped test would say nothing.

use std::path::PathBuf;

/// `ANAMNESIS_MODEL_DIR`, or the folder that the product's provisioning fills.
pub fn dir() -> PathBuf {
    let cache = || {
        std::env::var_os("XDG_CACHE_HOME")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(std::env::home_dir()?.join(".cache")))
            .map(|cache| cache.join("anamnesis/models/all-MiniLM-L6-v2"))
    };
    let dir = std::env::var_os("ANAMNESIS_MODEL_DIR").map(PathBuf::from).or_else(cache).unwrap_or_default();
    assert!(
        dir.join("model.safetensors").is_file(),
        "no embedding model in {}: run `cargo test` in the repository's root once, which fetches \
         it, or point ANAMNESIS_MODEL_DIR to a folder with config.json, tokenizer.json and \
         model.safetensors of all-MiniLM-L6-v2",
        dir.display()
    );
    dir
}
