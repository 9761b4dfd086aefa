//! Reports that are kept byte for byte.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// What is kept of a report beside its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedReportRow {
    /// Its id.
    pub sealed_report_id: Uuid,
    /// When it was sealed.
    pub sealed_at: DateTime<Utc>,
    /// The moment that it is as of.
    pub as_of: DateTime<Utc>,
    /// Who sealed it.
    pub actor: String,
    /// The domains that existed for them; all when `None`.
    pub visible_domains: Option<Vec<String>>,
    /// What it was asked for.
    pub parameters: Value,
    /// What is counted of the whole.
    pub totals: Value,
    /// How many rows it has.
    pub row_count: i64,
    /// How many bytes it has.
    pub byte_count: i64,
    /// SHA-256 of these.
    pub sha256: Vec<u8>,
}

/// Adds a part of a report's bytes.
///
/// # Errors
/// Those of the database.
pub async fn insert_part(
    executor: impl PgExecutor<'_>,
    sealed_report_id: Uuid,
    number: i32,
    content: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sealed_report_part (sealed_report_id, number, content) values ($1, $2, $3)",
        sealed_report_id,
        number,
        content
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Takes away the parts of a report that is not there.
///
/// # Errors
/// Those of the database.
pub async fn delete_parts(executor: impl PgExecutor<'_>, sealed_report_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sealed_report_part where sealed_report_id = $1", sealed_report_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Adds a report.
///
/// # Errors
/// Those of the database.
pub async fn insert_sealed_report(executor: impl PgExecutor<'_>, report: &SealedReportRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sealed_report (
             sealed_report_id, sealed_at, as_of, actor, visible_domains, parameters, totals, row_count, byte_count, sha256
         ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        report.sealed_report_id,
        report.sealed_at,
        report.as_of,
        report.actor,
        report.visible_domains.as_deref(),
        report.parameters,
        report.totals,
        report.row_count,
        report.byte_count,
        report.sha256
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The reports that exist for a caller, newest first, after a place, at most `limit`: those that were made of no other
/// domains than exist for the caller.
///
/// # Errors
/// Those of the database.
pub async fn list_sealed_reports(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<SealedReportRow>, sqlx::Error> {
    let (sealed_at, sealed_report_id) = after.unzip();
    sqlx::query_as!(
        SealedReportRow,
        "select sealed_report_id, sealed_at, as_of, actor, visible_domains, parameters, totals, row_count, byte_count,
             sha256
         from sealed_report
         where ($1::text[] is null or visible_domains <@ $1)
           and ($2::timestamptz is null or (sealed_at, sealed_report_id) < ($2, $3::uuid))
         order by sealed_at desc, sealed_report_id desc
         limit $4",
        visible_domains,
        sealed_at,
        sealed_report_id,
        limit
    )
    .fetch_all(executor)
    .await
}

/// One report, if it exists for the caller.
///
/// # Errors
/// Those of the database.
pub async fn get_sealed_report(
    executor: impl PgExecutor<'_>,
    visible_domains: Option<&[String]>,
    sealed_report_id: Uuid,
) -> Result<Option<SealedReportRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedReportRow,
        "select sealed_report_id, sealed_at, as_of, actor, visible_domains, parameters, totals, row_count, byte_count,
             sha256
         from sealed_report
         where sealed_report_id = $2 and ($1::text[] is null or visible_domains <@ $1)",
        visible_domains,
        sealed_report_id
    )
    .fetch_optional(executor)
    .await
}

/// A part of a report's bytes; `None` after the last.
///
/// # Errors
/// Those of the database.
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
