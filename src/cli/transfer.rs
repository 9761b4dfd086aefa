//! `export` and `import`: move the event log to another installation.

use std::io::{BufWriter, IsTerminal, stdin, stdout};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::sleep;

use super::BadUsage;
use super::database::{Access, CommandContext, with_installation};
use super::output::{PrintError, say};
use super::progress;
use crate::config::InstallationOptions;
use crate::event_log::transfer::{ExportError, Exported, Imported, Lines, export, import};
use crate::reconciler::fold_to_end;
use crate::store;
use crate::store::pool::{self, PoolRole};

/// Pause while another process folds.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

const EXPORT_EXAMPLES: &str = "\
Examples:
  streamtally export >log.ndjson                       after umask 077
  streamtally export | ssh there streamtally import";

const IMPORT_EXAMPLES: &str = "\
Examples:
  streamtally import <log.ndjson
  zstd --decompress --stdout log.ndjson.zst | streamtally import";

/// Export the event log for another installation or for your own programs
///
/// Writes newline-delimited JSON to standard output: a header line, then one line per event. The service can keep running;
/// later events are not exported.
///
/// The log contains IP addresses, user_args and signatures: protect it like the database. It does not contain domains, keys,
/// tokens, the audit log or sealed reports; use pg_dump to copy a whole installation.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportCommand {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl ExportCommand {
    /// # Errors
    /// There is no installation, its database is unusable, or standard output failed.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Read, async |on| {
            let bar = progress::bar(Some(0), "events");
            let tell = |written, entries| {
                bar.set_length(entries);
                bar.set_position(written);
            };
            let exported = export(&on.database, BufWriter::new(stdout()), tell).await;
            bar.finish_and_clear();
            let Exported { entries, dropped } = exported.map_err(|error| match error {
                ExportError::Io(error) => PrintError::from(error).into(),
                error => anyhow::Error::from(error),
            })?;
            eprintln!("{entries} events exported");
            if dropped > 0 {
                eprintln!(
                    "{dropped} older ones were dropped by retention, so `import` rejects this log; use pg_dump to copy \
                     the installation"
                );
            }
            Ok(())
        })
        .await
    }
}

/// Import an event log that `export` wrote, and fold it
///
/// Reads standard input and appends the events as recorded. The installation then has the same sessions, and reports
/// with the same as_of are the same. Events that exist already are skipped, so an interrupted import can be run again,
/// and a later export can be imported after an earlier one. The import fails if the installation has received other
/// events.
///
/// A new installation gets as many shards as the log has. An installation created by `migrate --shards` may have a multiple.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportCommand {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl ImportCommand {
    /// # Errors
    /// Standard input is not a log or does not match the installation, or the database is unusable.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if stdin().is_terminal() {
            bail!(BadUsage("import reads the log from standard input: import <log.ndjson".to_owned()));
        }
        let (header, lines) = Lines::open(tokio::io::stdin()).await?;
        let access = Access::Create { shards: header.shards };
        with_installation(&self.installation, access, async |on| {
            let bar = progress::bar(Some(header.entries), "events");
            let imported = import(&on.pool, &header, lines, |read| bar.set_position(read)).await;
            bar.finish_and_clear();
            let Imported { appended, known } = imported?;
            fold(on).await?;
            Ok(say!("{appended} events imported and folded; {known} existed already")?)
        })
        .await
    }
}

/// Folds the imported events, so that queries show them immediately.
async fn fold(on: &CommandContext) -> anyhow::Result<()> {
    let distributed = store::installation::get_installation(&on.pool).await?.is_some_and(|made| made.distributed);
    let pool = pool::open(&on.database, PoolRole::Fold, distributed);
    let heads = store::inference::get_heads(&on.pool).await?;
    let bar = progress::bar(None, "events folded");
    // A running service may be folding some of them.
    while !store::inference::is_folded_to(&on.pool, &heads).await? {
        match fold_to_end(&pool).await? {
            0 => sleep(RETRY_PAUSE).await,
            entries => bar.inc(entries as u64),
        }
    }
    bar.finish_and_clear();
    pool.close().await;
    let mut connection = on.pool.acquire().await?;
    store::pool::set_no_time_limit(&mut *connection).await?;
    store::transfer::analyze_tables(&mut *connection).await?;
    Ok(())
}
