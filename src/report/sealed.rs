//! Sealed reports: stores them byte for byte, and compares them with the current log.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ReportError;
use super::csv;
use super::file::push_duration::CSV;
use super::file::table::{cells, terms};
use super::low_priority_runtime;
use super::parameters::GroupName;
use super::push_duration::{NamedRow, PushDuration, RowPlace};
use super::sweep::WindowTotals;
use crate::access::Actor;
use crate::access::audit::{self, Subject};
use crate::model::access::Act;
use crate::store;
use crate::store::sealed_report::{NewSealedReportRow, SealedContentRow, SealedReportRow};

/// Approximate size of a part in bytes.
const PART: usize = 512 * 1024;

/// How often the process that seals a report renews its lease.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(20);

/// How long a lease lasts without renewal before the report is abandoned.
const LEASE_SECONDS: f64 = 120.0;

/// How often abandoned reports are searched.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// The properties of a report that is sealed.
#[derive(Debug)]
pub struct Label {
    pub as_of: DateTime<Utc>,
    pub actor: String,
    pub visible_domains: Option<Vec<String>>,
    pub parameters: Value,
}

/// Starts to seal a report, which is listed from then on. Call [`seal`] next.
pub async fn begin(pool: &PgPool, label: Label, now: DateTime<Utc>) -> Result<SealedReportRow, sqlx::Error> {
    let Label { as_of, actor, visible_domains, parameters } = label;
    let sealed_report_id = Uuid::new_v4();
    let new = NewSealedReportRow { sealed_report_id, sealed_at: now, as_of, actor, visible_domains, parameters };
    store::sealed_report::insert_sealed_report(pool, &new).await
}

/// Stores a report as it is computed, as its CSV, with local times of `zone`. `totals` converts the totals. Run it in a
/// separate task, as its caller may disconnect.
///
/// Parts are written one by one, so that no transaction stays open while pushes are read. If this process ends early,
/// [`fail_abandoned_until_stopped`] of any process deletes them.
///
/// # Errors
/// [`ReportError`]; then the report has failed, and only this status is kept.
pub async fn seal(
    pool: &PgPool,
    sealed_report_id: Uuid,
    report: PushDuration,
    zone: Tz,
    totals: impl FnOnce(WindowTotals) -> Value,
) -> Result<SealedReportRow, ReportError> {
    let sealed = tokio::select! {
        written = write(pool, sealed_report_id, report, zone, totals) => written,
        () = renew_until_withdrawn(pool, sealed_report_id) => Err(ReportError::Withdrawn),
    };
    if sealed.is_err() {
        // If this fails, too, the lease expires.
        let _ = store::sealed_report::fail_sealing(pool, sealed_report_id).await;
        let _ = store::sealed_report::delete_parts(pool, &[sealed_report_id]).await;
    }
    sealed
}

async fn write(
    pool: &PgPool,
    sealed_report_id: Uuid,
    mut report: PushDuration,
    zone: Tz,
    totals: impl FnOnce(WindowTotals) -> Value,
) -> Result<SealedReportRow, ReportError> {
    let (mut digest, mut number, mut row_count, mut byte_count) = (Sha256::new(), 0, 0, 0);
    let mut part = csv::header(&terms(&CSV));
    loop {
        let row = report.next_row().await?;
        if let Some(row) = &row {
            row_count += 1;
            part.extend(csv::line(&cells(&CSV, row), zone));
        }
        if part.len() >= PART || row.is_none() {
            digest.update(&part);
            byte_count += i64::try_from(part.len()).unwrap_or(i64::MAX);
            if !store::sealed_report::insert_part(pool, sealed_report_id, number, &part).await? {
                return Err(ReportError::Withdrawn);
            }
            number += 1;
            part.clear();
        }
        if row.is_none() {
            break;
        }
    }
    let totals = totals(report.finish().await?);
    let content = SealedContentRow { totals, row_count, byte_count, sha256: digest.finalize().to_vec() };
    store::sealed_report::update_sealed(pool, sealed_report_id, &content).await?.ok_or(ReportError::Withdrawn)
}

/// Renews the lease; returns when the report was deleted or abandoned.
async fn renew_until_withdrawn(pool: &PgPool, sealed_report_id: Uuid) {
    loop {
        sleep(RENEWAL_INTERVAL).await;
        // A failure of the database is ignored here: writing the report fails by itself.
        if let Ok(false) = store::sealed_report::renew_sealing(pool, sealed_report_id).await {
            return;
        }
    }
}

/// Marks reports without a living process as failed, immediately and then every minute, until stopped.
pub async fn fail_abandoned_until_stopped(pool: PgPool, stopped: CancellationToken) {
    // Errors are ignored: the next run retries.
    while let Some(failed) = stopped.run_until_cancelled(fail_abandoned(&pool)).await {
        if let Ok(reports @ 1..) = failed {
            tracing::warn!(
                reports,
                "the process that sealed a report ended before it was done: the report failed; seal it again"
            );
        }
        stopped.run_until_cancelled(sleep(SWEEP_INTERVAL)).await;
    }
}

