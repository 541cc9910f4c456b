//! Conversations themselves: begun, listed, changed, put away.

mod repository;
mod sealing;
pub mod service;

pub(in crate::domains::chat) use repository::Locked;
