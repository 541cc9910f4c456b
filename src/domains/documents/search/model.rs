//! What is searched for and what is found.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::ids::{ChunkId, DocumentId, PatientId, UserId, VisitId};
use crate::pagination::Page;
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// How documents are searched.
    DocumentSearchMode {
        /// By meaning and by words, the two rankings fused.
        Hybrid = "hybrid",
        /// By meaning: finds what says the same in other words.
        Semantic = "semantic",
        /// By words in their English stems, clinical synonyms and slips of the pen allowed for, the rarer the better
        /// (BM25).
        Lexical = "lexical",
        /// As hybrid, the best 50 then put in order by a cross-encoder, where the server has one.
        Reranked = "reranked",
    }
}

/// Which documents are searched. What is left out holds for every document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub patient: Option<PatientId>,
    /// Empty for all the actor may read.
    pub kinds: Vec<DocumentKind>,
    /// First day of `document_date`.
    pub from: Option<NaiveDate>,
    /// Last day of `document_date`.
    pub to: Option<NaiveDate>,
    /// Empty for all.
    pub authors: Vec<UserId>,
    /// As BCP 47 language subtags; empty for all, also where the language is not known.
    pub languages: Vec<String>,
    /// All of these; empty for labelled and not.
    pub labels: Vec<DocumentLabel>,
    /// Of this visit.
    pub visit: Option<VisitId>,
    /// Within this one alone.
    pub document: Option<DocumentId>,
}

impl Filter {
    /// Whether it leaves every document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { patient, kinds, from, to, authors, languages, labels, visit, document } = self;
        let lists = kinds.is_empty() && authors.is_empty() && languages.is_empty() && labels.is_empty();
        lists && patient.is_none() && from.is_none() && to.is_none() && visit.is_none() && document.is_none()
    }
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    pub query: Phi<String>,
    pub mode: DocumentSearchMode,
    pub filter: Filter,
}

impl Search {
    /// A search of everything.
    #[must_use]
    pub fn new(query: Phi<String>, mode: DocumentSearchMode) -> Self {
        Self { query, mode, filter: Filter::default() }
    }
}

/// A stretch of a passage, in Unicode scalar values; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub start: usize,
    pub end: usize,
}

/// A word of a passage that the query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub place: Stretch,
    /// Whether its sentence says that it is not so.
    pub negated: bool,
}

/// A box on a page, in ten-thousandths of its width and height, from the upper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub left: i16,
    pub top: i16,
    pub right: i16,
    pub bottom: i16,
}

/// A passage found.
#[derive(Debug, Clone)]
pub struct Hit {
    pub chunk: ChunkId,
    pub document: DocumentId,
    /// Whom its document is about.
    pub patients: Vec<PatientId>,
    /// 0 to 1; comparable within one search only.
    pub score: f64,
    /// From 1; `None` when it is not among the candidates by meaning.
    pub semantic_rank: Option<i32>,
    /// From 1; `None` when it is not among the candidates by words.
    pub lexical_rank: Option<i32>,
    pub text: Phi<String>,
    /// From 1; `None` for text without pages.
    pub page: Option<i32>,
    /// 0, 1, 2 in the document.
    pub position: i32,
    pub start_char: i32,
    pub end_char: i32,
    /// Where it stands on its page; `None` for text that was not read from a picture.
    pub place: Option<Place>,
    /// Words of the passage that the query has too.
    pub highlights: Vec<Mark>,
    /// Whether its document is labelled 42 CFR Part 2: such a passage is sent to no other party.
    pub part2: bool,
}

impl Hit {
    /// Whether the passage has words of the query, and denies all of them.
    #[must_use]
    pub fn negated(&self) -> bool {
        !self.highlights.is_empty() && self.highlights.iter().all(|mark| mark.negated)
    }
}

/// A page of what was found, and the documents of all that can be paged through.
#[derive(Debug, Clone)]
pub struct Found {
    pub page: Page<Hit>,
    pub documents: Vec<DocumentId>,
    /// Whether a cross-encoder has put the first of them in order.
    pub reranked: bool,
}

/// How many documents of a result are of each kind, and of each month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// The most frequent first.
    pub kinds: Vec<(DocumentKind, i64)>,
    /// By the first day of the month, the newest first.
    pub months: Vec<(NaiveDate, i64)>,
}
