//! Reports from the database, whether the service runs or not.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ReportKind, ReportRequest, counts_nothing, finish};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::cli::BadUsage;
use crate::cli::client::problem::describe_invalid;
use crate::cli::database::{Access, CommandContext, with_installation};
use crate::cli::domain::reject_unknown_domain;
use crate::cli::output::Printer;
use crate::config::InstallationOptions;
use crate::http::reports::ParametersView;
use crate::http::reports::concurrency::{ConcurrencyQuery, PointView, points};
use crate::http::reports::push_duration::{CountsView, PushDurationQuery, RowView};
use crate::reconciler;
use crate::report::push_duration::PushDuration;
use crate::report::{concurrency_report, cutoff};

/// # Errors
/// The parameters are invalid, or the database is unusable.
pub(super) async fn print(
    options: &InstallationOptions,
    tolerance: TimeDelta,
    asked: ReportRequest,
    printer: Printer,
) -> anyhow::Result<()> {
    // Parsed as by the API, without a cursor.
    let mut reader = QueryReader::of_members(asked.kind.path(), asked.query.into_members());
    match asked.kind {
        ReportKind::PushDuration => {
            let query = PushDurationQuery::from_query(&mut reader);
            reader.reject_unknown().map_err(as_bad_usage)?;
            with_installation(options, Access::Change, async |on| {
                print_push_duration(on, query, tolerance, printer).await
            })
            .await
        }
        ReportKind::Concurrency => {
            let query = ConcurrencyQuery::from_query(&mut reader);
            reader.reject_unknown().map_err(as_bad_usage)?;
            with_installation(options, Access::Change, async |on| {
                print_concurrency(on, query, tolerance, printer).await
            })
            .await
        }
    }
}

async fn print_push_duration(
    on: &CommandContext,
    query: PushDurationQuery,
    tolerance: TimeDelta,
    mut printer: Printer,
) -> anyhow::Result<()> {
    let PushDurationQuery { asked, layout } = query;
    // The service may not be running.
    reconciler::fold_to_end(&on.pool).await?;
    let cutoff = cutoff::close(&on.pool, &on.pool, asked.as_of, tolerance).await?;
    let as_of = cutoff.at;
    let mut report = PushDuration::begin(on.pool.clone(), &asked.selection, layout, &cutoff, None);
    while let Some(row) = report.next_row().await? {
        printer.row(&serde_json::to_value(RowView::from(row))?)?;
    }
    let totals = CountsView::from(report.finish().await?);
    let parameters = ParametersView::of_push_duration(&asked.selection, layout, as_of);
    let report = json!({ "next_cursor": Value::Null, "totals": totals, "parameters": parameters, "as_of": as_of });
    print_end(on, asked.selection.domain.as_deref(), printer, &report).await
}

async fn print_concurrency(
    on: &CommandContext,
    query: ConcurrencyQuery,
    tolerance: TimeDelta,
    mut printer: Printer,
) -> anyhow::Result<()> {
    let ConcurrencyQuery { asked, step_seconds, group_by } = query;
    reconciler::fold_to_end(&on.pool).await?;
    let cutoff = cutoff::close(&on.pool, &on.pool, asked.as_of, tolerance).await?;
    let as_of = cutoff.at;
    let counted = concurrency_report::count(on.pool.clone(), &asked.selection, step_seconds, group_by, &cutoff).await?;
    let peak = counted.peak.map(PointView::from);
    for point in points(counted, group_by) {
        printer.row(&serde_json::to_value(point)?)?;
    }
    let parameters = ParametersView::of_concurrency(&asked.selection, asked.time_zone, step_seconds, group_by, as_of);
    let report = json!({ "peak": peak, "parameters": parameters, "as_of": as_of });
    print_end(on, asked.selection.domain.as_deref(), printer, &report).await
}

async fn print_end(on: &CommandContext, domain: Option<&str>, printer: Printer, report: &Value) -> anyhow::Result<()> {
    if let Some(domain) = domain.filter(|_| counts_nothing(&printer, report)) {
        reject_unknown_domain(on, domain).await?;
    }
    Ok(finish(printer, report)?)
}

fn as_bad_usage(error: ApiError) -> BadUsage {
    match error {
        ApiError::Invalid(invalid) => BadUsage(describe_invalid(&invalid)),
        error => BadUsage(error.to_string()),
    }
}
