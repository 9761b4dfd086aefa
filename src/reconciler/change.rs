//! What each event of the log changed of a session, as callers see it.
//!
//! A function of the session's events alone, so it gives the same answer however often it is asked.

use chrono::{DateTime, Utc};

use super::entry::entry_of;
use super::row::{self, LoadedSession};
use crate::model::event::{Disposition, Origin};
use crate::model::session::{EndSource, Flag, Status};
use crate::model::webhook::CorrectionReason;
use crate::session::fold;
use crate::store::log::EntryRow;
use crate::store::session::SessionRow;

/// A change of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionChange {
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    /// What kind of event changed it.
    pub reason: CorrectionReason,
    /// `None` when it was not seen before.
    pub before: Option<SessionRow>,
    /// As before when it is withdrawn.
    pub after: SessionRow,
    /// Whether it is no longer seen.
    pub withdrawn: bool,
    /// Whether it had ended at any time since it was seen.
    pub had_ended: bool,
}

/// The changes of a session by its events after a position. `entries` are all of its events, in the order of their
/// positions.
pub fn list_changes(entries: Vec<EntryRow>, after: i64) -> Vec<SessionChange> {
    let mut changes = Vec::new();
    let mut entries = entries.into_iter().peekable();
    let Some(mut session) = entries.peek().map(row::begin) else { return changes };
    let mut before = None;
    let mut had_ended = false;
    for entry in entries {
        let (position, recorded_at, reason) = (entry.position, entry.recorded_at, reason_of(&entry));
        fold(&mut session.state, &entry_of(entry));
        let row = seen(&session);
        if position > after && before.as_ref().map(visible) != row.as_ref().map(visible) {
            let withdrawn = row.is_none();
            if let Some(after) = row.clone().or_else(|| before.clone()) {
                changes.push(SessionChange { position, recorded_at, reason, before, after, withdrawn, had_ended });
            }
        }
        // One that is no longer seen starts over.
        had_ended = row.as_ref().is_some_and(|row| had_ended || row.status == Status::Ended);
        before = row;
    }
    changes
}

/// The row of a session; `None` while it is not seen.
fn seen(session: &LoadedSession) -> Option<SessionRow> {
    let row = row::row_of(session.clone());
    match row.status {
        Status::Unseen => None,
        Status::Live | Status::Ended => Some(row),
    }
}

/// The columns whose change makes an event. A repeat changes none of them.
type Visible<'a> = (Option<DateTime<Utc>>, Option<EndSource>, Option<DateTime<Utc>>, Option<&'a str>, &'a [Flag]);

fn visible(row: &SessionRow) -> Visible<'_> {
    (row.ended_at, row.ended_at_source, row.confirmed_at, row.rendition_template.as_deref(), &row.flags)
}

fn reason_of(entry: &EntryRow) -> CorrectionReason {
    match (entry.disposition, entry.origin) {
        (Disposition::Released, _) => CorrectionReason::Release,
        (Disposition::Accepted | Disposition::Quarantined, Origin::Provider) => CorrectionReason::Callback,
        (Disposition::Accepted | Disposition::Quarantined, Origin::Inference) => CorrectionReason::Inference,
        (Disposition::Accepted | Disposition::Quarantined, Origin::Operator) => CorrectionReason::Operator,
        (Disposition::Accepted | Disposition::Quarantined, Origin::Poll) => CorrectionReason::ProviderList,
    }
}
