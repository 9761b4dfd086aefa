//! The event log: appends events, and reads them for folding.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use super::fold::ProgressRow;
use crate::model::event::{AlteredMember, Disposition, Origin, QuarantineReason, Signature};
use crate::session::StreamKey;

/// An event to append; mirrors the database's composite type field by field.
#[derive(Clone, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "new_entry")]
pub struct NewEntryRow {
    pub shard: i16,
    pub received_at: DateTime<Utc>,
    pub event_id: Uuid,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub origin: Origin,
    pub event: String,
    pub disposition: Disposition,
    pub reason: Option<QuarantineReason>,
    /// `None` unless the provider sent it.
    pub signature: Option<Signature>,
    pub key_id: Option<Uuid>,
    /// Unix second at which the signature expires.
    pub auth_timestamp: Option<i64>,
    /// The signature, 32 bytes.
    pub auth_sign: Option<Vec<u8>>,
    /// The first 8 bytes of the signature of an accepted event. It is appended only if no session other than
    /// `signature_shared_with` has used the signature before.
    pub signature_tag: Option<i64>,
    /// The session that used the signature first, if this event is accepted nevertheless.
    pub signature_shared_with: Option<Uuid>,
    /// The encoder's address, as text.
    pub client_ip: Option<String>,
    /// The receiving node's address, as text.
    pub node_ip: Option<String>,
    pub source_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    pub rendition_template: Option<String>,
    pub extra: Option<Value>,
    /// The unsigned members that were changed when they were stored.
    pub altered: Option<Vec<AlteredMember>>,
    /// The callback was rejected when it arrived, kept, and admitted later.
    #[serde(default)]
    pub retried: bool,
    pub ended_at: Option<DateTime<Utc>>,
    pub actor: Option<String>,
    pub note: Option<String>,
}

impl NewEntryRow {
    pub fn stream_key(&self) -> StreamKey {
        StreamKey { domain: self.domain.clone(), app: self.app.clone(), stream: self.stream.clone() }
    }

    /// An event that the service itself appends about a session.
    pub fn internal(
        shard: i16,
        session_id: Uuid,
        stream: StreamKey,
        publish_timestamp: i64,
        origin: Origin,
        event: &str,
        received_at: DateTime<Utc>,
    ) -> Self {
        Self {
            shard,
            received_at,
            event_id: Uuid::new_v4(),
            session_id,
            domain: stream.domain,
            app: stream.app,
            stream: stream.stream,
            publish_timestamp,
            origin,
            event: event.to_owned(),
            disposition: Disposition::Accepted,
            reason: None,
            signature: None,
            key_id: None,
            auth_timestamp: None,
            auth_sign: None,
            signature_tag: None,
            signature_shared_with: None,
            client_ip: None,
            node_ip: None,
            source_ip: None,
            user_args: None,
            rendition_template: None,
            extra: None,
            altered: None,
            retried: false,
            ended_at: None,
            actor: None,
            note: None,
        }
    }
}

/// A session that uses a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureUseRow {
    pub signature_tag: i64,
    pub session_id: Uuid,
    /// Unix second at which its push began.
    pub publish_timestamp: i64,
    /// When its first callback with that signature arrived.
    pub received_at: DateTime<Utc>,
}

/// Appends events, each at the next position of its shard. If other sessions have used their signatures, and the events
/// do not share these, appends none and returns these uses.
///
/// This is one statement that commits by itself, so no client can stall while it holds the head rows. Uses of
/// signatures are looked up while the rows are locked: of two callbacks with one signature, the one that comes first in
/// the log has it, whichever process received them. The events of one call are not compared with each other: those with
/// the same tag must belong to one session.
///
/// `used_from` is a time before every relevant use was recorded; it excludes older months from the search.
///
/// # Errors
/// Those of the database; among them a shard without a head row, when the events were created for another installation.
/// After a broken connection, it is unknown whether the events are in the log.
pub async fn insert_entries(
    executor: impl PgExecutor<'_>,
    entries: &[impl Borrow<NewEntryRow>],
    used_from: DateTime<Utc>,
) -> Result<Vec<SignatureUseRow>, sqlx::Error> {
    let entries: &[&NewEntryRow] = &column(entries, Borrow::borrow);
    let Positions { shards, counts, slots, ranks } = places_of(entries);
    sqlx::query_as!(
        SignatureUseRow,
        r#"select signature_tag as "signature_tag!", session_id as "session_id!",
               publish_timestamp as "publish_timestamp!", received_at as "received_at!"
           from append_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           where signature_tag is not null"#,
        shards.first().copied().unwrap_or_default(),
        &shards,
        &counts,
        &slots,
        &ranks,
        &column(entries, |entry| entry.shard),
        &column(entries, |entry| entry.auth_timestamp) as _,
        &first_of_their_tags(entries) as _,
        entries as _,
        used_from
    )
    .fetch_all(executor)
    .await
}

/// The positions of new events. `shards` are in ascending order, and `counts` are their numbers of events. Each event
/// has its 1-based index in `shards` (`slots`) and its 1-based number within its shard (`ranks`).
struct Positions {
    shards: Vec<i16>,
    counts: Vec<i32>,
    slots: Vec<i32>,
    ranks: Vec<i32>,
}

