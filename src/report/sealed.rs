//! Sealed reports: kept byte for byte, and compared with what the log says today.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use super::ReportError;
use super::csv;
use super::parameters::GroupName;
use super::push_duration::{NamedRow, PushDuration, RowPlace};
use super::sweep::Counts;
use crate::store;
use crate::store::sealed_report::SealedReportRow;

/// About how many bytes a part has.
const PART: usize = 512 * 1024;

/// What a report is sealed with.
#[derive(Debug)]
pub struct Label {
    /// The moment that it is as of.
    pub as_of: DateTime<Utc>,
    /// Who seals it.
    pub actor: String,
    /// The domains that exist for them.
    pub visible_domains: Option<Vec<String>>,
    /// What it was asked for.
    pub parameters: Value,
}

/// Takes down a report as it is made, and keeps it. `totals` shows what is counted of the whole.
///
/// Its parts are written one by one, and nobody knows of them before the report itself is: no transaction waits for what is
/// read in between.
///
/// # Errors
/// [`ReportError`]; then nothing is kept.
pub async fn seal(
    pool: &PgPool,
    report: PushDuration,
    label: Label,
    totals: impl FnOnce(Counts) -> Value,
    now: DateTime<Utc>,
) -> Result<SealedReportRow, ReportError> {
    let sealed_report_id = Uuid::new_v4();
    let sealed = write(pool, sealed_report_id, report, label, totals, now).await;
    if sealed.is_err() {
        // If this fails as well, they stay, and nobody knows of them.
        let _ = store::sealed_report::delete_parts(pool, sealed_report_id).await;
    }
    sealed
}

async fn write(
    pool: &PgPool,
    sealed_report_id: Uuid,
    mut report: PushDuration,
    label: Label,
    totals: impl FnOnce(Counts) -> Value,
    now: DateTime<Utc>,
) -> Result<SealedReportRow, ReportError> {
    let (mut digest, mut number, mut row_count, mut byte_count) = (Sha256::new(), 0, 0, 0);
    let mut part = csv::header();
    loop {
        let row = report.next_row().await?;
        if let Some(row) = &row {
            row_count += 1;
            part.extend(csv::line(row));
        }
        if part.len() >= PART || row.is_none() {
            digest.update(&part);
            byte_count += i64::try_from(part.len()).unwrap_or(i64::MAX);
            store::sealed_report::insert_part(pool, sealed_report_id, number, &part).await?;
            number += 1;
            part.clear();
        }
        if row.is_none() {
            break;
        }
    }
    let Label { as_of, actor, visible_domains, parameters } = label;
    let sealed = SealedReportRow {
        sealed_report_id,
        sealed_at: now,
        as_of,
        actor,
        visible_domains,
        parameters,
        totals: totals(report.finish().await?),
        row_count,
        byte_count,
        sha256: digest.finalize().to_vec(),
    };
    store::sealed_report::insert_sealed_report(pool, &sealed).await?;
    Ok(sealed)
}

/// The rows of a sealed report, read part by part.
#[derive(Debug)]
struct SealedRows {
    pool: PgPool,
    sealed_report_id: Uuid,
    next_part: i32,
    ready: VecDeque<NamedRow>,
}

impl SealedRows {
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

/// A row that is otherwise today: `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its group.
    pub name: GroupName,
    /// Begin of its window.
    pub window_start: DateTime<Utc>,
    /// End of its window.
    pub window_end: DateTime<Utc>,
    /// What was sealed.
    pub sealed: Option<Counts>,
    /// What the log says today.
    pub today: Option<Counts>,
}

impl Difference {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> RowPlace {
        RowPlace { window_start: self.window_start, name: self.name.clone() }
    }
}

/// The rows of a sealed report that a report of the same today would have otherwise, after a place, at most `limit`.
///
/// # Errors
/// [`ReportError`].
pub async fn list_differences(
    pool: &PgPool,
    sealed_report_id: Uuid,
    mut today: PushDuration,
    after: Option<&RowPlace>,
    limit: usize,
) -> Result<Vec<Difference>, ReportError> {
    let mut sealed = SealedRows { pool: pool.clone(), sealed_report_id, next_part: 0, ready: VecDeque::new() };
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
