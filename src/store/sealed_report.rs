//! Sealed reports: stored byte for byte.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::report::SealedReportStatus;

/// A sealed report without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedReportRow {
    pub sealed_report_id: Uuid,
    pub status: SealedReportStatus,
    pub sealed_at: DateTime<Utc>,
    pub as_of: DateTime<Utc>,
    pub actor: String,
    /// The domains that the caller could access; `None`: all.
    pub visible_domains: Option<Vec<String>>,
    pub parameters: Value,
    /// Totals of the whole report. Like the fields below, set when the report is sealed.
    pub totals: Option<Value>,
    pub row_count: Option<i64>,
    pub byte_count: Option<i64>,
    /// SHA-256 of the report's bytes.
    pub sha256: Option<Vec<u8>>,
}

/// The properties of a report that are known once all of it is written.
#[derive(Debug, Clone)]
pub struct SealedContentRow {
    pub totals: Value,
    pub row_count: i64,
    pub byte_count: i64,
    /// SHA-256 of the report's bytes.
    pub sha256: Vec<u8>,
}

/// A report that is about to be written.
#[derive(Debug, Clone)]
pub struct NewSealedReportRow {
    pub sealed_report_id: Uuid,
    pub sealed_at: DateTime<Utc>,
    pub as_of: DateTime<Utc>,
    pub actor: String,
    /// The domains that the caller may access; `None`: all.
    pub visible_domains: Option<Vec<String>>,
    pub parameters: Value,
}

/// Inserts a report that is about to be written.
pub async fn insert_sealed_report(
    executor: impl PgExecutor<'_>,
    report: &NewSealedReportRow,
) -> Result<SealedReportRow, sqlx::Error> {
    sqlx::query_as!(
        SealedReportRow,
        r#"insert into sealed_report (
             sealed_report_id, status, sealed_at, renewed_at, as_of, actor, visible_domains, parameters
         ) values ($1, 'sealing', $2, now(), $3, $4, $5, $6)
         returning sealed_report_id, status as "status: SealedReportStatus", sealed_at, as_of, actor, visible_domains,
             parameters, totals, row_count, byte_count, sha256"#,
        report.sealed_report_id,
        report.sealed_at,
        report.as_of,
        report.actor,
        report.visible_domains.as_deref(),
        report.parameters,
    )
    .fetch_one(executor)
    .await
}

/// Renews the lease of a report that is being written. False when the report was abandoned.
pub async fn renew_sealing(executor: impl PgExecutor<'_>, sealed_report_id: Uuid) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query!(
        "update sealed_report set renewed_at = now() where sealed_report_id = $1 and status = 'sealing'",
        sealed_report_id
    )
    .execute(executor)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Inserts a part of a report's bytes. False when the report was abandoned.
pub async fn insert_part(
    executor: impl PgExecutor<'_>,
    sealed_report_id: Uuid,
    number: i32,
    content: &[u8],
) -> Result<bool, sqlx::Error> {
    // The lock prevents a new part while another process abandons the report.
    let inserted = sqlx::query!(
        "insert into sealed_report_part (sealed_report_id, number, content)
         select sealed_report_id, $2, $3 from sealed_report where sealed_report_id = $1 and status = 'sealing' for share",
        sealed_report_id,
        number,
        content
    )
    .execute(executor)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Completes a report that has all its parts. `None` when the report was abandoned.
pub async fn update_sealed(
    executor: impl PgExecutor<'_>,
    sealed_report_id: Uuid,
    content: &SealedContentRow,
) -> Result<Option<SealedReportRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedReportRow,
        r#"update sealed_report set status = 'sealed', totals = $2, row_count = $3, byte_count = $4, sha256 = $5
         where sealed_report_id = $1 and status = 'sealing'
         returning sealed_report_id, status as "status: SealedReportStatus", sealed_at, as_of, actor, visible_domains,
             parameters, totals, row_count, byte_count, sha256"#,
        sealed_report_id,
        content.totals,
        content.row_count,
        content.byte_count,
        content.sha256
    )
    .fetch_optional(executor)
    .await
}

/// Marks a report that is being written as failed. Call [`delete_parts`] next.
pub async fn fail_sealing(executor: impl PgExecutor<'_>, sealed_report_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sealed_report set status = 'failed' where sealed_report_id = $1 and status = 'sealing'",
        sealed_report_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Marks reports as failed whose lease was not renewed for this long, and returns their ids. Call [`delete_parts`]
/// next.
pub async fn fail_abandoned(executor: impl PgExecutor<'_>, seconds: f64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "update sealed_report set status = 'failed'
         where status = 'sealing' and renewed_at < now() - make_interval(secs => $1)
         returning sealed_report_id",
        seconds
    )
    .fetch_all(executor)
    .await
}

/// Deletes the parts of failed reports.
pub async fn delete_parts(executor: impl PgExecutor<'_>, sealed_report_ids: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sealed_report_part where sealed_report_id = any ($1)", sealed_report_ids)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes a report with its parts, and returns it if it existed.
pub async fn delete_sealed_report(
    executor: impl PgExecutor<'_>,
    sealed_report_id: Uuid,
) -> Result<Option<SealedReportRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedReportRow,
        r#"delete from sealed_report where sealed_report_id = $1
         returning sealed_report_id, status as "status: SealedReportStatus", sealed_at, as_of, actor, visible_domains,
             parameters, totals, row_count, byte_count, sha256"#,
        sealed_report_id
    )
    .fetch_optional(executor)
    .await
}

/// The reports that a caller may see, newest first, after a cursor, at most `limit`: those whose domains the caller may
/// all access.
pub async fn list_sealed_reports(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<SealedReportRow>, sqlx::Error> {
    let (sealed_at, sealed_report_id) = after.unzip();
    sqlx::query_as!(
        SealedReportRow,
        r#"select sealed_report_id, status as "status: SealedReportStatus", sealed_at, as_of, actor, visible_domains,
             parameters, totals, row_count, byte_count, sha256
         from sealed_report
         where ($1::text[] is null or visible_domains <@ $1)
           and ($2::timestamptz is null or (sealed_at, sealed_report_id) < ($2, $3::uuid))
         order by sealed_at desc, sealed_report_id desc
         limit $4"#,
        visible_domains,
        sealed_at,
        sealed_report_id,
        limit
    )
    .fetch_all(executor)
    .await
}

/// A report, if the caller may see it.
pub async fn get_sealed_report(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    sealed_report_id: Uuid,
) -> Result<Option<SealedReportRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedReportRow,
        r#"select sealed_report_id, status as "status: SealedReportStatus", sealed_at, as_of, actor, visible_domains,
             parameters, totals, row_count, byte_count, sha256
         from sealed_report
         where sealed_report_id = $2 and ($1::text[] is null or visible_domains <@ $1)"#,
        visible_domains,
        sealed_report_id
    )
    .fetch_optional(executor)
    .await
}

/// A part of a report's bytes; `None` after the last.
pub async fn get_part(
    executor: impl PgExecutor<'_>,
    sealed_report_id: Uuid,
    number: i32,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select content from sealed_report_part where sealed_report_id = $1 and number = $2",
        sealed_report_id,
        number
    )
    .fetch_optional(executor)
    .await
}
