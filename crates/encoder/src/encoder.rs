//! The public face: a model folder in, vectors out. Tokenising, packing, parallelism.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokenizers::Tokenizer;

use crate::bert::{Bert, Config};
use crate::chunk::{Chunk, chunk_exactly};
use crate::weights::Weights;

/// The most wordpieces of a text that its vector reflects, the two special tokens included: the
/// length the model was trained for. Its `tokenizer.json` asks for 128, which would lose text
/// silently, and is overridden.
pub const MAX_TOKENS: usize = 256;

/// Tokens per matrix. Large enough that the products run at full speed (measured: 129 rows reach
/// 95 % of it), small enough that the buffers of one pack (about 8 MB) stay in the caches.
const PACK_TOKENS: usize = 512;

/// A text longer than this is cut before it is tokenised. Only [`MAX_TOKENS`] wordpieces count, so
/// this changes nothing unless they average more than 250 bytes; it bounds the time and memory a
/// careless caller can cost.
const MAX_EMBEDDED_BYTES: usize = 64 * 1024;

/// Why a model could not be loaded or a text not be embedded. Never carries text.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file of the model folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `config.json` is malformed, or describes a network this crate does not compute.
    #[error("config.json: {0}")]
    Config(String),
    /// `tokenizer.json` is malformed, or does not belong to the weights.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// `model.safetensors` is malformed, or does not fit the configuration.
    #[error("model.safetensors: {0}")]
    Weights(String),
    /// The operating system refused to start the worker threads.
    #[error("cannot start the encoder's threads: {0}")]
    Threads(String),
    /// The tokenizer failed on a text. Its own message is withheld, as it might quote the text.
    #[error("a text could not be tokenised")]
    Text,
}

/// A loaded model. Cheap to share behind an `Arc`, expensive to load (about 90 MB are read).
pub struct Encoder {
    bert: Bert,
    tokenizer: Tokenizer,
    /// The ids that stand before and after every text.
    first: u32,
    last: u32,
    pool: ThreadPool,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("dimensions", &self.dimensions())
            .field("threads", &self.pool.current_num_threads())
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// Loads `config.json`, `tokenizer.json` and `model.safetensors` from `dir`, with one worker
    /// thread per available core.
    ///
    /// # Errors
    /// Any [`EncoderError`] but [`EncoderError::Text`].
    pub fn load(dir: &Path) -> Result<Self, EncoderError> {
        let cores = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self::load_with_threads(dir, cores)
    }

