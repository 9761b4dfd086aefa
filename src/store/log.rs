//! The event log: appending to it, and reading it for folding.

use std::borrow::Borrow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use crate::session::StreamKey;

/// An entry that is to be appended.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewEntryRow {
    /// The stream's shard.
    pub shard: i16,
    /// The service's clock at receipt.
    pub received_at: DateTime<Utc>,
    /// The entry's id.
    pub event_id: Uuid,
    /// The session that it is about.
    pub session_id: Uuid,
    /// Ingest domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    /// `provider`, `inference` or `operator`.
    pub origin: String,
    /// The provider's word, or one of ours.
    pub event: String,
    /// `accepted`, `quarantined` or `released`.
    pub disposition: String,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// `verified`, `unsigned`, or none for what is not from the provider.
    pub signature: Option<String>,
    /// The key that the signature fits.
    pub key_id: Option<Uuid>,
    /// Unix second at which the signature expires.
    pub auth_timestamp: Option<i64>,
    /// The signature, 32 bytes.
    pub auth_sign: Option<Vec<u8>>,
    /// The signature's first 8 bytes, of an entry that counts by it: it is appended only if the signature was not used
    /// for another session before.
    pub signature_tag: Option<i64>,
    /// The encoder's address, as text.
    pub client_ip: Option<String>,
    /// The receiving node's address, as text.
    pub node_ip: Option<String>,
    /// The address that the message came from.
    pub source_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    /// The template that made this rendition.
    pub rendition_template: Option<String>,
    /// Members that are not known.
    pub extra: Option<Value>,
    /// The end that an inference or an operator finds.
    pub ended_at: Option<DateTime<Utc>>,
    /// The operator.
    pub actor: Option<String>,
    /// The operator's reason.
    pub note: Option<String>,
}

impl NewEntryRow {
    /// An entry of our own about a session, which is not from the provider.
    #[must_use]
    pub fn of_ours(
        shard: i16,
        session_id: Uuid,
        stream: StreamKey,
        publish_timestamp: i64,
        origin: &str,
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
            origin: origin.to_owned(),
            event: event.to_owned(),
            disposition: "accepted".to_owned(),
            reason: None,
            signature: None,
            key_id: None,
            auth_timestamp: None,
            auth_sign: None,
            signature_tag: None,
            client_ip: None,
            node_ip: None,
            source_ip: None,
            user_args: None,
            rendition_template: None,
            extra: None,
            ended_at: None,
            actor: None,
            note: None,
        }
    }
}

/// The push that a signature came with first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstUseRow {
    /// Its session.
    pub session_id: Uuid,
    /// Unix second at which it began.
    pub publish_timestamp: i64,
}

/// An entry that was not appended, because its signature came with another session first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnappendedRow {
    /// Which of the entries.
    pub index: usize,
    /// What its signature came with.
    pub first_use: FirstUseRow,
}

