//! Reports from a running service, page by page.

use serde_json::Value;

use super::{ReportKind, ReportRequest, Target, finish};
use crate::cli::client::Client;
use crate::cli::output::{Printer, write_bytes};
use crate::http::files::FileFormat;
use crate::model::report::ReportFormat;

/// # Errors
/// The service is unreachable or returns an error, or the domain is unknown.
pub(super) async fn report(client: &Client, asked: &ReportRequest, target: Target) -> anyhow::Result<()> {
    match target {
        Target::Printer(printer) => print(client, asked, printer).await,
        Target::File(format) => {
            client.reject_unknown_domain(asked.query.get("domain")).await?;
            let format = match format {
                FileFormat::Csv { .. } => ReportFormat::Csv,
                FileFormat::Xlsx => ReportFormat::Xlsx,
            };
            let query = asked.query.clone().with("format", Some(format));
            client.download(asked.kind.path(), &query, write_bytes).await
        }
    }
}

async fn print(client: &Client, asked: &ReportRequest, mut printer: Printer) -> anyhow::Result<()> {
    let path = asked.kind.path();
    let report = match asked.kind {
        ReportKind::PushDuration => client.list(path, &asked.query, usize::MAX, |row| Ok(printer.row(row)?)).await?,
        // Without pages.
        ReportKind::Concurrency => {
            let mut report = client.get(path, &asked.query).await?;
            // Its rows are zeros, and must not be printed before an error.
            if report.get("peak").is_some_and(Value::is_null) {
                client.reject_unknown_domain(asked.query.get("domain")).await?;
            }
            for row in report.get_mut("data").map(Value::take).as_ref().and_then(Value::as_array).into_iter().flatten()
            {
                printer.row(row)?;
            }
            report
        }
    };
    if printer.is_empty() {
        client.reject_unknown_domain(asked.query.get("domain")).await?;
    }
    Ok(finish(printer, &report)?)
}
