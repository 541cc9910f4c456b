//! The vectors of recent queries, so that paging through results or typing the same words again costs nothing.
//!
//! Queries are PHI, so the texts are not kept: an entry is found by a SHA-256 over a secret drawn at start, the
//! model and the text. Without the secret, which never leaves the process, a dump of the keys could not be
//! tried against a list of likely queries. The vectors themselves leak the gist of a query; they are dropped
//! after [`LIFETIME`].

use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

/// Queries remembered. A vector of 384 dimensions takes 1.5 kB, so about 1.5 MB.
const CAPACITY: u64 = 1024;

/// How long a query is remembered: a person's search session, not more.
const LIFETIME: Duration = Duration::from_mins(15);

pub(super) struct QueryCache {
    model: String,
    secret: [u8; 32],
    vectors: Cache<Key, Arc<[f32]>>,
}

pub(super) type Key = [u8; 32];

impl QueryCache {
    pub(super) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            secret: rand::random(),
            vectors: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(LIFETIME)
                // Plain LRU: the default policy would not admit a new query before it was asked for repeatedly.
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }

    pub(super) fn key(&self, text: &str) -> Key {
        // The length keeps model and text apart.
        Sha256::new()
            .chain_update(self.secret)
            .chain_update(self.model.len().to_be_bytes())
            .chain_update(&self.model)
            .chain_update(text)
            .finalize()
            .into()
    }

    pub(super) fn get(&self, key: &Key) -> Option<Vec<f32>> {
        self.vectors.get(key).map(|vector| vector.to_vec())
    }

    pub(super) fn put(&self, key: Key, vector: &[f32]) {
        self.vectors.insert(key, vector.into());
    }

    /// The vectors of `texts` in order: those remembered, and the rest from `embed`, which gets the missing texts
    /// in one call and gives one vector for each.
    pub(super) async fn complete<E, F>(
        &self,
        texts: Vec<String>,
        embed: impl FnOnce(Vec<String>) -> F,
    ) -> Result<Vec<Vec<f32>>, E>
    where
        F: Future<Output = Result<Vec<Vec<f32>>, E>>,
    {
        let keys: Vec<Key> = texts.iter().map(|text| self.key(text)).collect();
        let mut vectors: Vec<Option<Vec<f32>>> = keys.iter().map(|key| self.get(key)).collect();
        let missing = |vectors: &[Option<Vec<f32>>]| vectors.iter().any(Option::is_none);
        if missing(&vectors) {
            let known = vectors.iter().map(Option::is_some);
            let unknown = texts.into_iter().zip(known).filter(|(_, known)| !known).map(|(text, _)| text).collect();
            let mut fresh = embed(unknown).await?.into_iter();
            for (slot, key) in vectors.iter_mut().zip(keys).filter(|(slot, _)| slot.is_none()) {
                *slot = fresh.next().inspect(|vector| self.put(key, vector));
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// A vector that tells which text it is of.
    fn vectors(texts: &[String]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| text.bytes().map(f32::from).collect()).collect()
    }

    #[tokio::test]
    async fn only_what_is_missing_is_asked_for_and_order_is_kept() {
        let cache = QueryCache::new("m");
        for (asked, missing) in
            [(&["a", "b"][..], &["a", "b"][..]), (&["c", "b", "d", "a"], &["c", "d"]), (&["a", "d"], &[])]
        {
            let mut seen = Vec::new();
            let answer = cache
                .complete(texts(asked), |unknown| {
                    seen.clone_from(&unknown);
                    ready(Ok::<_, Infallible>(vectors(&unknown)))
                })
                .await;
            assert_eq!(answer.unwrap(), vectors(&texts(asked)));
            assert_eq!(seen, missing);
        }
    }

    #[tokio::test]
    async fn a_failure_is_passed_on_and_not_remembered() {
        let cache = QueryCache::new("m");
        let failed = cache.complete(texts(&["a"]), |_| ready(Err("down"))).await;
        assert_eq!(failed, Err("down"));
        assert_eq!(cache.get(&cache.key("a")), None);
    }

    #[test]
    fn keys_differ_by_text_model_and_process() {
        let cache = QueryCache::new("m");
        assert_eq!(cache.key("a"), cache.key("a"));
        assert_ne!(cache.key("a"), cache.key("b"));
        let other = QueryCache { model: "ma".into(), secret: cache.secret, vectors: cache.vectors.clone() };
        assert_ne!(cache.key("ab"), other.key("b"));
        assert_ne!(cache.key("a"), QueryCache::new("m").key("a"));
    }

    #[test]
    fn the_oldest_query_goes_first() {
        let cache = QueryCache::new("m");
        for number in 0..=CAPACITY {
            cache.put(cache.key(&number.to_string()), &[1.0]);
        }
        cache.vectors.run_pending_tasks();
        assert_eq!(cache.get(&cache.key("0")), None);
        assert_eq!(cache.get(&cache.key(&CAPACITY.to_string())), Some(vec![1.0]));
        assert_eq!(cache.vectors.entry_count(), CAPACITY);
    }
}
