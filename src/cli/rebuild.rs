//! `rebuild`: rebuilds all sessions from the event log, or verifies them.

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};

use super::database::{Access, with_installation};
use super::output::{OutputOptions, PrintError, Printer};
use super::progress;
use super::table::Column;
use crate::config::InstallationOptions;
use crate::reconciler::rebuild::{Purpose, rebuild};
use crate::store;
use crate::store::rebuild::DifferenceRow;

/// Rebuild all sessions from the event log, or verify them; the service can keep running
///
/// Folds the whole log into separate tables, compares them with the stored rows, and prints each row that differs, column by
/// column. Without --verify, it then corrects these rows in one transaction. The service still accepts callbacks meanwhile, but
/// pauses its own folding during the comparison. A difference means a defect of the program or a manual change of the database.
/// An older schema is updated first.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RebuildCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Correct nothing; print the rows that differ from the log, and fail if there are any
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    output: OutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally rebuild --verify                                  verify all rows
  streamtally rebuild --verify --output csv >differences.csv
  streamtally rebuild                                           correct rows that differ

Exit status: 0 if every row matches the log or was corrected; with --verify, 1 if a row differs.";

const COLUMNS: [Column; 10] = [
    Column::new("row"),
    Column::id("id"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::new("known_from"),
    Column::new("difference"),
    Column::new("column"),
    Column::new("stored"),
    Column::new("log"),
];

impl RebuildCommand {
    /// # Errors
    /// The database is unusable, or with `--verify` there are differences.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let purpose = if self.verify { Purpose::Verify } else { Purpose::Replace };
        let mut printer = Printer::new(self.output.format(), COLUMNS);
        with_installation(&self.installation, Access::Change, async |on| {
            let horizons = store::retention::list_horizons(&on.pool).await?;
            let dropped: i64 = horizons.iter().map(|horizon| horizon.position).sum();
            let folded: i64 = store::rebuild::list_progress(&on.pool).await?.iter().map(|(_, position)| position).sum();
            let folded = folded - dropped;
            let bar = progress::bar(Some(u64::try_from(folded)?), "events");
            // Correct rows even after a broken pipe.
            let mut all_shown = Ok(());
            let show = |difference: DifferenceRow| {
                if all_shown.is_ok() {
                    all_shown = bar.suspend(|| print_difference(&mut printer, &difference));
                }
            };
            let differences = rebuild(&on.database, purpose, |entries| bar.set_position(entries), show).await?;
            bar.finish_and_clear();
            all_shown?;
            let closing = closing_lines(purpose, folded, dropped, differences);
            let others = json!({ "entries": folded, "dropped_entries": dropped, "differing_rows": differences });
            printer.finish(&others, &closing)?;
            if differences > 0 && purpose == Purpose::Verify {
                bail!("{differences} rows differ from the log; `rebuild` without --verify corrects them");
            }
            Ok(())
        })
        .await
    }
}

fn closing_lines(purpose: Purpose, folded: i64, dropped: i64, differences: u64) -> Vec<String> {
    let older =
        (dropped > 0).then(|| format!("{dropped} events were dropped by retention: their sessions do not change"));
    let found = match (differences, purpose) {
        (0, _) => Some(format!("{folded} events folded: every row matches the log")),
        (differences, Purpose::Replace) => Some(format!("{folded} events folded: {differences} rows corrected")),
        (_, Purpose::Verify) => None,
    };
    older.into_iter().chain(found).collect()
}

fn print_difference(printer: &mut Printer, difference: &DifferenceRow) -> Result<(), PrintError> {
    cells_of(difference).iter().try_for_each(|cell| printer.row(cell))
}

/// The row, and for each column that differs the stored value and the value from the log.
fn cells_of(difference: &DifferenceRow) -> Vec<Value> {
    let DifferenceRow { stored, rebuilt } = difference;
    let stored = stored.as_ref().and_then(Value::as_object);
    let rebuilt = rebuilt.as_ref().and_then(Value::as_object);
    let Some(any) = stored.or(rebuilt) else { return Vec::new() };
    let (row, id) = match (any.get("session_id"), any.get("stream_id")) {
        (Some(id), _) if any.contains_key("known_from") => ("outcome", id),
        (Some(id), _) => ("session", id),
        (None, id) => ("stream", id.unwrap_or(&Value::Null)),
    };
    let whose = ["domain", "app", "stream", "known_from"];
    let whose = whose.into_iter().filter_map(|name| Some((name, any.get(name)?.clone())));
    let cell = |more: Value| {
        let begin = [("row", Value::from(row)), ("id", id.clone())].into_iter().chain(whose.clone());
        let begin: Map<String, Value> = begin.map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(begin.into_iter().chain(more.as_object().cloned().unwrap_or_default()).collect())
    };
    match (stored, rebuilt) {
        (Some(stored), Some(rebuilt)) => {
            let differing = stored.iter().filter_map(|(column, stored)| {
                let log = rebuilt.get(column).filter(|log| *log != stored)?;
                Some(cell(json!({ "difference": "value", "column": column, "stored": stored, "log": log })))
            });
            differing.collect()
        }
        (Some(_), None) => vec![cell(json!({ "difference": "not_in_log" }))],
        (None, _) => vec![cell(json!({ "difference": "missing" }))],
    }
}
