//! `rebuild`: all sessions anew from the event log, or compared with it.

use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::database::with_installation;
use crate::config::InstallationOptions;
use crate::reconciler::rebuild::{Purpose, rebuild};
use crate::store;
use crate::store::rebuild::DifferenceRow;

#[derive(Debug, Args)]
pub(super) struct RebuildCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Change nothing; print each row that is not as the log says, and fail if there is one
    #[arg(long)]
    verify: bool,
}

impl RebuildCommand {
    /// Makes sessions anew, printing each row that was not as the log says.
    ///
    /// # Errors
    /// When the database cannot be used, and, to verify, when there are differences.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let purpose = if self.verify { Purpose::Verify } else { Purpose::Replace };
        with_installation(&self.installation, async |on| {
            let horizons = store::retention::list_horizons(&on.pool).await?;
            let dropped: i64 = horizons.iter().map(|horizon| horizon.position).sum();
            let folded: i64 = store::rebuild::list_progress(&on.pool).await?.iter().map(|(_, position)| position).sum();
            let folded = folded - dropped;
            let bar = ProgressBar::new(u64::try_from(folded)?).with_style(ProgressStyle::with_template(
                "{wide_bar} {human_pos}/{human_len} entries, {per_sec}, {eta} left",
            )?);
            let show = |difference: DifferenceRow| bar.suspend(|| println!("{}", words_of(&difference)));
            let differences = rebuild(&on.database, purpose, |entries| bar.set_position(entries), show).await?;
            bar.finish_and_clear();
            if dropped > 0 {
                println!("{dropped} log entries are no longer kept: sessions that began with them stay as they are");
            }
            match (differences, purpose) {
                (0, _) => println!("{folded} log entries folded: every row is as the log says"),
                (differences, Purpose::Replace) => {
                    println!("{folded} log entries folded: {differences} rows put as the log says");
                }
                (differences, Purpose::Verify) => bail!("{differences} rows are not as the log says"),
            }
            Ok(())
        })
        .await
    }
}

/// A row that differs: what it is, and each column with what is live and what the log says.
fn words_of(difference: &DifferenceRow) -> String {
    let DifferenceRow { live, rebuilt } = difference;
    let Some(any) = live.as_ref().or(rebuilt.as_ref()).and_then(Value::as_object) else { return "?".to_owned() };
    let name = |column: &str| any.get(column).map(ToString::to_string).unwrap_or_default();
    let id = if any.contains_key("session_id") { "session_id" } else { "stream_id" };
    let names: Vec<_> =
        ["domain", "app", "stream", "known_from"].map(name).into_iter().filter(|name| !name.is_empty()).collect();
    let row = format!("{id} {} of {}", name(id), names.join(" "));
    match (live, rebuilt) {
        (Some(_), None) => format!("{row}: the log does not know it"),
        (None, Some(_)) => format!("{row}: is missing"),
        _ => {
            let columns = any.keys().filter_map(|column| {
                let (live, rebuilt) = (live.as_ref()?.get(column)?, rebuilt.as_ref()?.get(column)?);
                (live != rebuilt).then(|| format!("{column} {live} should be {rebuilt}"))
            });
            format!("{row}: {}", columns.collect::<Vec<_>>().join(", "))
        }
    }
}
