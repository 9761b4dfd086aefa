//! The table of a run.

use chrono::{DateTime, TimeDelta, Utc};

use crate::observed::{Final, Observed, Shown};
use crate::schedule::{Loss, PlannedPush, Schedule};

/// A domain's part of a run.
pub struct DomainResult<'a> {
    pub observed: &'a Observed,
    pub last: Final,
}

impl<'a> DomainResult<'a> {
    /// The pushes with this loss, and what was shown of them.
    fn with_loss(
        &'a self,
        schedule: &'a Schedule,
        loss: Loss,
    ) -> impl Iterator<Item = (&'a PlannedPush, &'a Shown)> + 'a {
        schedule.pushes.iter().zip(&self.observed.shown).filter(move |(push, _)| push.loss == loss)
    }

    fn wrong_live(&self, schedule: &Schedule, loss: Loss) -> String {
        seconds(self.with_loss(schedule, loss).map(|(_, shown)| shown.wrong_live).sum())
    }

    fn wrong_bill(&self, schedule: &Schedule, loss: Loss) -> String {
        let wrong: i64 = self.with_loss(schedule, loss).map(|(push, _)| self.last.wrong_bill(push)).sum();
        format!("{wrong} s")
    }

    fn wrong_bill_of_shown(&self, schedule: &Schedule) -> String {
        let shown = self.with_loss(schedule, Loss::End).filter(|(_, shown)| shown.over_at.is_some());
        let wrong: i64 = shown.map(|(push, _)| self.last.wrong_bill(push)).sum();
        format!("{wrong} s")
    }

    /// The times from lost ends to when they were shown, the shortest first.
    fn delays(&self, schedule: &Schedule) -> Vec<TimeDelta> {
        let delay = |(push, shown): (&PlannedPush, &Shown)| Some(shown.over_at? - push.ended_at);
        let mut delays: Vec<_> = self.with_loss(schedule, Loss::End).filter_map(delay).collect();
        delays.sort();
        delays
    }

    fn sessions(&self, schedule: &Schedule, loss: Loss) -> usize {
        self.with_loss(schedule, loss).filter(|(push, _)| self.last.sessions.contains_key(&push.stream)).count()
    }
}

/// Prints the table. The first domain is the one to compare with.
pub fn print(schedule: &Schedule, results: &[DomainResult<'_>], now: DateTime<Utc>) {
    let count = |loss| schedule.pushes.iter().filter(|push| push.loss == loss).count();
    let (ends, both) = (count(Loss::End), count(Loss::Both));
    println!(
        "\n{} pushes, {:.0} minutes after the first began:\n",
        schedule.pushes.len(),
        minutes(now - schedule.begin)
    );
    let row = |what: &str, cell: &dyn Fn(&DomainResult<'_>) -> String| {
        let cells: Vec<String> = results.iter().map(cell).collect();
        println!("| {what} | {} |", cells.join(" | "));
    };
    row("what", &|result| format!("`{}`", result.observed.domain.split('.').next().unwrap_or_default()));
    println!("|---|{}", "---:|".repeat(results.len()));
    row(&format!("end lost ({ends} pushes): shown as over"), &|result| result.delays(schedule).len().to_string());
    row("from the end until then: median", &|result| middle(&result.delays(schedule)));
    row("the longest", &|result| result.delays(schedule).last().copied().map(seconds).unwrap_or_default());
    row("shown live although over", &|result| result.wrong_live(schedule, Loss::End));
    row("billed wrongly", &|result| result.wrong_bill(schedule, Loss::End));
    row("of it, those that are shown as over", &|result| result.wrong_bill_of_shown(schedule));
    row(&format!("both callbacks lost ({both} pushes): sessions"), &|result| {
        result.sessions(schedule, Loss::Both).to_string()
    });
    row("billed wrongly", &|result| result.wrong_bill(schedule, Loss::Both));
    row(&format!("no callback lost ({} pushes): shown live although over", count(Loss::None)), &|result| {
        result.wrong_live(schedule, Loss::None)
    });
    row("billed wrongly", &|result| result.wrong_bill(schedule, Loss::None));
    row("any: shown as ended although on air", &|result| {
        seconds(result.observed.shown.iter().map(|shown| shown.wrong_ended).sum())
    });
    row("events that follow from the lists", &|result| result.last.events.to_string());
    row("differences listed", &|result| result.last.differences.to_string());
    row("sessions whose status or source of the end differs from the first column", &|result| {
        results.first().map(|first| differing(&first.last, &result.last)).unwrap_or_default().to_string()
    });
    row("true seconds of all pushes", &|_| {
        schedule.pushes.iter().map(PlannedPush::true_seconds).sum::<i64>().to_string()
    });
}

/// How many sessions are in one alone, or differ.
fn differing(one: &Final, other: &Final) -> usize {
    let differs = |(stream, state): &(&String, &(String, String))| other.sessions.get(*stream) != Some(*state);
    let added = other.sessions.keys().filter(|stream| !one.sessions.contains_key(*stream)).count();
    one.sessions.iter().filter(differs).count() + added
}

fn middle(sorted: &[TimeDelta]) -> String {
    sorted.get(sorted.len() / 2).copied().map(seconds).unwrap_or_default()
}

fn seconds(time: TimeDelta) -> String {
    format!("{:.0} s", time.as_seconds_f64())
}

fn minutes(time: TimeDelta) -> f64 {
    time.as_seconds_f64() / 60.0
}
