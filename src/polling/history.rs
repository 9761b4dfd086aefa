//! Finds the end of a push in the provider's history.
//!
//! The history is asked for by periods of a day at most, and may cut a push at their bounds. A bound of a row therefore counts
//! only strictly within its period; a longer push is put together from the rows of several periods.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::lists::Lists;
use crate::huawei::live_api::answer::PastPush;
use crate::huawei::live_api::is_same_start;

/// The longest period that can be asked for.
pub const LONGEST: TimeDelta = TimeDelta::days(1);

/// How long before the start of a session its history is read from.
const BEFORE: TimeDelta = TimeDelta::minutes(10);

/// How far back the history reaches, a margin left out.
const REACH: TimeDelta = TimeDelta::hours(7 * 24 - 1);

/// How many pages of a period are read. More pushes than they hold are found in shorter periods only.
const MAX_PAGES: u32 = 200;

/// When a session whose end is an estimate is looked for in the history: this long after that end, and then once a day.
const DUE_AFTER: [TimeDelta; 4] =
    [TimeDelta::minutes(10), TimeDelta::hours(1), TimeDelta::hours(6), TimeDelta::hours(24)];

/// How often a session was due that ended `since` ago.
pub fn times_due(since: TimeDelta) -> usize {
    let daily = usize::try_from((since - TimeDelta::hours(24)).num_days().max(0)).unwrap_or_default();
    DUE_AFTER.iter().filter(|after| since >= **after).count() + daily
}

/// A part of the history: its rows, in a period.
#[derive(Debug, Clone)]
pub struct Period {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    pub pushes: Vec<PastPush>,
}

/// The periods to ask for about sessions that started from `started_at` on, the oldest first.
pub fn periods_since(started_at: DateTime<Utc>, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut from = (started_at - BEFORE).max(now - REACH);
    let mut periods = Vec::new();
    while from < now {
        let to = (from + LONGEST).min(now);
        periods.push((from, to));
        from = to;
    }
    periods
}

/// Reads a period, in whole seconds: the provider knows no others.
///
/// # Errors
/// That of the first page that fails.
pub async fn read_period<L: Lists>(
    lists: &L,
    domain: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Period, L::Error> {
    let (from, to) = (from.trunc_subsecs(0), to.trunc_subsecs(0));
    let mut pushes = Vec::new();
    for page in 0..MAX_PAGES {
        let read = lists.list_history(domain, from, to, page).await?;
        let is_last = read.pushes.is_empty();
        pushes.extend(read.pushes);
        if is_last || pushes.len() >= usize::try_from(read.total).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(Period { from, to, pushes })
}

/// When the push that started at `started_at` ended, by successive periods.
pub fn find_end(app: &str, stream: &str, started_at: DateTime<Utc>, periods: &[Period]) -> Option<DateTime<Utc>> {
    let is_named = |push: &&PastPush| push.from_encoder && (push.app.as_str(), push.stream.as_str()) == (app, stream);
    let mut goes_on_at = None;
    for period in periods {
        let mut named = period.pushes.iter().filter(is_named);
        let row = match goes_on_at {
            // Two pushes within the tolerance cannot be told apart.
            None => {
                let mut near = named.filter(|push| is_same_start(push.started_at, started_at));
                let first = near.next();
                first.filter(|push| near.next().is_none() && push.started_at > period.from)
            }
            // Cut at the bound, or from its true start.
            Some(bound) => named.find(|push| push.started_at <= bound),
        };
        match row {
            Some(row) if row.ended_at < period.to => return Some(row.ended_at),
            Some(_) => goes_on_at = Some(period.to),
            None if goes_on_at.is_some() => return None,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn push(started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> PastPush {
        PastPush { app: "live".to_owned(), stream: "room1".to_owned(), started_at, ended_at, from_encoder: true }
    }

    fn found(started_at: DateTime<Utc>, periods: &[(i64, i64, Vec<PastPush>)]) -> Option<DateTime<Utc>> {
        let periods =
            periods.iter().map(|(from, to, pushes)| Period { from: at(*from), to: at(*to), pushes: pushes.clone() });
        find_end("live", "room1", started_at, &periods.collect::<Vec<_>>())
    }

    #[test]
    fn the_end_of_a_push_is_within_a_period() {
        assert_eq!(found(at(1), &[(0, 24, vec![push(at(1), at(3))])]), Some(at(3)));
        let second = TimeDelta::seconds(1);
        assert_eq!(found(at(1), &[(0, 24, vec![push(at(1) + second * 5, at(3))])]), Some(at(3)));
        assert_eq!(found(at(1), &[(0, 24, vec![push(at(1) + second * 6, at(3))])]), None);
        assert_eq!(found(at(1), &[(0, 24, vec![push(at(1), at(3)), push(at(1) + second, at(2))])]), None);
        let of_third_party = PastPush { from_encoder: false, ..push(at(1), at(3)) };
        assert_eq!(found(at(1), &[(0, 24, vec![of_third_party])]), None);
    }

    #[test]
    fn a_bound_that_may_be_cut_is_no_end() {
        assert_eq!(found(at(1), &[(0, 24, vec![push(at(1), at(24))])]), None);
        assert_eq!(found(at(0), &[(0, 24, vec![push(at(0), at(3))])]), None);
    }

    #[test]
    fn a_long_push_is_put_together() {
        let cut = [
            (0, 24, vec![push(at(1), at(24))]),
            (24, 48, vec![push(at(24), at(48))]),
            (48, 72, vec![push(at(48), at(50)), push(at(51), at(52))]),
        ];
        assert_eq!(found(at(1), &cut), Some(at(50)));
        let whole = [(0, 24, vec![push(at(1), at(30))]), (24, 48, vec![push(at(1), at(30))])];
        assert_eq!(found(at(1), &whole), Some(at(30)));
        let broken = [(0, 24, vec![push(at(1), at(24))]), (24, 48, vec![]), (48, 72, vec![push(at(48), at(50))])];
        assert_eq!(found(at(1), &broken), None);
    }

    #[test]
    fn periods_cover_all_time_since_the_start_as_far_as_the_history_reaches() {
        let minutes = TimeDelta::minutes(10);
        assert_eq!(periods_since(at(0), at(1)), [(at(0) - minutes, at(1))]);
        assert_eq!(periods_since(at(0), at(24)), [(at(0) - minutes, at(24) - minutes), (at(24) - minutes, at(24))]);
        assert_eq!(periods_since(at(-1_000), at(0)).len(), 7);
    }

    #[test]
    fn a_session_is_due_less_often_the_longer_ago_it_ended() {
        for (since, times) in
            [(0, 0), (10, 1), (59, 1), (60, 2), (360, 3), (1_440, 4), (2_880, 5), (4_319, 5), (4_320, 6)]
        {
            assert_eq!(times_due(TimeDelta::minutes(since)), times, "{since}");
        }
    }
}
