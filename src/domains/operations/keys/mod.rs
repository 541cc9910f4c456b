//! Keys of facilities: rotation under a new data key, wrapping under a new master key, destruction.
//!
//! Invariants: at every instant each node can read what any node writes; a key is removed only when no column of
//! any table is encrypted under it and no transaction that might still write with it is open; every step is a
//! transaction that can be repeated, so a rotation that was killed goes on where it stood. Blind indexes are
//! untouched: their key is not rotated. Files are untouched: their keys are columns.
//!
//! It works on ciphertext of every domain's tables by itself: a rotation is no deed of a domain, and leaving
//! one column out would lose it.

mod columns;
mod rotate;
mod shred;

use std::convert::Infallible;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{Action, RequestContext, Tx};
use crate::error::{Error, Result, Stop};

pub use columns::sealed_columns;
pub use rotate::{Pace, Rotated, rewrap, rotate_data, under_retired_master};
pub use shred::shred;

/// One audited transaction of the system, which no rule of a domain refuses.
async fn write<T, F, W>(ctx: &RequestContext, action: &'static Action, work: F) -> Result<T>
where
    T: Serialize + DeserializeOwned + Send + Sync,
    F: FnOnce(Tx) -> W + Send,
    W: Future<Output = Result<T>> + Send,
{
    let outcome = ctx.write(action).run(|tx| async move { work(tx).await.map_err(Stop::<Infallible>::Error) }).await;
    outcome.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("a refusal that cannot be"),
    })
}
