//! What was known of a session at each `as_of` since its first event.
//!
//! A report has an `as_of`, and must always give the same result. It counts a session's [`Outcome`], which is valid
//! from the time the event that caused it was recorded until the event that changed it was recorded. Nearly every
//! session is first live and then ended: two times represent these two outcomes. Any other earlier outcome is stored
//! separately, once it is no longer valid.

use chrono::{DateTime, Utc};

use crate::model::session::EndSource;

/// What reports count of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When the session ended, and the source of that end; `None` while it is live.
    pub end: Option<(DateTime<Utc>, EndSource)>,
    /// The template that created this rendition; `None` for a source stream.
    pub rendition_template: Option<String>,
}

/// An outcome that is no longer valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierOutcome {
    pub known_from: DateTime<Utc>,
    /// The end of its validity, exclusive.
    pub known_until: DateTime<Utc>,
    pub outcome: Outcome,
}

/// When the current outcome became valid, and which were valid before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// When the event was recorded since which the session is seen; `None` while it is not.
    pub seen_at: Option<DateTime<Utc>>,
    /// When the event that caused the current outcome was recorded.
    pub outcome_at: Option<DateTime<Utc>>,
    /// Before `outcome_at` it was not simply live: earlier outcomes are stored separately.
    pub revised: bool,
    pub earlier: Vec<EarlierOutcome>,
}

impl Outcomes {
    /// Records the effect of an event on the outcome.
    pub(super) fn note(&mut self, before: Option<Outcome>, after: Option<&Outcome>, recorded_at: DateTime<Utc>) {
        match (before, after) {
            (None, Some(_)) => {
                self.seen_at = Some(recorded_at);
                self.outcome_at = Some(recorded_at);
            }
            (Some(before), Some(after)) if before != *after => self.replace(before, after, recorded_at),
            (Some(before), None) => self.withdraw(before, recorded_at),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn replace(&mut self, before: Outcome, after: &Outcome, recorded_at: DateTime<Utc>) {
        let just_ends = before.end.is_none() && before.rendition_template == after.rendition_template;
        if self.revised || !just_ends {
            self.keep_all(before, recorded_at);
            self.revised = true;
        }
        self.outcome_at = Some(recorded_at);
    }

    /// The session is no longer seen; it may be seen again.
    fn withdraw(&mut self, before: Outcome, recorded_at: DateTime<Utc>) {
        self.keep_all(before, recorded_at);
        (self.seen_at, self.outcome_at, self.revised) = (None, None, false);
    }

    /// Keeps the outcomes that are not kept yet.
    fn keep_all(&mut self, last: Outcome, recorded_at: DateTime<Utc>) {
        let (Some(seen_at), Some(outcome_at)) = (self.seen_at, self.outcome_at) else {
            unreachable!("a session with an outcome has been seen");
        };
        if !self.revised {
            let live = Outcome { end: None, ..last.clone() };
            self.keep(seen_at, outcome_at, live);
        }
        self.keep(outcome_at, recorded_at, last);
    }

    /// Events that were appended together have the same recorded time: an outcome that one of them replaces was never
    /// valid.
    fn keep(&mut self, known_from: DateTime<Utc>, known_until: DateTime<Utc>, outcome: Outcome) {
        if known_from < known_until {
            self.earlier.push(EarlierOutcome { known_from, known_until, outcome });
        }
    }
}
