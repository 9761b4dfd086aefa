//! Counts rejections in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgPool;

use super::Sample;
use crate::event_log::receive::ReceivedCallback;
use crate::huawei::admission::CallbackRoute;
use crate::huawei::masking::Masker;
use crate::huawei::notification::NotANotification;
use crate::model::rejection::RejectionReason;
use crate::store;
use crate::store::rejection::RejectionRow;
use crate::telemetry::request_id;

/// Per minute and reason: maximum number of unregistered domains that are counted by name.
const MOST_CLAIMED: usize = 10;

/// Maximum number of minutes in memory while the database is unreachable.
const MOST_MINUTES: usize = 60;

/// Retention of counts in the database.
const KEPT: TimeDelta = TimeDelta::days(7);

/// Maximum number of counts in the database.
const MOST_KEPT: i64 = 20_000;

/// The part of a rejected callback that counting needs.
#[derive(Debug, Clone, Copy)]
struct RejectedCallback<'a> {
    /// `None` if the body was not readable as a callback.
    claimed_domain: Option<&'a str>,
    registered: bool,
    cause: RejectionReason,
    received_at: DateTime<Utc>,
    is_kept: bool,
}

#[derive(Debug, Clone)]
struct RejectionCounter {
    unwritten: i64,
    /// How many of these are kept.
    unwritten_kept: i64,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    sample: Sample,
}

/// The counts of one minute and reason.
#[derive(Debug, Default)]
struct RejectionCounters {
    /// By claimed domain; the empty name is for callbacks without a domain and for further unregistered domains.
    by_domain: HashMap<String, RejectionCounter>,
    claimed: usize,
}

impl RejectionCounters {
    /// The name under which a callback is counted.
    fn name_for<'a>(&mut self, claimed_domain: Option<&'a str>, registered: bool) -> &'a str {
        let name = claimed_domain.unwrap_or_default();
        if registered || self.by_domain.contains_key(name) {
            return name;
        }
        if self.claimed >= MOST_CLAIMED {
            return "";
        }
        self.claimed += 1;
        name
    }
}

type ByMinute = BTreeMap<DateTime<Utc>, HashMap<RejectionReason, RejectionCounters>>;

/// The counts of this minute, and those that are not written to the database yet.
#[derive(Debug, Default)]
pub struct Rejections {
    by_minute: Mutex<ByMinute>,
}

impl Rejections {
    /// Counts a callback that admission rejected. `registered` is whether its claimed domain is registered.
    pub fn count_rejected(
        &self,
        arrival: &ReceivedCallback,
        registered: bool,
        cause: RejectionReason,
        is_kept: bool,
        masker: &Masker,
    ) {
        let rejected = RejectedCallback {
            claimed_domain: Some(&arrival.message.domain),
            registered,
            cause,
            received_at: arrival.received_at,
            is_kept,
        };
        self.count(rejected, || Sample::of(arrival, arrival.path != CallbackRoute::Open, masker));
    }

    /// Counts a body that is not a callback. `registered` is whether its claimed domain is registered.
    pub fn count_malformed(
        &self,
        cause: RejectionReason,
        error: &NotANotification,
        registered: bool,
        received_at: DateTime<Utc>,
        source_ip: Option<IpAddr>,
        is_kept: bool,
    ) {
        let claimed_domain = error.claimed_domain.as_deref();
        let rejected = RejectedCallback { claimed_domain, registered, cause, received_at, is_kept };
        self.count(rejected, || Sample::of_unread(&error.problem, received_at, source_ip));
    }

    /// Counts a request whose body was not read. `problem` gives the reason, and quotes nothing of the request.
    pub fn count_unread(
        &self,
        cause: RejectionReason,
        problem: &impl Display,
        received_at: DateTime<Utc>,
        source_ip: Option<IpAddr>,
    ) {
        let rejected = RejectedCallback { claimed_domain: None, registered: false, cause, received_at, is_kept: false };
        self.count(rejected, || Sample::of_unread(problem, received_at, source_ip));
    }

    /// Calls `sample` for the first callback of a minute, reason and name.
    fn count(&self, rejected: RejectedCallback<'_>, sample: impl FnOnce() -> Sample) {
        let RejectedCallback { claimed_domain, registered, cause, received_at, is_kept } = rejected;
        let kept = i64::from(is_kept);
        let mut by_minute = self.lock();
        let minute = minute_of(received_at);
        if by_minute.len() >= MOST_MINUTES && !by_minute.contains_key(&minute) {
            by_minute.pop_first();
        }
        let tallies = by_minute.entry(minute).or_default().entry(cause).or_default();
        let name = tallies.name_for(claimed_domain, registered);
        if let Some(tally) = tallies.by_domain.get_mut(name) {
            tally.unwritten += 1;
            tally.unwritten_kept += kept;
            tally.last_at = tally.last_at.max(received_at);
            return;
        }
        let tally = RejectionCounter {
            unwritten: 1,
            unwritten_kept: kept,
            first_at: received_at,
            last_at: received_at,
            sample: sample(),
        };
        tallies.by_domain.insert(name.to_owned(), tally);
        drop(by_minute);
        // Logged once per minute, reason and name, so log lines are as bounded as the counts.
        let request_id = request_id::of_line();
        tracing::warn!(
            request_id,
            claimed_domain = ?name,
            cause = cause.as_str(),
            "callbacks are rejected; /v1/rejections counts them, and says what to do if they are the provider's"
        );
    }

