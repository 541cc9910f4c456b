//! Questions of a patient's record, answered from its passages alone.
//!
//! Invariants: without a passage there is no answer; a sentence without a passage that is named for it, with a number
//! that none of these has, or with a token that nothing stands behind, is left out; what identifies a person is replaced
//! by tokens before anything leaves the process, as far as it can be told (`tokens`), and put back in the answer; passages of
//! documents labelled 42 CFR Part 2 are never sent; the
//! question, the passages and the answer reach no log and no audit row, which says which passages were sent and to what
//! model. Without a model, or when it does not answer, there are the passages.

mod graphql;
mod prompt;
mod service;
mod tokens;

pub use graphql::DocumentAskQuery;
pub use prompt::is_held;
pub use service::known;
pub use tokens::{Kind, Known, Tokens};
