//! Counts of rejected callbacks.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::column;
use super::stream::NameSearch;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;

/// The rejected callbacks of one claimed domain, reason and minute.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectionRow {
    pub minute_at: DateTime<Utc>,
    /// The domain that they claim; empty when several domains are counted together.
    pub claimed_domain: String,
    pub cause: RejectionReason,
    pub count: i64,
    /// How many of them were kept.
    pub kept: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// The first of them, with masked credentials.
    pub sample: Value,
}

/// Adds to existing counts; the first sample stays.
pub async fn upsert_rejections(executor: impl PgExecutor<'_>, rows: &[RejectionRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rejection as known (minute_at, claimed_domain, cause, count, kept, first_at, last_at, sample)
         select * from unnest(
             $1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
             $8::jsonb[])
         on conflict (minute_at, claimed_domain, cause) do update set
             count = known.count + excluded.count,
             kept = known.kept + excluded.kept,
             first_at = least(known.first_at, excluded.first_at),
             last_at = greatest(known.last_at, excluded.last_at)",
        &column(rows, |row| row.minute_at),
        &column(rows, |row| row.claimed_domain.as_str()) as _,
        &column(rows, |row| row.cause.as_str()) as _,
        &column(rows, |row| row.count),
        &column(rows, |row| row.kept),
        &column(rows, |row| row.first_at),
        &column(rows, |row| row.last_at),
        &column(rows, |row| &row.sample) as _,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes the counts of minutes before `oldest`, and the oldest minutes while more than `most` rows exist.
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

/// The counts that match, newest minute first, after a cursor (minute, claimed domain, reason), at most `limit`.
pub async fn list_rejections(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    filter: &RejectionFilter,
    after: Option<&(DateTime<Utc>, String, RejectionReason)>,
    limit: i64,
) -> Result<Vec<RejectionRow>, sqlx::Error> {
    sqlx::query_as!(
        RejectionRow,
        "select minute_at, claimed_domain, cause, count, kept, first_at, last_at, sample
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

/// The rejected callbacks of one claimed domain and reason in the last day.
#[derive(Debug, Clone)]
pub struct RejectionGroupRow {
    /// Empty for callbacks without a domain, and for further unregistered domains.
    pub claimed_domain: String,
    pub cause: RejectionReason,
    /// Whether the claimed domain is registered now.
    pub is_registered: bool,
    pub count: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// One of the newest minute, with masked credentials.
    pub sample: Value,
    /// The hours with rejected callbacks, counted back from now; 0 is the last hour.
    pub hours_ago: Vec<i32>,
    /// The number in each of these hours.
    pub hourly: Vec<i64>,
}

/// The rejected callbacks of the 24 hours before `now` for each claimed domain and reason; those of registered domains
/// first, each most recent first, at most `limit`.
pub async fn list_rejection_groups(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    domain: Option<&str>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<RejectionGroupRow>, sqlx::Error> {
    sqlx::query_as!(
        RejectionGroupRow,
        r#"select claimed_domain, cause, sum(count)::bigint as "count!", min(first_at) as "first_at!",
                max(last_at) as "last_at!", claimed_domain in (select domain from ingest_domain) as "is_registered!",
                (array_agg(sample order by hour_ago))[1] as "sample!",
                array_agg(hour_ago order by hour_ago) as "hours_ago!", array_agg(count order by hour_ago) as "hourly!"
         from (
             select claimed_domain, cause, greatest(floor(extract(epoch from $3::timestamptz - minute_at) / 3600)::int, 0) as hour_ago,
                 sum(count)::bigint as count, min(first_at) as first_at, max(last_at) as last_at,
                 (array_agg(sample order by minute_at desc))[1] as sample
             from rejection
             where minute_at > $3::timestamptz - interval '24 hours'
               and ($1::text[] is null or claimed_domain = any ($1))
               and ($2::text is null or claimed_domain = $2)
             group by 1, 2, 3
         ) hourly
         group by claimed_domain, cause
         order by claimed_domain in (select domain from ingest_domain) desc, max(last_at) desc, claimed_domain, cause
         limit $4"#,
        visible_domains,
        domain,
        now,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The number of callbacks rejected in the minutes that begin at a time or later.
pub async fn count_rejected(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    domain: Option<&str>,
    since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(count), 0)::bigint as "count!"
         from rejection
         where minute_at >= $3 and ($1::text[] is null or claimed_domain = any ($1))
           and ($2::text is null or claimed_domain = $2)"#,
        visible_domains,
        domain,
        since
    )
    .fetch_one(executor)
    .await
}

/// How many claimed domains and reasons have rejected callbacks.
#[derive(Debug, Clone, Copy)]
pub struct RejectionGroupCounts {
    pub of_registered: i64,
    pub of_unregistered: i64,
}

/// Counts the groups of [`list_rejection_groups`].
pub async fn count_rejection_groups(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<RejectionGroupCounts, sqlx::Error> {
    sqlx::query_as!(
        RejectionGroupCounts,
        r#"select count(*) filter (where claimed_domain in (select domain from ingest_domain)) as "of_registered!",
                count(*) filter (where claimed_domain not in (select domain from ingest_domain)) as "of_unregistered!"
         from (
             select distinct claimed_domain, cause
             from rejection
             where minute_at > $2::timestamptz - interval '24 hours' and ($1::text[] is null or claimed_domain = any ($1))
         ) groups"#,
        visible_domains,
        now
    )
    .fetch_one(executor)
    .await
}

/// A stream that rejected callbacks named, by their samples.
#[derive(Debug, Clone)]
pub struct RejectedStreamRow {
    pub claimed_domain: String,
    pub app: String,
    pub stream: String,
    pub cause: RejectionReason,
    /// When the newest of these samples arrived.
    pub sampled_at: DateTime<Utc>,
}

/// The streams that samples name and that match, most recent first, at most `limit`. Reads all counts, which are
/// limited.
pub async fn find_rejected_streams(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    search: &NameSearch,
    limit: i64,
) -> Result<Vec<RejectedStreamRow>, sqlx::Error> {
    let url = search.url.as_ref();
    sqlx::query_as!(
        RejectedStreamRow,
        r#"select claimed_domain, app as "app!", stream as "stream!", cause as "cause: RejectionReason",
             max(first_at) as "sampled_at!"
         from (
             select claimed_domain, cause, first_at, sample ->> 'app' as app, sample ->> 'stream' as stream
             from rejection
             where $1::text[] is null or claimed_domain = any ($1)
         ) sampled
         where app is not null and stream is not null
           and ((claimed_domain || '/' || app || '/' || stream) ilike all ($2) or (app = $3 and stream = any ($4)))
         group by claimed_domain, app, stream, cause
         order by max(first_at) desc, claimed_domain, app, stream, cause
         limit $5"#,
        visible_domains,
        &search.patterns,
        url.map(|url| url.app.as_str()),
        url.map(|url| url.streams.as_slice()),
        limit
    )
    .fetch_all(executor)
    .await
}
