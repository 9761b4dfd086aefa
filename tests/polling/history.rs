//! What the service looks up in the history.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use streamtally::model::session::EndSource;
use streamtally::polling::history::{LONGEST, find_end, periods_since, read_period, times_due};
use streamtally::polling::missed::{self, Discrepancy};
use streamtally::session::{Fact, Session, lifecycle};
use streamtally::store::polling::ToldSessionRow;
use uuid::Uuid;

use super::provider::{DOMAIN, Failure};
use super::world::{World, id};

#[derive(Debug, Default)]
pub struct LookedUp {
    /// How often each session was looked for.
    asked: HashMap<Uuid, usize>,
    compared: Option<DateTime<Utc>>,
}

impl World {
    /// Looks up ends that are due, and each hour what was missed.
    pub fn look_up(&mut self) -> Result<(), Failure> {
        self.look_up_ends()?;
        let now = self.provider.now().at;
        if self.looked_up.compared.is_none_or(|compared| now - compared >= TimeDelta::hours(1)) {
            self.compare(now)?;
            self.looked_up.compared = Some(now);
        }
        Ok(())
    }

    fn look_up_ends(&mut self) -> Result<(), Failure> {
        let now = self.provider.now().at;
        let times = |ended_at| times_due(now - ended_at);
        let mut due = self.known();
        due.retain(|session| {
            let asked = self.looked_up.asked.get(&session.session_id).copied().unwrap_or_default();
            session.inferred.is_some_and(|end| times(end.ended_at) > asked)
        });
        let Some(earliest) = due.iter().map(|session| session.started_at).min() else { return Ok(()) };
        let listed = self.list_last_listed();
        let mut periods = Vec::new();
        for period in periods_since(earliest, now) {
            periods.push(read_period(&self.provider, DOMAIN, period).now_or_never().unwrap()?);
        }
        for session in due {
            let key = (session.stream.clone(), session.started_at.timestamp());
            let ended_at = find_end(&session.app, &session.stream, session.started_at, &periods);
            if let Some(ended_at) = ended_at.filter(|at| !missed::was_listed_after(&listed, session.session_id, *at)) {
                self.append(key, Fact::History { ended_at });
            }
            self.looked_up.asked.insert(session.session_id, times(session.inferred.unwrap().ended_at));
        }
        Ok(())
    }

    fn list_last_listed(&self) -> BTreeMap<Uuid, DateTime<Utc>> {
        self.polling.sightings().collect()
    }

    fn compare(&mut self, now: DateTime<Utc>) -> Result<(), Failure> {
        let to = now - TimeDelta::hours(1);
        let period = read_period(&self.provider, DOMAIN, (to - LONGEST, to)).now_or_never().unwrap()?;
        let told: Vec<ToldSessionRow> = self.sessions.iter().map(told).collect();
        let listed = self.list_last_listed();
        let mut found = Vec::new();
        // A world has too few pushes to show that starts agree.
        for discrepancy in missed::compare(&period, &told, &listed, self.begin).discrepancies {
            match discrepancy {
                Discrepancy::Missed(push) => {
                    found.push(((push.stream.clone(), push.started_at.timestamp()), push.ended_at));
                }
                Discrepancy::Ended { session, ended_at } | Discrepancy::EndDiffers { session, ended_at } => {
                    found.push(((session.stream.clone(), session.publish_timestamp), ended_at));
                }
            }
        }
        for (key, ended_at) in found {
            self.append(key, Fact::History { ended_at });
        }
        Ok(())
    }
}

fn told(((stream, start), session): (&(String, i64), &Session)) -> ToldSessionRow {
    let started_at = DateTime::from_timestamp(*start, 0).unwrap();
    let end: Option<(DateTime<Utc>, EndSource)> = lifecycle::end(session, started_at);
    ToldSessionRow {
        shard: 0,
        session_id: id(stream, *start),
        app: "live".to_owned(),
        stream: stream.clone(),
        publish_timestamp: *start,
        started_at,
        ended_at: end.map(|(ended_at, _)| ended_at),
        ended_at_source: end.map(|(_, source)| source),
        history_ended_at: session.history_ended_at,
    }
}
