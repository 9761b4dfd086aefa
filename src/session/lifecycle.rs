//! Derives from a session's state whether it is live or ended, since when, and why.
//!
//! An operator's end takes precedence over every other; a reported end over that of the provider's history; and both over an
//! inferred one, whenever they arrive; of two inferred ends the earlier counts. No clock is needed: whether a live session is *unconfirmed*, and how long it
//! has lasted, depends on `as_of`, an argument.

use chrono::{DateTime, TimeDelta, Utc};

use super::entry::Unlisted;
use super::fold::Session;
use crate::model::session::{EndSource, Flag, Status};

pub fn status(session: &Session, started_at: DateTime<Utc>) -> Status {
    if !is_seen(session) {
        Status::Unseen
    } else if end(session, started_at).is_some() {
        Status::Ended
    } else {
        Status::Live
    }
}

/// Whether callers see the session: a callback of it was accepted, or the provider's history has it.
pub(super) fn is_seen(session: &Session) -> bool {
    has_callback(session) || is_of_history_alone(session)
}

fn has_callback(session: &Session) -> bool {
    session.start_deliveries > 0 || session.end_deliveries > 0
}

fn is_of_history_alone(session: &Session) -> bool {
    !has_callback(session) && session.history_ended_at.is_some() && !session.replaced
}

/// When the session ended, and the source of that end; never before its start. `None` while it is live or unseen.
pub fn end(session: &Session, started_at: DateTime<Utc>) -> Option<(DateTime<Utc>, EndSource)> {
    found_end(session).map(|(ended_at, source)| (ended_at.max(started_at), source))
}

pub fn has_ended(session: &Session) -> bool {
    found_end(session).is_some()
}

/// The end as it was found, possibly before the start.
pub(super) fn found_end(session: &Session) -> Option<(DateTime<Utc>, EndSource)> {
    if !is_seen(session) {
        return None;
    }
    let inferred = [
        session.superseded_at.map(|at| (at, EndSource::Superseded)),
        session.timed_out_at.map(|at| (at, EndSource::TimedOut)),
        session
            .unlisted
            .filter(|unlisted| counts(session, unlisted))
            .map(|unlisted| (unlisted.ended_at, EndSource::Unlisted)),
    ];
    session
        .operator_ended_at
        .map(|at| (at, EndSource::Operator))
        .or(session.end_noticed_at.map(|at| (at, EndSource::Notification)))
        .or(session.history_ended_at.map(|at| (at, EndSource::ProviderHistory)))
        .or(inferred.into_iter().flatten().min_by_key(|(at, _)| *at))
}

/// Whether the session was not confirmed to be live since the provider's list missed it.
fn counts(session: &Session, unlisted: &Unlisted) -> bool {
    session.confirmed_at.is_none_or(|confirmed_at| unlisted.unlisted_at > confirmed_at)
}

/// The anomalies of the session.
pub fn flags(session: &Session, started_at: DateTime<Utc>) -> Vec<Flag> {
    let is_set = |flag: &Flag| match flag {
        Flag::StartMissing => session.end_deliveries > 0 && session.start_deliveries == 0,
        Flag::StartListed => is_of_history_alone(session),
        Flag::EndBeforeStart => session.end_noticed_at.is_some_and(|noticed_at| noticed_at < started_at),
        Flag::KeyConflict => session.key_conflict,
        Flag::QuarantinedMessages => session.quarantined_messages > 0,
        Flag::SharedSignature => session.shared_signature,
    };
    Flag::ALL.iter().copied().filter(is_set).collect()
}

/// Whole seconds that a session has lasted, at `as_of` if it is live; never negative.
pub fn duration_seconds(started_at: DateTime<Utc>, ended_at: Option<DateTime<Utc>>, as_of: DateTime<Utc>) -> i64 {
    (ended_at.unwrap_or(as_of) - started_at).num_seconds().max(0)
}

/// When a session was last known to be live: at its start, or when an operator or the provider's list confirmed it.
pub fn known_live_at(started_at: DateTime<Utc>, confirmed_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    confirmed_at.map_or(started_at, |confirmed_at| confirmed_at.max(started_at))
}

/// Whether a session that is live at `as_of` was last known to be live longer ago than `unconfirmed_after`.
pub fn is_unconfirmed(
    known_live_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    as_of: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
) -> bool {
    ended_at.is_none() && as_of - known_live_at > unconfirmed_after
}
