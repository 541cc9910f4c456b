//! What is said in a conversation.

pub mod change;
mod emoji;
pub mod parts;
mod repository;
mod sealing;
pub mod service;