    /// Writes new counts to the database, and drops past minutes. On an error, all counts are kept.
    pub async fn write(&self, pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let rows = rows_of(&self.lock());
        if !rows.is_empty() {
            store::rejection::upsert_rejections(pool, &rows).await?;
            self.mark_written(&rows);
            store::rejection::delete_old_rejections(pool, now - KEPT, MOST_KEPT).await?;
        }
        self.forget_before(minute_of(now));
        Ok(())
    }

    fn mark_written(&self, rows: &[RejectionRow]) {
        let mut by_minute = self.lock();
        for row in rows {
            let tallies = by_minute.get_mut(&row.minute_at).and_then(|causes| causes.get_mut(&row.cause));
            if let Some(tally) = tallies.and_then(|tallies| tallies.by_domain.get_mut(&row.claimed_domain)) {
                tally.unwritten -= row.count;
                tally.unwritten_kept -= row.kept;
            }
        }
    }

    fn forget_before(&self, this_minute: DateTime<Utc>) {
        let unwritten = |tallies: &RejectionCounters| tallies.by_domain.values().any(|tally| tally.unwritten > 0);
        self.lock().retain(|minute, causes| *minute >= this_minute || causes.values().any(unwritten));
    }

    fn lock(&self) -> MutexGuard<'_, ByMinute> {
        self.by_minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn minute_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time)
}

fn rows_of(by_minute: &ByMinute) -> Vec<RejectionRow> {
    let mut rows = Vec::new();
    for (minute, causes) in by_minute {
        for (cause, tallies) in causes {
            for (name, tally) in tallies.by_domain.iter().filter(|(_, tally)| tally.unwritten > 0) {
                rows.push(RejectionRow {
                    minute_at: *minute,
                    claimed_domain: name.clone(),
                    cause: *cause,
                    count: tally.unwritten,
                    kept: tally.unwritten_kept,
                    first_at: tally.first_at,
                    last_at: tally.last_at,
                    sample: json!(tally.sample),
                });
            }
        }
    }
    // In a fixed order, so that two processes that write the same rows cannot deadlock.
    rows.sort_by(|one, other| {
        (one.minute_at, &one.claimed_domain, one.cause).cmp(&(other.minute_at, &other.claimed_domain, other.cause))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::notification::ParseError;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_040 + seconds, 0).expect("in range")
    }

    fn sample() -> Sample {
        Sample::of_unread(&ParseError::Missing("domain"), at(0), None)
    }

    fn count(rejections: &Rejections, domain: &str, registered: bool, seconds: i64) {
        let cause = RejectionReason::UnknownDomain;
        rejections.count(
            RejectedCallback {
                claimed_domain: Some(domain),
                registered,
                cause,
                received_at: at(seconds),
                is_kept: false,
            },
            sample,
        );
    }

    fn rows(rejections: &Rejections) -> Vec<(String, i64)> {
        let mut rows: Vec<_> =
            rows_of(&rejections.lock()).into_iter().map(|row| (row.claimed_domain, row.count)).collect();
        rows.sort();
        rows
    }

    #[test]
    fn messages_are_counted_by_name_with_the_times_of_the_first_and_the_last() {
        let rejections = Rejections::default();
        for seconds in [5, 3, 9] {
            count(&rejections, "a", false, seconds);
        }
        count(&rejections, "b", false, 4);
        assert_eq!(rows(&rejections), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
        let of_a = rows_of(&rejections.lock()).into_iter().find(|row| row.claimed_domain == "a").expect("counted");
        assert_eq!((of_a.minute_at, of_a.last_at), (at(0), at(9)));
    }

    #[test]
    fn a_flood_of_names_takes_no_more_room_than_a_few_and_hides_no_registered_one() {
        let rejections = Rejections::default();
        for number in 0..10_000 {
            count(&rejections, &format!("flood{number}"), false, 0);
        }
        for number in 0..50 {
            count(&rejections, &format!("ours{number}"), true, 0);
        }
        let rows = rows(&rejections);
        assert_eq!(rows.len(), MOST_CLAIMED + 50 + 1);
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<i64>(), 10_050);
        assert!(rows.contains(&(String::new(), 10_000 - 10)) && rows.contains(&("ours49".to_owned(), 1)));
    }

    #[test]
    fn what_was_written_is_not_written_again_and_names_stay_bounded_through_the_minute() {
        let rejections = Rejections::default();
        for number in 0..MOST_CLAIMED {
            count(&rejections, &format!("flood{number}"), false, 0);
        }
        let written = rows_of(&rejections.lock());
        count(&rejections, "flood0", false, 1);
        rejections.mark_written(&written);
        rejections.forget_before(at(0));
        count(&rejections, "another", false, 2);
        assert_eq!(rows(&rejections), [(String::new(), 1), ("flood0".to_owned(), 1)]);
        rejections.forget_before(at(60));
        assert_eq!(rows(&rejections).len(), 2, "what is not written yet is kept");
        let unwritten = rows_of(&rejections.lock());
        rejections.mark_written(&unwritten);
        rejections.forget_before(at(60));
        assert!(rejections.lock().is_empty());
    }

    #[test]
    fn minutes_are_bounded_while_nothing_can_be_written() {
        let rejections = Rejections::default();
        for minute in 0..1_000 {
            count(&rejections, "a", true, minute * 60);
        }
        let minutes: Vec<_> = rejections.lock().keys().copied().collect();
        assert_eq!(minutes.len(), MOST_MINUTES);
        assert_eq!(minutes.last(), Some(&at(999 * 60)));
    }
}
