//! Operations: dead jobs through the API; keys and housekeeping as the command line and the worker run them.

mod housekeeping;
mod jobs;
mod keys;