async fn fail_abandoned(pool: &PgPool) -> Result<usize, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let failed = store::sealed_report::fail_abandoned(&mut *transaction, LEASE_SECONDS).await?;
    store::sealed_report::delete_parts(&mut *transaction, &failed).await?;
    transaction.commit().await?;
    Ok(failed.len())
}

/// Deletes a report. False when it does not exist.
pub async fn delete(
    pool: &PgPool,
    actor: &Actor,
    sealed_report_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let deleted = store::sealed_report::delete_sealed_report(&mut *transaction, sealed_report_id).await?;
    if let Some(report) = &deleted {
        let details = json!({
            "status": report.status.as_str(), "sealed_at": report.sealed_at, "sealed_by": report.actor,
            "as_of": report.as_of, "sha256": report.sha256.as_ref().map(hex::encode), "rows": report.row_count,
            "bytes": report.byte_count, "totals": report.totals, "parameters": report.parameters,
        });
        let subject = Subject { id: Some(sealed_report_id), details: Some(details), ..Subject::default() };
        audit::record(&mut *transaction, actor, now, Act::SealedReportDeleted, subject).await?;
    }
    transaction.commit().await?;
    Ok(deleted.is_some())
}

/// Reads the rows of a sealed report, part by part.
#[derive(Debug)]
struct SealedRows {
    pool: PgPool,
    sealed_report_id: Uuid,
    next_part: i32,
    ready: VecDeque<NamedRow>,
}

/// The rows of a sealed report, read on the thread of the caller.
pub fn rows(
    pool: PgPool,
    sealed_report_id: Uuid,
) -> impl Stream<Item = Result<NamedRow, ReportError>> + Send + 'static {
    let rows = SealedRows::new(pool, sealed_report_id);
    low_priority_runtime::stream_of_caller(stream::try_unfold(rows, |mut rows| async move {
        Ok(rows.next_row().await?.map(|row| (row, rows)))
    }))
}

impl SealedRows {
    fn new(pool: PgPool, sealed_report_id: Uuid) -> Self {
        Self { pool, sealed_report_id, next_part: 0, ready: VecDeque::new() }
    }

    async fn next_row(&mut self) -> Result<Option<NamedRow>, sqlx::Error> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            let part = store::sealed_report::get_part(&self.pool, self.sealed_report_id, self.next_part).await?;
            let Some(part) = part else { return Ok(None) };
            let has_header = self.next_part == 0;
            self.next_part += 1;
            self.ready = csv::read_rows(&part, has_header).map_err(|error| sqlx::Error::Decode(error.into()))?.into();
        }
    }
}

/// A row that has changed since the report was sealed; `None` where the row does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub name: GroupName,
    pub window_start: DateTime<Utc>,
    pub window_end: DateTime<Utc>,
    pub sealed: Option<WindowTotals>,
    pub today: Option<WindowTotals>,
}

impl Difference {
    /// The row's cursor.
    pub fn place(&self) -> RowPlace {
        RowPlace { window_start: self.window_start, name: self.name.clone() }
    }
}

/// The rows of a sealed report that differ from the same report today, after a cursor, at most `limit`.
pub async fn list_differences(
    pool: &PgPool,
    sealed_report_id: Uuid,
    mut today: PushDuration,
    after: Option<&RowPlace>,
    limit: usize,
) -> Result<Vec<Difference>, ReportError> {
    let mut sealed = SealedRows::new(pool.clone(), sealed_report_id);
    let mut differences = Vec::new();
    let (mut one, mut other) = (sealed.next_row().await?, today.next_row().await?);
    while differences.len() < limit {
        if let (Some(row), Some(after)) = (&one, after)
            && row.place() <= *after
        {
            one = sealed.next_row().await?;
            continue;
        }
        let places = (one.as_ref().map(NamedRow::place), other.as_ref().map(NamedRow::place));
        let (was, is) = match places {
            (None, None) => break,
            (Some(was), Some(is)) => (was <= is, is <= was),
            (was, is) => (was.is_some(), is.is_some()),
        };
        let was = if was { std::mem::replace(&mut one, sealed.next_row().await?) } else { None };
        let is = if is { std::mem::replace(&mut other, today.next_row().await?) } else { None };
        differences.extend(difference(was, is));
    }
    Ok(differences)
}

fn difference(was: Option<NamedRow>, is: Option<NamedRow>) -> Option<Difference> {
    let (sealed, today) = (was.as_ref().map(|row| row.counts), is.as_ref().map(|row| row.counts));
    let NamedRow { name, window_start, window_end, .. } = was.or(is)?;
    (sealed != today).then_some(Difference { name, window_start, window_end, sealed, today })
}
