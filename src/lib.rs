//! Anamnesis: a backend for clinical records. One GraphQL API, many facilities, on PostgreSQL.
//!
//! A request goes one way: `http -> graphql -> domains/*/service -> repository -> db`. The modules in the
//! order a reader needs them:

pub mod error;
pub mod ids;
pub mod phi;
pub mod text_enum;
pub mod clock;
pub mod pagination;
pub mod npi;
pub mod config;
pub mod access;
pub mod audit;
pub mod crypto;
pub mod db;
pub mod storage;
pub mod domains;
pub mod graphql;
pub mod http;
pub mod jobs;
pub mod embedding;
pub mod extraction;
pub mod provision;
pub mod app;
pub mod demo;
pub mod telemetry;
pub mod cli;