/// Appends entries, giving each the next position of its shard. Gives those that were not appended.
///
/// One statement that commits by itself, so no client can freeze while it holds the head rows. They are taken in
/// ascending order of shards, so that two appends cannot wait for each other, and the clock is read after they are
/// taken, so that `recorded_at` grows with the position. The first uses of signatures are looked for while they are
/// held: of two messages with one signature, the one that comes first in the log has it, whichever process received
/// them. Entries of one call are not held against each other: those with one tag are to be of one session.
///
/// `used_from` is before every first use that matters was recorded; it keeps older months out of the search.
///
/// # Errors
/// Those of the database. After a broken connection, whether the entries are in the log is not known.
///
/// # Panics
/// When a shard has no head row: the entries were made for another installation.
#[expect(clippy::too_many_lines, reason = "one statement, a column a line")]
pub async fn insert_entries(
    executor: impl PgExecutor<'_>,
    entries: &[impl Borrow<NewEntryRow>],
    used_from: DateTime<Utc>,
) -> Result<Vec<UnappendedRow>, sqlx::Error> {
    let entries: &[&NewEntryRow] = &column(entries, Borrow::borrow);
    let rows = sqlx::query!(
        r#"with arriving as (
             select * from unnest(
                 $1::smallint[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                 $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[],
                 $15::bigint[], $16::bytea[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
                 $22::jsonb[], $23::timestamptz[], $24::text[], $25::text[], $26::bigint[], $28::boolean[]
             ) with ordinality as arriving (
                 shard, received_at, event_id, session_id, domain, app, stream,
                 publish_timestamp, origin, event, disposition, reason, signature, key_id,
                 auth_timestamp, auth_sign, client_ip, node_ip, source_ip, user_args, rendition_template,
                 extra, ended_at, actor, note, signature_tag, is_first, ordinal
             )
         ),
         taken as (
             select head.shard, head.recorded_at from shard_head head where head.shard = any ($1)
             order by head.shard for update
         ),
         used as materialized (
             select first_uses.* from (select array_agg(shard) as shards, max(recorded_at) as until from taken) held,
                 first_uses(held.shards, $1, $15, $26, $27, held.until)
         ),
         per_shard as (
             select shard, count(*) as entries from arriving left join used using (ordinal)
             where used.session_id is null or used.session_id = arriving.session_id
             group by shard
         ),
         advanced as (
             update shard_head head
             set position = head.position + per_shard.entries,
                 recorded_at = greatest(head.recorded_at, clock_timestamp())
             from per_shard join taken using (shard)
             where head.shard = per_shard.shard
             returning head.shard, head.position - per_shard.entries as before, head.recorded_at
         ),
         inserted as (
             insert into log_entry (
                 shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream,
                 publish_timestamp, origin, event, disposition, reason, signature, key_id, auth_timestamp, auth_sign,
                 client_ip, node_ip, source_ip, user_args, rendition_template, extra, ended_at, actor, note,
                 signature_tag
             )
             select shard, advanced.before + row_number() over (partition by shard order by ordinal),
                 advanced.recorded_at, received_at, event_id, arriving.session_id, domain, app, stream,
                 arriving.publish_timestamp, origin, event, disposition, reason, signature, key_id, auth_timestamp, auth_sign,
                 client_ip, node_ip, source_ip, user_args, rendition_template, extra, ended_at, actor, note,
                 case when is_first and used.session_id is null then signature_tag end
             from arriving left join used using (ordinal) join advanced using (shard)
             where used.session_id is null or used.session_id = arriving.session_id
             returning 1
         )
         select (select count(*) from inserted) as "inserted!", ordinal as "ordinal?",
             session_id as "session_id?", publish_timestamp as "publish_timestamp?"
         from (values (1)) as always
         left join (
             select ordinal, used.session_id, used.publish_timestamp from used join arriving using (ordinal)
             where used.session_id <> arriving.session_id
         ) late on true"#,
        &column(entries, |entry| entry.shard),
        &column(entries, |entry| entry.received_at),
        &column(entries, |entry| entry.event_id),
        &column(entries, |entry| entry.session_id),
        &column(entries, |entry| entry.domain.as_str()) as _,
        &column(entries, |entry| entry.app.as_str()) as _,
        &column(entries, |entry| entry.stream.as_str()) as _,
        &column(entries, |entry| entry.publish_timestamp),
        &column(entries, |entry| entry.origin.as_str()) as _,
        &column(entries, |entry| entry.event.as_str()) as _,
        &column(entries, |entry| entry.disposition.as_str()) as _,
        &column(entries, |entry| entry.reason.as_deref()) as _,
        &column(entries, |entry| entry.signature.as_deref()) as _,
        &column(entries, |entry| entry.key_id) as _,
        &column(entries, |entry| entry.auth_timestamp) as _,
        &column(entries, |entry| entry.auth_sign.as_deref()) as _,
        &column(entries, |entry| entry.client_ip.as_deref()) as _,
        &column(entries, |entry| entry.node_ip.as_deref()) as _,
        &column(entries, |entry| entry.source_ip.as_deref()) as _,
        &column(entries, |entry| entry.user_args.as_deref()) as _,
        &column(entries, |entry| entry.rendition_template.as_deref()) as _,
        &column(entries, |entry| entry.extra.as_ref()) as _,
        &column(entries, |entry| entry.ended_at) as _,
        &column(entries, |entry| entry.actor.as_deref()) as _,
        &column(entries, |entry| entry.note.as_deref()) as _,
        &column(entries, |entry| entry.signature_tag) as _,
        used_from,
        &first_of_their_tags(entries)
    )
    .fetch_all(executor)
    .await?;
    let inserted = rows.first().and_then(|row| usize::try_from(row.inserted).ok()).unwrap_or_default();
    let unappended: Vec<_> = rows
        .into_iter()
        .filter_map(|row| {
            let index = usize::try_from(row.ordinal?).ok()?.checked_sub(1)?;
            let (session_id, publish_timestamp) = (row.session_id?, row.publish_timestamp?);
            Some(UnappendedRow { index, first_use: FirstUseRow { session_id, publish_timestamp } })
        })
        .collect();
    assert_eq!(inserted + unappended.len(), entries.len(), "every entry's shard has a head row");
    Ok(unappended)
}

/// For each entry, whether no earlier one of these has its tag: only the first use of a signature is kept as such, so
/// that one entry is found however often a message is repeated.
fn first_of_their_tags(entries: &[&NewEntryRow]) -> Vec<bool> {
    let mut seen = HashSet::new();
    entries.iter().map(|entry| entry.signature_tag.is_some_and(|tag| seen.insert(tag))).collect()
}

/// What folding needs of an entry.
#[derive(Debug, Clone)]
pub struct EntryRow {
    /// Its position in the shard.
    pub position: i64,
    /// When it was appended.
    pub recorded_at: DateTime<Utc>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The session that it is about.
    pub session_id: Uuid,
    /// Ingest domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Unix seconds.
    pub publish_timestamp: i64,
    /// Who says it.
    pub origin: String,
    /// What they say.
    pub event: String,
    /// Whether it counts.
    pub disposition: String,
    /// How it was signed.
    pub signature: Option<String>,
    /// When its signature expires, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    /// The encoder's address.
    pub client_ip: Option<String>,
    /// The receiving node's address.
    pub node_ip: Option<String>,
    /// Query string of the push URL, masked.
    pub user_args: Option<String>,
    /// Addresses or `user_args` were there, and are no longer kept.
    pub blanked: bool,
    /// The template that made this rendition.
    pub rendition_template: Option<String>,
    /// The end that an inference or an operator finds.
    pub ended_at: Option<DateTime<Utc>>,
    /// Of a release: what the quarantined entry said.
    pub original_event: Option<String>,
    /// Of a release: when the quarantined message arrived.
    pub original_received_at: Option<DateTime<Utc>>,
}

/// The entries of a shard after a position, in order, at most `limit`.
///
/// `recorded_from` is when the entry at `after_position` was recorded: it keeps older months out of the search.
///
/// # Errors
/// Those of the database.
pub async fn list_entries_after(
    executor: impl PgExecutor<'_>,
    shard: i16,
    after_position: i64,
    recorded_from: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as!(
        EntryRow,
        "select position, recorded_at, received_at, session_id, domain, app, stream, publish_timestamp, origin, event,
                disposition, signature, auth_timestamp, client_ip, node_ip, user_args, blanked, rendition_template,
                ended_at, original_event, original_received_at
         from log_entry
         where shard = $1 and position > $2 and recorded_at >= $3
         order by position
         limit $4",
        shard,
        after_position,
        recorded_from,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The entries of some sessions that were recorded up to a moment, by session and position.
///
/// # Errors
/// Those of the database.
pub async fn list_entries_of_sessions(
    executor: impl PgExecutor<'_>,
    session_ids: &[Uuid],
    recorded_to: DateTime<Utc>,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as!(
        EntryRow,
        "select position, recorded_at, received_at, session_id, domain, app, stream, publish_timestamp, origin, event,
                disposition, signature, auth_timestamp, client_ip, node_ip, user_args, blanked, rendition_template,
                ended_at, original_event, original_received_at
         from log_entry
         where session_id = any ($1) and recorded_at <= $2
         order by session_id, position",
        session_ids,
        recorded_to
    )
    .fetch_all(executor)
    .await
}

/// What a signature came with first, if it was accepted before, for those who only ask.
///
/// # Errors
/// Those of the database.
pub async fn get_first_use(
    executor: impl PgExecutor<'_>,
    shard: i16,
    auth_timestamp: i64,
    signature_tag: i64,
) -> Result<Option<FirstUseRow>, sqlx::Error> {
    sqlx::query_as!(
        FirstUseRow,
        r#"select session_id as "session_id!", publish_timestamp as "publish_timestamp!"
           from first_uses(array [$1::smallint], array [$1::smallint], array [$2::bigint], array [$3::bigint],
                           '-infinity', 'infinity')"#,
        shard,
        auth_timestamp,
        signature_tag
    )
    .fetch_optional(executor)
    .await
}
