//! Templates of notes: which fields a form has, and what is filled in.
//!
//! Every facility has the built-in ones (`data/note-templates`) and may add its own. A note refers to one version of a
//! template, and that version never changes: an update makes the next, an archived template is offered no more and still
//! read. What is filled in is kept, encrypted, beside the text it is rendered to, which is what search, signature and
//! reader see. A draft may be incomplete; what is final is not. A template holds nothing of a patient.

mod built_in;
pub mod definition;
pub mod graphql;
pub mod loaders;
pub mod model;
pub mod notes;
mod repository;
pub mod service;