    /// As [`Encoder::load`], with `threads` worker threads for [`Encoder::embed`].
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load_with_threads(dir: &Path, threads: NonZero<usize>) -> Result<Self, EncoderError> {
        let config = Config::parse(&read(dir, "config.json")?)?;
        let tokenizer = load_tokenizer(&read(dir, "tokenizer.json")?)?;
        let bytes = read(dir, "model.safetensors")?;
        let bert = Bert::load(config, &Weights::parse(&bytes)?)?;
        drop(bytes);
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| EncoderError::Tokenizer(format!("has no {token}")))
        };
        let (first, last) = (id("[CLS]")?, id("[SEP]")?);
        if let Some(id) = tokenizer.get_vocab(true).values().find(|id| !bert.knows(**id)) {
            let fault = format!("id {id} is beyond the model's vocabulary");
            return Err(EncoderError::Tokenizer(fault));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|index| format!("encoder-{index}"))
            .build()
            .map_err(|error| EncoderError::Threads(error.to_string()))?;
        Ok(Encoder { bert, tokenizer, first, last, pool })
    }

    /// The length of every vector: 384 for `all-MiniLM-L6-v2`.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.bert.dimensions()
    }

    /// One vector of length 1 per text, in the order of `texts`, spread over the encoder's own
    /// threads. Blocks until all are done: about 30 ms of one core for a paragraph of 130
    /// wordpieces.
    ///
    /// The empty text has a vector too, one that means nothing.
    ///
    /// # Errors
    /// [`EncoderError::Text`] if the tokenizer fails on any of the texts.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncoderError> {
        self.pool.install(|| {
            let sequences = texts.par_iter().map(|text| self.ids(text)).collect::<Result<Vec<_>, _>>()?;
            let vectors = pack(&sequences, self.pool.current_num_threads())
                .into_par_iter()
                .map(|pack| self.bert.embed(pack))
                .collect::<Vec<_>>();
            Ok(vectors.into_iter().flatten().collect())
        })
    }

    /// As [`Encoder::embed`], but on the calling thread alone: for a query that must not queue
    /// behind a batch of documents on the encoder's threads.
    ///
    /// # Errors
    /// As [`Encoder::embed`].
    pub fn embed_here(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let sequences = texts.iter().map(|text| self.ids(text)).collect::<Result<Vec<_>, _>>()?;
        let packs = pack(&sequences, 1);
        Ok(packs.into_iter().flat_map(|pack| self.bert.embed(pack)).collect())
    }

    /// Cuts `text` into overlapping chunks that each fit the model. See [`Chunk`] for what is
    /// promised. Blocks: about a quarter of a second of one core for each megabyte of text.
    ///
    /// # Errors
    /// [`EncoderError::Text`] if the tokenizer fails.
    pub fn chunk(&self, text: &str) -> Result<Vec<Chunk>, EncoderError> {
        chunk_exactly(&self.tokenizer, text)
    }

    fn ids(&self, text: &str) -> Result<Vec<u32>, EncoderError> {
        let text = &text[..text.floor_char_boundary(MAX_EMBEDDED_BYTES)];
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|_| EncoderError::Text)?;
        let kept = encoding.get_ids().iter().take(MAX_TOKENS - 2);
        let mut ids = vec![self.first];
        ids.extend(kept);
        ids.push(self.last);
        Ok(ids)
    }
}

fn read(dir: &Path, name: &str) -> Result<Vec<u8>, EncoderError> {
    let path = dir.join(name);
    std::fs::read(&path).map_err(|source| EncoderError::Read { path, source })
}

fn load_tokenizer(json: &[u8]) -> Result<Tokenizer, EncoderError> {
    let fault = |error: tokenizers::Error| EncoderError::Tokenizer(error.to_string());
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(fault)?;
    tokenizer.with_truncation(None).map_err(fault)?;
    tokenizer.with_padding(None);
    // A note that spells out "[SEP]" must not end its own sentence inside the model.
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Splits `sequences` into consecutive runs of about [`PACK_TOKENS`] tokens, or of a `threads`-th
/// of all tokens where that is less, so that a small batch still occupies every thread.
fn pack(sequences: &[Vec<u32>], threads: usize) -> Vec<&[Vec<u32>]> {
    let total: usize = sequences.iter().map(Vec::len).sum();
    let target = total.div_ceil(threads.max(1)).min(PACK_TOKENS);
    let mut packs = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (index, sequence) in sequences.iter().enumerate() {
        tokens += sequence.len();
        if tokens >= target {
            packs.push(&sequences[start..=index]);
            (start, tokens) = (index + 1, 0);
        }
    }
    if start < sequences.len() {
        packs.push(&sequences[start..]);
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(lengths: &[usize]) -> Vec<Vec<u32>> {
        lengths.iter().map(|length| vec![7; *length]).collect()
    }

    #[test]
    fn packs_hold_every_sequence_once_and_in_order() {
        let sequences = lengths(&[256, 256, 256, 2, 2, 200, 100, 256, 3]);
        let packs = pack(&sequences, 1);
        assert_eq!(packs.concat(), sequences);
        assert_eq!(packs.iter().map(|pack| pack.len()).collect::<Vec<_>>(), [2, 5, 2]);
    }

    #[test]
    fn a_small_batch_is_shared_between_the_threads() {
        let sequences = lengths(&[100, 100, 100, 100]);
        assert_eq!(pack(&sequences, 4).len(), 4);
        assert_eq!(pack(&sequences, 2).len(), 2);
        assert_eq!(pack(&sequences, 1).len(), 1);
    }

    #[test]
    fn nothing_makes_no_pack() {
        assert!(pack(&[], 3).is_empty());
    }
}
