//! Converts sessions to and from their rows.

use uuid::Uuid;

use crate::model::session::Status;
use crate::session::entry::Details;
use crate::session::fold::Addresses;
use crate::session::key::started_at;
use crate::session::lifecycle;
use crate::session::outcome::{EarlierOutcome, Outcomes};
use crate::session::{Session, SessionId, SessionKey, StreamId, StreamKey, Unlisted};
use crate::store::log::EntryRow;
use crate::store::outcome::EarlierOutcomeRow;
use crate::store::session::SessionRow;
use crate::store::stream::StreamNameRow;

/// A session to fold events into.
#[derive(Clone)]
pub struct LoadedSession {
    shard: i16,
    session_id: Uuid,
    stream_id: Uuid,
    key: SessionKey,
    /// What the row said; `None` while there is none.
    status_before: Option<Status>,
    pub state: Session,
}

/// A session that has no events yet.
///
/// # Panics
/// When the event's session id does not follow from its key: a defect of the code that appended it.
pub fn begin(entry: &EntryRow) -> LoadedSession {
    let stream = StreamKey { domain: entry.domain.clone(), app: entry.app.clone(), stream: entry.stream.clone() };
    let key = SessionKey { stream, publish_timestamp: entry.publish_timestamp };
    let SessionId(session_id) = key.id();
    assert_eq!(session_id, entry.session_id, "an event's session id follows from its key");
    let StreamId(stream_id) = key.stream.id();
    LoadedSession { shard: entry.shard, session_id, stream_id, key, status_before: None, state: Session::default() }
}

pub fn load(row: SessionRow) -> LoadedSession {
    let stream = StreamKey { domain: row.domain, app: row.app, stream: row.stream };
    LoadedSession {
        shard: row.shard,
        session_id: row.session_id,
        stream_id: row.stream_id,
        key: SessionKey { stream, publish_timestamp: row.publish_timestamp },
        status_before: Some(row.status),
        state: Session {
            start_received_at: row.start_received_at,
            start_deliveries: row.start_deliveries,
            end_received_at: row.end_received_at,
            end_deliveries: row.end_deliveries,
            end_noticed_at: row.end_noticed_at,
            superseded_at: row.superseded_at,
            timed_out_at: row.timed_out_at,
            operator_ended_at: row.operator_ended_at,
            confirmed_at: row.confirmed_at,
            listed_at: row.listed_at,
            unlisted: row
                .unlisted_at
                .zip(row.unlisted_ended_at)
                .map(|(unlisted_at, ended_at)| Unlisted { unlisted_at, ended_at }),
            history_ended_at: row.history_ended_at,
            replaced: row.replaced,
            quarantined_messages: row.quarantined_messages,
            key_conflict: row.key_conflict,
            shared_signature: row.shared_signature,
            addresses: Addresses {
                client: row.client_address.or_else(|| row.client_ip.clone()),
                node: row.node_address.or_else(|| row.node_ip.clone()),
            },
            details: Details {
                client_ip: row.client_ip,
                node_ip: row.node_ip,
                user_args: row.user_args,
                rendition_template: row.rendition_template,
                redacted: row.blanked,
            },
            outcomes: Outcomes {
                seen_at: row.seen_at,
                outcome_at: row.outcome_at,
                revised: row.revised,
                earlier: Vec::new(),
            },
            first_position: row.first_position,
            last_position: row.last_position,
            last_recorded_at: row.last_recorded_at,
        },
    }
}

/// The rows that folding writes.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows of sessions that have another status now, and are among the inserted ones.
    pub deleted_sessions: Vec<(i16, Uuid, Status)>,
    pub inserted_sessions: Vec<SessionRow>,
    /// Sessions whose row keeps its status.
    pub updated_sessions: Vec<SessionRow>,
    pub new_streams: Vec<StreamNameRow>,
    /// Former outcomes that are kept for reports with an earlier `as_of`.
    pub earlier_outcomes: Vec<EarlierOutcomeRow>,
}

