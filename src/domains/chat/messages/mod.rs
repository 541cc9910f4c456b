//! What is said in a conversation.

mod repository;
mod sealing;
pub mod service;
