//! Anamnesis: a backend for clinical records. One GraphQL API, many facilities, on PostgreSQL.
//!
//! A request goes one way: `http -> graphql -> domains/*/service -> repository -> db`. The modules in the
//! order a reader needs them:

pub mod access;
pub mod antivirus;
pub mod app;
mod archive;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod demo;
pub mod domains;
pub mod embedding;
pub mod endpoint;
pub mod error;
pub mod eval;
pub mod events;
pub mod extraction;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod jobs;
pub mod language_model;
pub mod mail;
pub mod metrics;
pub mod npi;
pub mod pagination;
pub mod phi;
pub mod provision;
pub mod reranking;
pub mod storage;
pub mod telemetry;
pub mod text_enum;
pub mod whatsapp;
