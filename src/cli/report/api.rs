//! Reports from a running service, page by page.

use serde_json::Value;

use super::{ReportKind, ReportRequest, counts_nothing, finish};
use crate::cli::client::Client;
use crate::cli::output::Printer;

/// # Errors
/// The service is unreachable or returns an error, or the domain is unknown.
pub(super) async fn print(client: &Client, asked: &ReportRequest, mut printer: Printer) -> anyhow::Result<()> {
    let path = asked.kind.path();
    let report = match asked.kind {
        ReportKind::PushDuration => client.list(path, &asked.query, usize::MAX, |row| Ok(printer.row(row)?)).await?,
        // Without pages.
        ReportKind::Concurrency => {
            let mut report = client.get(path, &asked.query).await?;
            for row in report.get_mut("data").map(Value::take).as_ref().and_then(Value::as_array).into_iter().flatten()
            {
                printer.row(row)?;
            }
            report
        }
    };
    if counts_nothing(&printer, &report) {
        client.reject_unknown_domain(asked.query.get("domain")).await?;
    }
    Ok(finish(printer, &report)?)
}
