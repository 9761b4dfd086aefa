//! Rejected messages, counted.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::column;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;

/// The rejected messages of one claimed domain, cause and minute.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectionRow {
    pub minute_at: DateTime<Utc>,
    /// The domain that they claim; empty when they are counted with others.
    pub claimed_domain: String,
    pub cause: RejectionReason,
    pub count: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// The first of them, credentials masked.
    pub sample: Value,
}

/// Adds counts to those that are there; the sample that was first stays.
pub async fn upsert_rejections(executor: impl PgExecutor<'_>, rows: &[RejectionRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rejection as known (minute_at, claimed_domain, cause, count, first_at, last_at, sample)
         select * from unnest(
             $1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::jsonb[])
         on conflict (minute_at, claimed_domain, cause) do update set
             count = known.count + excluded.count,
             first_at = least(known.first_at, excluded.first_at),
             last_at = greatest(known.last_at, excluded.last_at)",
        &column(rows, |row| row.minute_at),
        &column(rows, |row| row.claimed_domain.as_str()) as _,
        &column(rows, |row| row.cause.as_str()) as _,
        &column(rows, |row| row.count),
        &column(rows, |row| row.first_at),
        &column(rows, |row| row.last_at),
        &column(rows, |row| &row.sample) as _,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes the counts of minutes before `oldest`, and the oldest ones while there are more than `most`.
pub async fn delete_old_rejections(
    executor: impl PgExecutor<'_>,
    oldest: DateTime<Utc>,
    most: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from rejection
         where minute_at < $1
            or minute_at <= (select minute_at from rejection order by minute_at desc offset $2 limit 1)",
        oldest,
        most
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Counts that fit, newest minute first, after a place in that order (minute, claimed domain, cause), at most `limit`.
pub async fn list_rejections(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &RejectionFilter,
    after: Option<&(DateTime<Utc>, String, RejectionReason)>,
    limit: i64,
) -> Result<Vec<RejectionRow>, sqlx::Error> {
    sqlx::query_as!(
        RejectionRow,
        "select minute_at, claimed_domain, cause, count, first_at, last_at, sample
         from rejection
         where ($1::text[] is null or claimed_domain = any ($1))
           and ($2::text is null or claimed_domain = $2)
           and ($3::text is null or cause = $3)
           and ($4::timestamptz is null or last_at >= $4)
           and ($5::timestamptz is null or first_at < $5)
           and ($6::timestamptz is null or (minute_at, claimed_domain, cause) < ($6, $7, $8))
         order by minute_at desc, claimed_domain desc, cause desc
         limit $9",
        visible_domains,
        filter.domain,
        filter.cause.map(RejectionReason::as_str),
        filter.from,
        filter.to,
        after.map(|(minute_at, _, _)| minute_at),
        after.map(|(_, domain, _)| domain),
        after.map(|(_, _, cause)| cause.as_str()),
        limit
    )
    .fetch_all(executor)
    .await
}

/// The counts since a moment of each claimed domain and cause, the latest first, at most `limit`: `minute_at` and the
/// sample are of the newest minute.
pub async fn sum_rejections(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<RejectionRow>, sqlx::Error> {
    sqlx::query_as!(
        RejectionRow,
        r#"select max(minute_at) as "minute_at!", claimed_domain, cause, sum(count)::bigint as "count!",
                min(first_at) as "first_at!", max(last_at) as "last_at!",
                (array_agg(sample order by minute_at desc))[1] as "sample!"
         from rejection
         where minute_at >= $2 and ($1::text[] is null or claimed_domain = any ($1))
         group by claimed_domain, cause
         order by max(last_at) desc, claimed_domain, cause
         limit $3"#,
        visible_domains,
        since,
        limit
    )
    .fetch_all(executor)
    .await
}
