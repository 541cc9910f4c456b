//! A conversation as one archive, for whoever takes part in it.
//!
//! A ZIP with what was said for people (`conversation.txt`) and for programs (`messages.jsonl`, a message a line, with what it
//! said before it was edited), an index (`index.json`) and the SHA-256 of each (`checksums.sha256`, as `sha256sum -c` reads
//! it). Nothing is stored: it is made as it is fetched, some messages at a time, through a short-lived link. Documents that were
//! shared are named by their ids; they are fetched as documents are.
//!
//! Invariants: it holds the messages there were when it was begun, all of them or it breaks off; whoever is taken out of the
//! conversation meanwhile gets no more of it; that it was fetched is on record before its first byte is sent.

pub mod service;
mod transcript;
