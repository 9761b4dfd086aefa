//! Reports from the database, whether the service runs or not.

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

use super::{ReportKind, ReportRequest, Target, finish};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::cli::BadUsage;
use crate::cli::client::problem::describe_invalid;
use crate::cli::database::{Access, CommandContext, with_installation};
use crate::cli::domain::reject_unknown_domain;
use crate::cli::output::write_bytes;
use crate::config::InstallationOptions;
use crate::http::files;
use crate::http::reports::concurrency::{self, ConcurrencyQuery, PointView, points};
use crate::http::reports::push_duration::{self, CountsView, PushDurationQuery, RowView};
use crate::http::reports::{Asked, ParametersView};
use crate::reconciler;
use crate::report::cutoff::ReportCutoff;
use crate::report::file::table::Wording;
use crate::report::parameters::ReportSelection;
use crate::report::push_duration::PushDuration;
use crate::report::{ReportError, concurrency_report, cutoff, file};

/// # Errors
/// The parameters are invalid, or the database is unusable.
pub(super) async fn report(
    options: &InstallationOptions,
    tolerance: TimeDelta,
    asked: ReportRequest,
    target: Target,
) -> anyhow::Result<()> {
    // Parsed as by the API, without a cursor.
    let mut reader = QueryReader::of_members(asked.kind.path(), asked.query.into_members());
    match asked.kind {
        ReportKind::PushDuration => {
            let query = PushDurationQuery::from_query(&mut reader);
            reader.reject_unknown().map_err(as_bad_usage)?;
            with_installation(options, Access::Change, async |on| {
                report_push_duration(on, query, tolerance, target).await
            })
            .await
        }
        ReportKind::Concurrency => {
            let query = ConcurrencyQuery::from_query(&mut reader);
            reader.reject_unknown().map_err(as_bad_usage)?;
            with_installation(options, Access::Change, async |on| {
                report_concurrency(on, query, tolerance, target).await
            })
            .await
        }
    }
}

/// Fixes the report's `as_of`.
async fn close(on: &CommandContext, asked: &Asked, tolerance: TimeDelta) -> anyhow::Result<ReportCutoff> {
    // The service may not be running.
    reconciler::fold_to_end(&on.pool).await?;
    cutoff::close(&on.pool, &on.pool, asked.as_of, tolerance).await.map_err(as_usage_or_failure)
}

async fn report_push_duration(
    on: &CommandContext,
    query: PushDurationQuery,
    tolerance: TimeDelta,
    target: Target,
) -> anyhow::Result<()> {
    let PushDurationQuery { asked, layout } = query;
    let selection = &asked.selection;
    let cutoff = close(on, &asked, tolerance).await?;
    let as_of = cutoff.at;
    let mut report = PushDuration::begin(on.pool.clone(), selection, layout, &cutoff, None);
    let mut printer = match target {
        Target::Printer(printer) => printer,
        Target::File(format) => {
            let wording = Wording::english("Push duration");
            let (table, lines) = push_duration::tabulate(report, (selection, layout), as_of, format, wording);
            return write_file(on, selection, files::write(format, table, lines)).await;
        }
    };
    while let Some(row) = report.next_row().await? {
        printer.row(&serde_json::to_value(RowView::from(row))?)?;
    }
    let totals = CountsView::from(report.finish().await?);
    let parameters = ParametersView::of_push_duration(selection, layout, as_of);
    let report = json!({ "next_cursor": Value::Null, "totals": totals, "parameters": parameters, "as_of": as_of });
    if printer.is_empty() {
        reject_unknown(on, selection).await?;
    }
    Ok(finish(printer, &report)?)
}

async fn report_concurrency(
    on: &CommandContext,
    query: ConcurrencyQuery,
    tolerance: TimeDelta,
    target: Target,
) -> anyhow::Result<()> {
    let ConcurrencyQuery { asked, step_seconds, group_by } = query;
    let selection = &asked.selection;
    let zone = asked.time_zone;
    let cutoff = close(on, &asked, tolerance).await?;
    let as_of = cutoff.at;
    let counting = concurrency_report::count(on.pool.clone(), selection, step_seconds, group_by, &cutoff);
    let counted = counting.await.map_err(as_usage_or_failure)?;
    if counted.peak.is_none() {
        reject_unknown(on, selection).await?;
    }
    let mut printer = match target {
        Target::Printer(printer) => printer,
        Target::File(format) => {
            let parameters = file::concurrency::Parameters { selection, zone, step_seconds, as_of };
            let (table, lines) = concurrency::tabulate(counted, group_by, &parameters, format);
            return write_file(on, selection, files::write(format, table, lines)).await;
        }
    };
    let peak = counted.peak.map(PointView::from);
    for point in points(counted, group_by) {
        printer.row(&serde_json::to_value(point)?)?;
    }
    let parameters = ParametersView::of_concurrency(selection, zone, step_seconds, group_by, as_of);
    let report = json!({ "peak": peak, "parameters": parameters, "as_of": as_of });
    Ok(finish(printer, &report)?)
}

async fn write_file(
    on: &CommandContext,
    selection: &ReportSelection,
    mut bytes: BoxStream<'static, Result<Bytes, ReportError>>,
) -> anyhow::Result<()> {
    reject_unknown(on, selection).await?;
    while let Some(chunk) = bytes.try_next().await.map_err(as_usage_or_failure)? {
        write_bytes(&chunk)?;
    }
    Ok(())
}

async fn reject_unknown(on: &CommandContext, selection: &ReportSelection) -> anyhow::Result<()> {
    match &selection.domain {
        Some(domain) => reject_unknown_domain(on, domain).await,
        None => Ok(()),
    }
}

/// What the API answers 400 is bad usage here, too.
fn as_usage_or_failure(error: ReportError) -> anyhow::Error {
    match error {
        ReportError::Future | ReportError::TooManyPoints | ReportError::TooManyRows(_) => {
            as_bad_usage(error.into()).into()
        }
        ReportError::WrongClock(_)
        | ReportError::NotFolded
        | ReportError::Withdrawn
        | ReportError::File(_)
        | ReportError::Database(_) => error.into(),
    }
}

fn as_bad_usage(error: ApiError) -> BadUsage {
    match error {
        ApiError::Invalid(invalid) => BadUsage(describe_invalid(&invalid)),
        error => BadUsage(error.to_string()),
    }
}
