//! What is said in a conversation.

pub mod answers;
pub mod ask;
pub mod change;
mod emoji;
pub mod parts;
pub(in crate::domains::chat) mod received;
mod repository;
mod sealing;
pub mod service;
