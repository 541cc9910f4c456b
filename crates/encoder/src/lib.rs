//! Sentence vectors and text chunks for search by meaning, and cells of vectors, computed on this machine.
//!
//! The model is a BERT encoder with mean pooling and L2 normalisation, as `all-MiniLM-L6-v2` is:
//! a folder with `config.json`, `tokenizer.json` and `model.safetensors` goes in, vectors of
//! [`Encoder::dimensions`] floats come out. No machine-learning framework is involved; a forward
//! pass is a dozen matrix products per layer, and those come from the `gemm` crate.
//!
//! Why a crate of its own: unoptimised, these loops are tens of times slower, so a development
//! build has to compile this crate and its arithmetic dependencies at `opt-level = 3`, while the
//! product that uses it must stay quick to compile. Cargo sets optimisation per package, hence the
//! package. The workspace's `[profile.dev.package]` sections hold the settings: `opt-level = 3` for
//! this crate, `gemm`, `gemm-common` and `gemm-f32`, the latter three also without debug assertions
//! and overflow checks, which took a third of the time. A development build then computes as fast
//! as a release build.
//!
//! Invariants:
//! - A vector depends on its text alone, not on the texts it is batched with, up to rounding in
//!   the last bits.
//! - Text beyond [`MAX_TOKENS`] wordpieces does not influence a vector. [`Encoder::chunk`] gives
//!   pieces that fit.
//! - No error of this crate carries any of the text it was given.
//!
//! What it does not do: download a model (the folder is expected to be complete and verified),
//! keep a queue, cache, or know about async. Callers on an async runtime use a thread of their own.

mod bert;
pub mod cells;
mod chunk;
mod encoder;
mod math;
mod weights;

pub use chunk::{Chunk, MAX_CHUNK_TOKENS, OVERLAP_TOKENS, chunk_approximately};
pub use encoder::{Encoder, EncoderError, MAX_TOKENS};