fn places_of(entries: &[&NewEntryRow]) -> Positions {
    let mut counts: BTreeMap<i16, i32> = BTreeMap::new();
    let mut ranks = Vec::with_capacity(entries.len());
    for entry in entries {
        let count = counts.entry(entry.shard).or_default();
        *count += 1;
        ranks.push(*count);
    }
    let slots: HashMap<i16, i32> = counts.keys().copied().zip(1..).collect();
    let slots = column(entries, |entry| slots.get(&entry.shard).copied().unwrap_or_default());
    let (shards, counts) = counts.into_iter().unzip();
    Positions { shards, counts, slots, ranks }
}

/// The tag of each event, or `None` if an earlier event of the batch has it: only the first use of a signature is
/// stored, so a lookup finds one event however often a callback is repeated.
fn first_of_their_tags(entries: &[&NewEntryRow]) -> Vec<Option<i64>> {
    let mut seen = HashSet::new();
    entries.iter().map(|entry| entry.signature_tag.filter(|tag| seen.insert(*tag))).collect()
}

/// The fields of an event that folding needs.
#[derive(Debug, Clone)]
pub struct EntryRow {
    pub shard: i16,
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub session_id: Uuid,
    pub domain: String,
    pub app: String,
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    pub origin: Origin,
    pub event: String,
    pub disposition: Disposition,
    pub signature: Option<Signature>,
    /// When its signature expires, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    /// The session that used the signature first, if this event is accepted nevertheless.
    pub signature_shared_with: Option<Uuid>,
    pub client_ip: Option<String>,
    pub node_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    /// Addresses or `user_args` existed, and are redacted.
    pub blanked: bool,
    pub rendition_template: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    pub original_event: Option<String>,
    /// For a release: when the quarantined callback arrived.
    pub original_received_at: Option<DateTime<Utc>>,
}

/// The events of shards after their folded positions, ordered by shard and position, at most `limit` of each shard.
///
/// The recorded time of the last folded event excludes older months from the search.
pub async fn list_entries_after(
    executor: impl PgExecutor<'_>,
    folded: &[ProgressRow],
    limit: i64,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as!(
        EntryRow,
        "select entry.*
         from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as folded (shard, position, recorded_at)
         cross join lateral (
             select shard, position, recorded_at, received_at, session_id, domain, app, stream, publish_timestamp, origin,
                 event, disposition, signature, auth_timestamp, signature_shared_with, client_ip, node_ip, user_args, blanked,
                 rendition_template, ended_at, original_event, original_received_at
             from log_entry entry
             where entry.shard = folded.shard and entry.shard = any ($1) and entry.position > folded.position
               and entry.recorded_at >= folded.recorded_at
             order by entry.position
             limit $4
         ) entry
         order by entry.shard, entry.position",
        &column(folded, |folded| folded.shard),
        &column(folded, |folded| folded.position),
        &column(folded, |folded| folded.recorded_at),
        limit
    )
    .fetch_all(executor)
    .await
}

/// Which of these events are in the log; each is given by its shard, session and id, and was recorded at `since` or later.
pub async fn list_logged_ids(
    executor: impl PgExecutor<'_>,
    entries: &[&NewEntryRow],
    since: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select event_id from log_entry
         where shard = any ($1) and session_id = any ($2) and event_id = any ($3) and recorded_at >= $4",
        &column(entries, |entry| entry.shard),
        &column(entries, |entry| entry.session_id),
        &column(entries, |entry| entry.event_id),
        since
    )
    .fetch_all(executor)
    .await
}

/// The events of a session after a position, in order.
pub async fn list_session_entries_after(
    executor: impl PgExecutor<'_>,
    shard: i16,
    session_id: Uuid,
    position: i64,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as!(
        EntryRow,
        "select shard, position, recorded_at, received_at, session_id, domain, app, stream, publish_timestamp, origin,
                event, disposition, signature, auth_timestamp, signature_shared_with, client_ip, node_ip, user_args, blanked,
                rendition_template, ended_at, original_event, original_received_at
         from log_entry
         where shard = $1 and session_id = $2 and position > $3
         order by position",
        shard,
        session_id,
        position
    )
    .fetch_all(executor)
    .await
}

/// All events of sessions that the log still has, ordered by shard, session and position.
pub async fn list_entries_of_sessions(
    executor: impl PgExecutor<'_>,
    sessions: &[(i16, Uuid)],
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as!(
        EntryRow,
        "select shard, position, recorded_at, received_at, session_id, domain, app, stream, publish_timestamp, origin,
                event, disposition, signature, auth_timestamp, signature_shared_with, client_ip, node_ip, user_args, blanked,
                rendition_template, ended_at, original_event, original_received_at
         from log_entry
         where shard = any ($1) and session_id = any ($2)
         order by shard, session_id, position",
        &column(sessions, |(shard, _)| *shard),
        &column(sessions, |(_, session_id)| *session_id)
    )
    .fetch_all(executor)
    .await
}

/// The sessions that use a signature; reads without appending.
pub async fn list_signature_uses(
    executor: impl PgExecutor<'_>,
    shard: i16,
    auth_timestamp: i64,
    signature_tag: i64,
) -> Result<Vec<SignatureUseRow>, sqlx::Error> {
    sqlx::query_as!(
        SignatureUseRow,
        r#"select signature_tag as "signature_tag!", session_id, publish_timestamp,
               coalesce(original_received_at, received_at) as "received_at!"
           from log_entry
           where shard = $1 and auth_timestamp = $2 and signature_tag = $3"#,
        shard,
        auth_timestamp,
        signature_tag
    )
    .fetch_all(executor)
    .await
}
