//! The state of a session, and how an event changes it.
//!
//! [`fold`] is a function of the state and the event alone. For the provider's callbacks, quarantine, releases and
//! inferred ends it is commutative and, except for the counts of deliveries, idempotent, so order, repeats and batch
//! boundaries do not matter. Operators' ends, and confirmations by an operator or by the provider's list, apply in the
//! order of the log. Every other field is therefore a minimum, a count, or the companion of a minimum, except those that record positions and times of the log.
//! Once details are redacted, conflicts with them are no longer detected.

use chrono::{DateTime, SubsecRound, Utc};

use super::address::{self, canonical};
use super::entry::{Details, Entry, Fact, Receipt, Unlisted};
use super::lifecycle;
use super::outcome::{Outcome, Outcomes};

/// The state of one session, folded from its events so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    pub start_received_at: Option<DateTime<Utc>>,
    pub start_deliveries: i32,
    pub end_received_at: Option<DateTime<Utc>>,
    pub end_deliveries: i32,
    /// The earliest whole second by which the end is known to have happened, from the provider's callbacks.
    pub end_noticed_at: Option<DateTime<Utc>>,
    pub superseded_at: Option<DateTime<Utc>>,
    pub timed_out_at: Option<DateTime<Utc>>,
    pub operator_ended_at: Option<DateTime<Utc>>,
    /// When an operator or the provider's list confirmed last that the session is live. A time-out counts only after it.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When the provider's list confirmed it last. A later push of the stream ends the session only if it began after that.
    pub listed_at: Option<DateTime<Utc>>,
    /// The last time that the provider's list missed the push. It counts only after the last confirmation.
    pub unlisted: Option<Unlisted>,
    /// The end by the provider's history.
    pub history_ended_at: Option<DateTime<Utc>>,
    /// The history's push is that of another session. Counts only while no callback of this one was accepted.
    pub replaced: bool,
    pub quarantined_messages: i32,
    /// Two starts came from different addresses: two pushes started in one second.
    pub key_conflict: bool,
    /// An accepted start or end has a signature that another push had used before.
    pub shared_signature: bool,
    /// From the first start received, else from the first end.
    pub details: Details,
    /// The merged addresses of all starts; without a start, those of the first end.
    pub addresses: Addresses,
    pub outcomes: Outcomes,
    /// Position of the first event folded; 0 before it.
    pub first_position: i64,
    /// Position of the last event folded; 0 before the first.
    pub last_position: i64,
    pub last_recorded_at: DateTime<Utc>,
}

/// Addresses in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    pub client: Option<String>,
    pub node: Option<String>,
}

impl Addresses {
    fn of(details: &Details) -> Self {
        let canonical = |text: &Option<String>| text.as_deref().map(|text| canonical(text).into_owned());
        Self { client: canonical(&details.client_ip), node: canonical(&details.node_ip) }
    }

    /// Merges these addresses with others; `None` when they conflict. An absent address conflicts with none.
    fn meet(self, other: Self) -> Option<Self> {
        let both = |one: Option<String>, other: Option<String>| match (one, other) {
            (Some(one), Some(other)) => address::meet(&one, &other).map(Some),
            (one, other) => Some(one.or(other)),
        };
        Some(Self { client: both(self.client, other.client)?, node: both(self.node, other.node)? })
    }
}

/// Folds one event into a session.
///
/// Events of a shard must be folded in the order of their positions.
///
/// # Panics
/// When an event comes twice or out of order: a defect of the reconciler.
pub fn fold(session: &mut Session, entry: &Entry) {
    assert!(entry.position > session.last_position, "events are folded once, in the order of their positions");
    if session.first_position == 0 {
        session.first_position = entry.position;
    }
    session.last_position = entry.position;
    session.last_recorded_at = entry.recorded_at;
    let before = outcome(session);
    apply(session, &entry.fact);
    let after = outcome(session);
    session.outcomes.note(before, after.as_ref(), entry.recorded_at);
}

/// The outcome that reports count; `None` while the session is not seen.
fn outcome(session: &Session) -> Option<Outcome> {
    let rendition_template = || session.details.rendition_template.clone();
    lifecycle::is_seen(session)
        .then(|| Outcome { end: lifecycle::found_end(session), rendition_template: rendition_template() })
}

