//! What is known of the work on a document.

use chrono::{DateTime, Utc};

use crate::ids::{DocumentId, UserId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// A folder of work.
    DocumentInboxFolder {
        /// About no patient yet.
        Unassigned = "unassigned",
        /// Uploaded, and nobody has said that it was looked at.
        NeedsReview = "needs_review",
        /// Could not be read.
        Failed = "failed",
        /// A virus was found in it.
        Quarantined = "quarantined",
        /// Given to the caller, and not looked at yet.
        Mine = "mine",
    }
}

text_enum! {
    /// Whether somebody must still look at a document.
    DocumentReviewState {
        /// Nobody has.
        Needed = "needed",
        /// Somebody has.
        Done = "done",
    }
}

text_enum! {
    /// By which rule a document is kept. What the rule says is the facility's; nothing is deleted by itself.
    DocumentRetentionClass {
        /// Insurance, consent, correspondence.
        Administrative = "administrative",
        /// The record of care.
        Clinical = "clinical",
        /// The record of care of a minor, kept until some years after they come of age.
        Minor = "minor",
        /// Never to be destroyed.
        Permanent = "permanent",
    }
}

/// The work on a document.
#[derive(Debug, Clone)]
pub struct Work {
    pub document: DocumentId,
    /// `None` for what never waited for a review: notes, and what came in before there was one.
    pub review_state: Option<DocumentReviewState>,
    pub reviewed_by: Option<UserId>,
    pub reviewed_at: Option<DateTime<Utc>>,
    pub assignee: Option<UserId>,
    pub assigned_at: Option<DateTime<Utc>>,
    pub retention: DocumentRetentionClass,
    pub on_hold: bool,
    /// 0 while nothing was ever said about it.
    pub version: i32,
}

/// Documents in each folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub unassigned: i64,
    pub needs_review: i64,
    pub failed: i64,
    pub quarantined: i64,
    pub mine: i64,
}

/// A legal hold, decrypted.
#[derive(Debug, Clone)]
pub struct Hold {
    pub document: DocumentId,
    pub reason: Phi<String>,
    pub placed_by: UserId,
    pub placed_at: DateTime<Utc>,
    pub release_reason: Option<Phi<String>>,
    pub released_by: Option<UserId>,
    pub released_at: Option<DateTime<Utc>>,
}
