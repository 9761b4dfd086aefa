//! What could be told of a session at each moment since the log first spoke of it.
//!
//! Reports are of a moment, and must give the same for ever. What they count by is a session's [`Outcome`]; it holds from
//! when the entry was recorded that made it so, until when the next one was that changed it. Nearly every session is live
//! first, and ended from some moment on: those two are told by two times. Whatever else an outcome was before is kept
//! apart, once it no longer holds.

use chrono::{DateTime, Utc};

use crate::model::session::EndSource;

/// What seconds are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When the session ended, and who says so; `None` while it is live.
    pub end: Option<(DateTime<Utc>, EndSource)>,
    /// The template that made this rendition; `None` for a source stream.
    pub rendition_template: Option<String>,
}

/// An outcome that holds no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierOutcome {
    pub known_from: DateTime<Utc>,
    /// Until when it held, exclusive.
    pub known_until: DateTime<Utc>,
    pub outcome: Outcome,
}

/// Since when the outcome is what it is, and what it was before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// When the first message that counts was recorded; `None` before that.
    pub seen_at: Option<DateTime<Utc>>,
    /// When the entry was recorded that made the outcome what it is.
    pub outcome_at: Option<DateTime<Utc>>,
    /// Before `outcome_at` it was not just live: what it was is kept apart.
    pub revised: bool,
    pub earlier: Vec<EarlierOutcome>,
}

impl Outcomes {
    /// Notes what an entry has made of the outcome.
    pub(super) fn note(&mut self, before: Option<Outcome>, after: Option<&Outcome>, recorded_at: DateTime<Utc>) {
        match (before, after) {
            (None, Some(_)) => {
                self.seen_at = Some(recorded_at);
                self.outcome_at = Some(recorded_at);
            }
            (Some(before), Some(after)) if before != *after => self.replace(before, after, recorded_at),
            _ => {}
        }
    }

    fn replace(&mut self, before: Outcome, after: &Outcome, recorded_at: DateTime<Utc>) {
        let (Some(seen_at), Some(outcome_at)) = (self.seen_at, self.outcome_at) else {
            unreachable!("a session with an outcome has been seen");
        };
        let just_ends = before.end.is_none() && before.rendition_template == after.rendition_template;
        if self.revised || !just_ends {
            if !self.revised {
                let live = Outcome { end: None, ..before.clone() };
                self.keep(seen_at, outcome_at, live);
            }
            self.revised = true;
            self.keep(outcome_at, recorded_at, before);
        }
        self.outcome_at = Some(recorded_at);
    }

    /// Entries that were appended together are recorded at one moment: what one of them replaces never held.
    fn keep(&mut self, known_from: DateTime<Utc>, known_until: DateTime<Utc>, outcome: Outcome) {
        if known_from < known_until {
            self.earlier.push(EarlierOutcome { known_from, known_until, outcome });
        }
    }
}