fn apply(session: &mut Session, fact: &Fact) {
    match fact {
        Fact::Started(receipt) => start(session, receipt),
        Fact::Ended(receipt) => end(session, receipt),
        Fact::Unknown => {}
        Fact::Quarantined => {
            session.quarantined_messages = session.quarantined_messages.saturating_add(1);
        }
        Fact::Released(fact) => {
            session.quarantined_messages -= 1;
            apply(session, fact);
        }
        Fact::Superseded { ended_at } => {
            if session.listed_at.is_none_or(|listed_at| *ended_at > listed_at) {
                keep_earliest(&mut session.superseded_at, *ended_at);
            }
        }
        Fact::TimedOut { ended_at } => {
            if session.confirmed_at.is_none_or(|confirmed_at| *ended_at > confirmed_at) {
                keep_earliest(&mut session.timed_out_at, *ended_at);
            }
        }
        Fact::OperatorEnd { ended_at } => session.operator_ended_at = Some(*ended_at),
        Fact::OperatorEndWithdrawn => session.operator_ended_at = None,
        Fact::OperatorConfirmed { confirmed_at } => confirm(session, *confirmed_at),
        Fact::Listed { listed_at } => list(session, *listed_at),
        Fact::Unlisted(unlisted) => session.unlisted = session.unlisted.max(Some(*unlisted)),
        Fact::History { ended_at } => session.history_ended_at = session.history_ended_at.max(Some(*ended_at)),
        Fact::Replaced => session.replaced = true,
    }
}

/// Clears a time-out that the confirmation contradicts.
fn confirm(session: &mut Session, confirmed_at: DateTime<Utc>) {
    session.confirmed_at = session.confirmed_at.max(Some(confirmed_at));
    session.timed_out_at = session.timed_out_at.filter(|timed_out_at| *timed_out_at > confirmed_at);
}

/// Clears the inferred ends that the provider's list contradicts.
fn list(session: &mut Session, listed_at: DateTime<Utc>) {
    session.listed_at = session.listed_at.max(Some(listed_at));
    session.superseded_at = session.superseded_at.filter(|superseded_at| *superseded_at > listed_at);
    confirm(session, listed_at);
}

fn start(session: &mut Session, receipt: &Receipt) {
    let kept = session.start_received_at.map(|received_at| (received_at, &session.details));
    let is_first = kept.is_none_or(|kept| (receipt.received_at, &receipt.details) < kept);
    let said_by_starts = if kept.is_some() { std::mem::take(&mut session.addresses) } else { Addresses::default() };
    if is_first {
        session.details.clone_from(&receipt.details);
    }
    let together = said_by_starts.meet(Addresses::of(&receipt.details)).filter(|_| !session.key_conflict);
    session.key_conflict = together.is_none();
    session.addresses = match together {
        // A redacted session gets no new personal fields.
        _ if session.details.redacted => Addresses::default(),
        Some(together) => together,
        None => Addresses::of(&session.details),
    };
    session.shared_signature |= receipt.shares_signature;
    keep_earliest(&mut session.start_received_at, receipt.received_at);
    session.start_deliveries = session.start_deliveries.saturating_add(1);
}

fn end(session: &mut Session, receipt: &Receipt) {
    let kept = session.end_received_at.map(|received_at| (received_at, &session.details));
    let is_first_end = kept.is_none_or(|kept| (receipt.received_at, &receipt.details) < kept);
    if session.start_received_at.is_none() && is_first_end {
        session.details.clone_from(&receipt.details);
        session.addresses = Addresses::of(&receipt.details);
    }
    session.shared_signature |= receipt.shares_signature;
    keep_earliest(&mut session.end_received_at, receipt.received_at);
    keep_earliest(&mut session.end_noticed_at, noticed_at(receipt));
    session.end_deliveries = session.end_deliveries.saturating_add(1);
}

/// The end happened before its callback was received, and before its signature expired.
fn noticed_at(receipt: &Receipt) -> DateTime<Utc> {
    let received_at = receipt.received_at.trunc_subsecs(0);
    receipt.signature_expires_at.map_or(received_at, |expires_at| received_at.min(expires_at))
}

fn keep_earliest(kept: &mut Option<DateTime<Utc>>, time: DateTime<Utc>) {
    *kept = Some(kept.map_or(time, |kept| kept.min(time)));
}
