//! `repair-clock`: recovery after a clock was ahead.

use clap::Args;

use super::database::{Access, CommandContext, with_installation};
use super::output::say;
use super::progress;
use crate::config::{ClockOptions, InstallationOptions};
use crate::platform::clock;
use crate::reconciler::clock_repair::{Ahead, find_ahead, repair};
use crate::reconciler::fold_to_end;
use crate::reconciler::rebuild::{Purpose, rebuild};
use crate::reconciler::retention::drop_unused_months;
use crate::store;

/// Repair the log after a clock was ahead: move events from the future to the present; the service can keep running
///
/// Without --yes, it prints only how many events are in the future, and changes nothing. Correct the clocks of all
/// machines first: while they differ, nothing is moved. The positions of events in the log do not change, and neither do
/// reports as of an instant before the clock jumped. Callbacks wait in the spool meanwhile. Afterwards all sessions are
/// rebuilt from the log, as by `rebuild`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RepairClockCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    clock: ClockOptions,
    /// Move the events
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  streamtally repair-clock          check for events in the future
  streamtally repair-clock --yes    move them to the present

If it is interrupted after the events were moved, run `streamtally rebuild`.";

impl RepairClockCommand {
    /// # Errors
    /// The database is unusable, or the clocks differ.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let tolerance = self.clock.clock_tolerance;
        let access = if self.yes { Access::Change } else { Access::Read };
        with_installation(&self.installation, access, async |on| {
            let Some(ahead) = find_ahead(&mut *on.pool.acquire().await?, tolerance).await? else {
                return Ok(say!("no events are ahead of the clock")?);
            };
            let Ahead { present, recorded_to, events } = ahead;
            say!("the newest event was recorded at {recorded_to}; the clock shows {present}")?;
            say!("{} events in {} shards are recorded ahead of the clock", events.events, events.shards)?;
            if !self.yes {
                return Ok(say!("nothing was changed; use --yes to move them to the present")?);
            }
            repair(&on.pool, &on.actor, tolerance).await?;
            rebuild_sessions(on).await
        })
        .await
    }
}

async fn rebuild_sessions(on: &CommandContext) -> anyhow::Result<()> {
    for month in drop_unused_months(&on.pool, clock::now()).await? {
        say!("dropped the empty month {}", month.format("%Y-%m"))?;
    }
    // The service may not be running.
    fold_to_end(&on.pool).await?;
    let folded: i64 = store::rebuild::list_progress(&on.pool).await?.iter().map(|(_, position)| position).sum();
    let bar = progress::bar(Some(u64::try_from(folded)?), "events");
    let differences = rebuild(&on.database, Purpose::Replace, |entries| bar.set_position(entries), |_| {}).await?;
    bar.finish_and_clear();
    Ok(say!("moved to the present; {differences} rows were corrected")?)
}
