//! `repair-clock`: the way back after a clock was ahead.

use clap::Args;

use super::database::{Access, Installation, with_installation};
use super::output::say;
use super::progress;
use crate::config::{ClockOptions, InstallationOptions};
use crate::platform::clock;
use crate::reconciler::clock_repair::{Ahead, find_ahead, repair};
use crate::reconciler::fold_to_end;
use crate::reconciler::rebuild::{Purpose, rebuild};
use crate::reconciler::retention::drop_unused_months;
use crate::store;

/// Move events that a wrong clock recorded in the future to the present; the service may run meanwhile
///
/// Prints what lies ahead of the clock and changes nothing, unless --yes is given. First set the clocks of all machines:
/// while they differ, nothing is moved. Positions stay as they are, and so do reports of moments before the clock leaped.
/// Callbacks wait in the spool meanwhile; then all sessions are made anew from the log, as `rebuild` does.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RepairClockCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    clock: ClockOptions,
    /// Move them; without it, only print how many there are
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  streamtally repair-clock          does anything lie ahead of the clock?
  streamtally repair-clock --yes    move it to the present

If it is interrupted after it has moved the events, run `streamtally rebuild`.";

impl RepairClockCommand {
    /// Moves what lies ahead of the clock to the present, or prints what that is.
    ///
    /// # Errors
    /// When the database cannot be used, or the clocks differ.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let tolerance = self.clock.clock_tolerance;
        let access = if self.yes { Access::Change } else { Access::Read };
        with_installation(&self.installation, access, async |on| {
            let Some(ahead) = find_ahead(&mut *on.pool.acquire().await?, tolerance).await? else {
                return Ok(say!("nothing lies ahead of the clock")?);
            };
            let Ahead { present, recorded_to, events } = ahead;
            say!("the log reaches to {recorded_to}; the clock shows {present}")?;
            say!("{} events in {} shards are recorded ahead of the clock", events.events, events.shards)?;
            if !self.yes {
                return Ok(say!("nothing was changed; --yes moves them to the present")?);
            }
            repair(&on.pool, &on.actor, tolerance).await?;
            make_anew(on).await
        })
        .await
    }
}

async fn make_anew(on: &Installation) -> anyhow::Result<()> {
    for month in drop_unused_months(&on.pool, clock::now()).await? {
        say!("dropped the empty month {}", month.format("%Y-%m"))?;
    }
    // Nobody else may be there to do it.
    fold_to_end(&on.pool).await?;
    let folded: i64 = store::rebuild::list_progress(&on.pool).await?.iter().map(|(_, position)| position).sum();
    let bar = progress::bar(Some(u64::try_from(folded)?), "entries");
    let differences = rebuild(&on.database, Purpose::Replace, |entries| bar.set_position(entries), |_| {}).await?;
    bar.finish_and_clear();
    Ok(say!("moved to the present; {differences} rows were then put as the log says")?)
}