/// Converts folded sessions to the rows to write.
pub fn store(touched: impl Iterator<Item = LoadedSession>) -> Written {
    let mut written = Written::default();
    for mut session in touched {
        let status_before = session.status_before;
        let earlier = std::mem::take(&mut session.state.outcomes.earlier);
        let row = row_of(session);
        if matches!(status_before, None | Some(Status::Unseen)) && row.status != Status::Unseen {
            written.new_streams.push(StreamNameRow {
                shard: row.shard,
                stream_id: row.stream_id,
                domain: row.domain.clone(),
                app: row.app.clone(),
                stream: row.stream.clone(),
            });
        }
        written.earlier_outcomes.extend(earlier.into_iter().map(|earlier| earlier_row(&row, earlier)));
        if status_before == Some(row.status) {
            written.updated_sessions.push(row);
        } else {
            let deleted = status_before.map(|status| (row.shard, row.session_id, status));
            written.deleted_sessions.extend(deleted);
            written.inserted_sessions.push(row);
        }
    }
    // Neighbors in an index are inserted one after the other, which takes half as long for names.
    written.inserted_sessions.sort_unstable_by_key(|session| session.session_id);
    written.new_streams.sort_unstable_by(|one, other| {
        (&one.domain, &one.app, &one.stream).cmp(&(&other.domain, &other.app, &other.stream))
    });
    written
}

fn earlier_row(session: &SessionRow, earlier: EarlierOutcome) -> EarlierOutcomeRow {
    let EarlierOutcome { known_from, known_until, outcome } = earlier;
    EarlierOutcomeRow {
        shard: session.shard,
        session_id: session.session_id,
        known_from,
        known_until,
        started_at: session.started_at,
        ended_at: outcome.end.map(|(ended_at, _)| ended_at.max(session.started_at)),
        ended_at_source: outcome.end.map(|(_, source)| source),
        rendition_template: outcome.rendition_template,
    }
}

pub fn row_of(session: LoadedSession) -> SessionRow {
    let LoadedSession { shard, session_id, stream_id, key, status_before: _, state } = session;
    let StreamKey { domain, app, stream } = key.stream;
    let started_at = started_at(key.publish_timestamp);
    let end = lifecycle::end(&state, started_at);
    SessionRow {
        shard,
        session_id,
        stream_id,
        domain,
        app,
        stream,
        publish_timestamp: key.publish_timestamp,
        started_at,
        status: lifecycle::status(&state, started_at),
        ended_at: end.map(|(ended_at, _)| ended_at),
        ended_at_source: end.map(|(_, source)| source),
        flags: lifecycle::flags(&state, started_at),
        start_received_at: state.start_received_at,
        start_deliveries: state.start_deliveries,
        end_received_at: state.end_received_at,
        end_deliveries: state.end_deliveries,
        end_noticed_at: state.end_noticed_at,
        superseded_at: state.superseded_at,
        timed_out_at: state.timed_out_at,
        operator_ended_at: state.operator_ended_at,
        confirmed_at: state.confirmed_at,
        listed_at: state.listed_at,
        unlisted_at: state.unlisted.map(|unlisted| unlisted.unlisted_at),
        unlisted_ended_at: state.unlisted.map(|unlisted| unlisted.ended_at),
        history_ended_at: state.history_ended_at,
        replaced: state.replaced,
        quarantined_messages: state.quarantined_messages,
        key_conflict: state.key_conflict,
        shared_signature: state.shared_signature,
        client_address: state.addresses.client.filter(|address| state.details.client_ip.as_ref() != Some(address)),
        node_address: state.addresses.node.filter(|address| state.details.node_ip.as_ref() != Some(address)),
        client_ip: state.details.client_ip,
        node_ip: state.details.node_ip,
        user_args: state.details.user_args,
        blanked: state.details.redacted,
        rendition_template: state.details.rendition_template,
        seen_at: state.outcomes.seen_at,
        outcome_at: state.outcomes.outcome_at,
        revised: state.outcomes.revised,
        first_position: state.first_position,
        last_position: state.last_position,
        last_recorded_at: state.last_recorded_at,
    }
}
