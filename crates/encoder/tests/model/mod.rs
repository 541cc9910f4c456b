//! Where the tests find the model. They fail without it: a skipped test would say nothing.

use std::path::PathBuf;

/// `ANAMNESIS_MODEL_DIR`, or the folder that the product's provisioning fills: root's home is closed to the account that
/// runs the database, so there it may be the second.
pub fn dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let below = |cache: PathBuf| cache.join("models/all-MiniLM-L6-v2");
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let places: Vec<PathBuf> = if let Some(model) = set("ANAMNESIS_MODEL_DIR") {
        vec![model]
    } else if let Some(cache) = set("ANAMNESIS_CACHE_DIR") {
        vec![below(cache)]
    } else {
        let own = set("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("anamnesis"));
        own.into_iter().chain([PathBuf::from("/var/cache/anamnesis")]).map(below).collect()
    };
    let found = places.iter().find(|place| place.join("model.safetensors").is_file());
    assert!(
        found.is_some(),
        "no embedding model in {places:?}: run `cargo test` in the repository's root once, which fetches it, or point \
         ANAMNESIS_MODEL_DIR to a folder with config.json, tokenizer.json and model.safetensors of all-MiniLM-L6-v2"
    );
    found.cloned().unwrap_or_default()
}
