//! Notices: what webhooks tell that no single event of the log says.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::event::QuarantineReason;
use crate::model::webhook::WebhookEventType;
use crate::session::key::lowest_id_since;

/// A notice to write.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNotice {
    pub event_type: WebhookEventType,
    /// Distinguishes notices: one with a key that exists is not written again.
    pub key: String,
    /// `None`: not about a domain.
    pub domain: Option<String>,
    pub data: Value,
}

/// A notice.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeRow {
    pub position: i64,
    pub noticed_at: DateTime<Utc>,
    pub event_type: WebhookEventType,
    pub domain: Option<String>,
    pub data: Value,
}

/// Until the transaction ends, no other writes notices, so their positions follow the order of commits.
pub async fn lock_notices(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("lock table notice in share row exclusive mode").execute(executor).await?;
    Ok(())
}

/// Writes a notice at the next position, unless one with its key exists. The caller must hold [`lock_notices`].
pub async fn insert_notice(
    executor: impl PgExecutor<'_>,
    notice: &NewNotice,
    noticed_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into notice ("position", noticed_at, event_type, key, domain, data)
           select coalesce(max("position"), 0) + 1, $1, $2, $3, $4, $5 from notice
           on conflict (key) do nothing"#,
        noticed_at,
        notice.event_type as _,
        notice.key,
        notice.domain,
        notice.data
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The notices after a position, in order, at most `limit`.
pub async fn list_notices_after(
    executor: impl PgExecutor<'_>,
    position: i64,
    limit: i64,
) -> Result<Vec<NoticeRow>, sqlx::Error> {
    sqlx::query_as!(
        NoticeRow,
        r#"select "position", noticed_at, event_type, domain, data from notice
           where "position" > $1
           order by "position"
           limit $2"#,
        position,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The position of the last notice, or of the last one before a time; 0 if there is none.
pub async fn get_notice_head(executor: impl PgExecutor<'_>, time: Option<DateTime<Utc>>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(max("position"), 0) as "position!" from notice where $1::timestamptz is null or noticed_at < $1"#,
        time
    )
    .fetch_one(executor)
    .await
}

/// Deletes notices before a time, except the last one: the next one's position follows it.
pub async fn delete_notices_before(executor: impl PgExecutor<'_>, time: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"delete from notice where noticed_at < $1 and "position" < (select max("position") from notice)"#,
        time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// A live session that is unconfirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnconfirmedRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub known_live_at: DateTime<Utc>,
}

/// Live sessions that were last known to be live before a time, the oldest first.
pub async fn list_unconfirmed(
    executor: impl PgExecutor<'_>,
    known_live_before: DateTime<Utc>,
) -> Result<Vec<UnconfirmedRow>, sqlx::Error> {
    sqlx::query_as!(
        UnconfirmedRow,
        r#"select shard, session_id, greatest(started_at, confirmed_at) as "known_live_at!"
           from stream_session
           where status = 'live' and session_id < $1 and greatest(started_at, confirmed_at) < $2
           order by session_id"#,
        lowest_id_since(known_live_before),
        known_live_before
    )
    .fetch_all(executor)
    .await
}

/// Of these keys, those of notices.
pub async fn list_noticed(executor: impl PgExecutor<'_>, keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("select key from notice where key = any ($1)", keys).fetch_all(executor).await
}

/// Callbacks of a domain that were quarantined for one reason within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    pub domain: String,
    pub reason: QuarantineReason,
    pub minute: DateTime<Utc>,
    pub callbacks: i64,
    /// The first of them, at most ten.
    pub event_ids: Vec<Uuid>,
}

/// Quarantined callbacks by domain, reason and minute of the period.
pub async fn list_quarantined(
    executor: impl PgExecutor<'_>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<QuarantinedRow>, sqlx::Error> {
    sqlx::query_as!(
        QuarantinedRow,
        r#"select domain, reason as "reason!: QuarantineReason", date_trunc('minute', recorded_at) as "minute!",
               count(*) as "callbacks!", (array_agg(event_id order by recorded_at, event_id))[1:10] as "event_ids!"
           from log_entry
           where disposition = 'quarantined' and recorded_at >= $1 and recorded_at < $2
           group by domain, reason, date_trunc('minute', recorded_at)
           order by 3, 1, 2"#,
        from,
        to
    )
    .fetch_all(executor)
    .await
}

/// A domain that was noticed to be silent, and not to be heard since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticedSilenceRow {
    pub domain: String,
    pub key: String,
    pub noticed_at: DateTime<Utc>,
    /// Of the last push before the silence.
    pub last_started_at: DateTime<Utc>,
}

/// The domains whose last notice says that they are silent.
pub async fn list_noticed_silences(executor: impl PgExecutor<'_>) -> Result<Vec<NoticedSilenceRow>, sqlx::Error> {
    sqlx::query_as!(
        NoticedSilenceRow,
        r#"select domain as "domain!", key, noticed_at, (data ->> 'last_started_at')::timestamptz as "last_started_at!"
           from (
               select distinct on (domain) domain, key, noticed_at, event_type, data from notice
               where event_type in ('domain.silent', 'domain.heard')
               order by domain, "position" desc
           ) last
           where event_type = 'domain.silent'"#
    )
    .fetch_all(executor)
    .await
}
