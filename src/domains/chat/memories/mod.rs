//! What an assistant is to keep in mind when it answers somebody: facts its user has told it to remember, each with how
//! much it counts and how fast that fades.
//!
//! Invariants: a memory is its user's alone, by the database's own policy, and of one assistant; it is encrypted; none is
//! made but by its user's own word, and no model writes any; what is deleted is gone.

mod repository;
pub mod service;

use chrono::{DateTime, Utc};

use crate::ids::{AgentId, MemoryId};
use crate::phi::Phi;

/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

/// Something to be kept in mind.
#[derive(Debug, Clone)]
pub struct Memory {
    pub id: MemoryId,
    pub agent: AgentId,
    pub fact: Phi<String>,
    /// How much it counted when it was new, 0 to 1.
    pub importance: f64,
    pub half_life_days: i32,
    pub created_at: DateTime<Utc>,
}

impl Memory {
    /// How much it counts at an instant: half of its importance after each half-life.
    #[must_use]
    pub fn strength(&self, now: DateTime<Utc>) -> f64 {
        // Whole seconds are exact in a double for some hundred million years.
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds is far below 2^52")]
        let days = (now - self.created_at).num_seconds().max(0) as f64 / DAY_SECONDS;
        self.importance * (-days / f64::from(self.half_life_days)).exp2()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::ids::new_id;

    #[test]
    fn a_memory_counts_half_after_each_half_life() {
        let made: DateTime<Utc> = "2026-03-09T14:00:00Z".parse().unwrap();
        let memory = Memory {
            id: new_id(),
            agent: new_id(),
            fact: "Short answers".into(),
            importance: 0.8,
            half_life_days: 10,
            created_at: made,
        };
        for (days, strength) in [(-1, 0.8), (0, 0.8), (10, 0.4), (20, 0.2), (5, 0.8 / 2f64.sqrt())] {
            let counted = memory.strength(made + TimeDelta::days(days));
            assert!((counted - strength).abs() < 1e-12, "{days}: {counted}");
        }
    }
}
