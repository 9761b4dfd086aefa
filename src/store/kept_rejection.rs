//! Rejected callbacks that are kept so that they can be admitted later.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;

/// A rejected callback as it was received.
#[derive(Clone)]
pub struct KeptRejectionRow {
    pub received_at: DateTime<Utc>,
    pub rejection_id: Uuid,
    /// Empty if the body names no domain.
    pub claimed_domain: String,
    pub cause: RejectionReason,
    /// SHA-256 of the secret part of the path that it was sent to.
    pub callback_token_hash: Option<Vec<u8>>,
    pub source_ip: Option<String>,
    pub sealed_body: Vec<u8>,
    /// What the row takes on disk, approximately.
    pub bytes: i32,
}

/// A kept rejection without its body.
#[derive(Debug, Clone)]
pub struct KeptSummaryRow {
    pub received_at: DateTime<Utc>,
    pub rejection_id: Uuid,
    /// Empty if the body names no domain.
    pub claimed_domain: String,
    pub cause: RejectionReason,
    pub source_ip: Option<String>,
}

impl KeptRejectionRow {
    pub fn summary(&self) -> KeptSummaryRow {
        KeptSummaryRow {
            received_at: self.received_at,
            rejection_id: self.rejection_id,
            claimed_domain: self.claimed_domain.clone(),
            cause: self.cause,
            source_ip: self.source_ip.clone(),
        }
    }
}

/// The place of a kept rejection in their order.
pub type Place = (DateTime<Utc>, Uuid);

pub async fn insert_kept_rejections(
    executor: impl PgExecutor<'_>,
    rows: &[KeptRejectionRow],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into kept_rejection (
             received_at, rejection_id, claimed_domain, cause, callback_token_hash, source_ip, sealed_body, bytes)
         select * from unnest(
             $1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[], $8::integer[])",
        &column(rows, |row| row.received_at),
        &column(rows, |row| row.rejection_id),
        &column(rows, |row| row.claimed_domain.as_str()) as _,
        &column(rows, |row| row.cause.as_str()) as _,
        &column(rows, |row| row.callback_token_hash.as_deref()) as _,
        &column(rows, |row| row.source_ip.as_deref()) as _,
        &column(rows, |row| row.sealed_body.as_slice()) as _,
        &column(rows, |row| row.bytes),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// How much a claimed domain has.
#[derive(Debug, Clone)]
pub struct KeptUsageRow {
    pub claimed_domain: String,
    pub callbacks: i64,
    pub bytes: i64,
}

/// What is kept, by claimed domain.
pub async fn list_kept_usage(executor: impl PgExecutor<'_>) -> Result<Vec<KeptUsageRow>, sqlx::Error> {
    sqlx::query_as!(
        KeptUsageRow,
        r#"select claimed_domain, count(*) as "callbacks!", sum(bytes)::bigint as "bytes!"
           from kept_rejection group by claimed_domain"#
    )
    .fetch_all(executor)
    .await
}

/// Deletes what was received before a time.
pub async fn delete_kept_before(executor: impl PgExecutor<'_>, oldest: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from kept_rejection where received_at < $1", oldest).execute(executor).await?;
    Ok(())
}

/// The kept rejections that match, in the order of their receipt, after a place, at most `limit`.
pub async fn list_kept_rejections(
    executor: impl PgExecutor<'_>,
    filter: &RejectionFilter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<KeptRejectionRow>, sqlx::Error> {
    let (after_at, after_id) = after.unzip();
    sqlx::query_as!(
        KeptRejectionRow,
        "select received_at, rejection_id, claimed_domain, cause, callback_token_hash, source_ip, sealed_body, bytes
         from kept_rejection
         where ($1::text is null or claimed_domain = $1)
           and ($2::text is null or cause = $2)
           and received_at >= coalesce($3::timestamptz, '-infinity') and received_at < coalesce($4::timestamptz, 'infinity')
           and (received_at, rejection_id) > (coalesce($5::timestamptz, '-infinity'), coalesce($6::uuid, '00000000-0000-0000-0000-000000000000'))
         order by received_at, rejection_id
         limit $7",
        filter.domain,
        filter.cause.map(RejectionReason::as_str),
        filter.from,
        filter.to,
        after_at,
        after_id,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Those that match, newest first, before a place, at most `limit`.
pub async fn list_newest_kept_rejections(
    executor: impl PgExecutor<'_>,
    filter: &RejectionFilter,
    before: Option<Place>,
    limit: i64,
) -> Result<Vec<KeptSummaryRow>, sqlx::Error> {
    let (before_at, before_id) = before.unzip();
    sqlx::query_as!(
        KeptSummaryRow,
        "select received_at, rejection_id, claimed_domain, cause, source_ip
         from kept_rejection
         where ($1::text is null or claimed_domain = $1)
           and ($2::text is null or cause = $2)
           and received_at >= coalesce($3::timestamptz, '-infinity') and received_at < coalesce($4::timestamptz, 'infinity')
           and (received_at, rejection_id) < (coalesce($5::timestamptz, 'infinity'), coalesce($6::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
         order by received_at desc, rejection_id desc
         limit $7",
        filter.domain,
        filter.cause.map(RejectionReason::as_str),
        filter.from,
        filter.to,
        before_at,
        before_id,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Reads all of them: few need one by its id, and an index would cost each a write.
pub async fn get_kept_rejection(
    executor: impl PgExecutor<'_>,
    rejection_id: Uuid,
) -> Result<Option<KeptRejectionRow>, sqlx::Error> {
    sqlx::query_as!(
        KeptRejectionRow,
        "select received_at, rejection_id, claimed_domain, cause, callback_token_hash, source_ip, sealed_body, bytes
         from kept_rejection where rejection_id = $1",
        rejection_id
    )
    .fetch_optional(executor)
    .await
}

pub async fn delete_kept_rejections(executor: impl PgExecutor<'_>, places: &[Place]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from kept_rejection kept
         using unnest($1::timestamptz[], $2::uuid[]) as gone (received_at, rejection_id)
         where kept.received_at = gone.received_at and kept.rejection_id = gone.rejection_id",
        &column(places, |(received_at, _)| *received_at),
        &column(places, |(_, rejection_id)| *rejection_id),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Waits for the lock of retries, and holds it until the connection closes.
pub async fn lock_retries(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_lock(hashtext('streamtally: retry of rejections'))").execute(executor).await?;
    Ok(())
}
