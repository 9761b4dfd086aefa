//! Compares the sessions of a domain with the provider's list of streams on air, sweep after sweep.
//!
//! Pure: the caller reads the lists, and stores what is found.
//!
//! A stream that is on air must never be ended, so absence counts for little: only where a session was listed before, only in
//! complete lists, only several times in succession, and not when many disappear at once. Presence counts at once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

use crate::huawei::live_api::answer::ListedStream;
use crate::huawei::live_api::is_same_start;
use crate::huawei::live_api::sweep::CompleteSweep;
use crate::model::session::EndSource;
use crate::session::Unlisted;

/// From how many complete lists in succession a session must be missing.
const ABSENCES: u32 = 3;

/// How long ago it must have been listed last. The lists lag behind by 2 to 4 minutes.
const QUIET: Duration = Duration::from_mins(5);

/// Many disappear at once when more than this many are missing from one list, and more than three in ten of those before.
const MASS: usize = 20;

/// All of them count as many from this number on.
const SMALL_MASS: usize = 5;

/// For how long no session ends because of the list after many have disappeared, and for how many complete lists.
const MASS_PAUSE: Duration = Duration::from_mins(15);
const MASS_LISTS: u32 = 2 * ABSENCES;

/// A session that the lists may confirm, end, or show to be live after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSession {
    pub session_id: Uuid,
    pub app: String,
    pub stream: String,
    pub started_at: DateTime<Utc>,
    /// When it was last known to be live, by the log.
    pub known_live_at: DateTime<Utc>,
    /// Its inferred end. Sessions whose end was reported are not asked for.
    pub inferred: Option<InferredEnd>,
}

/// An end that a list can contradict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferredEnd {
    pub ended_at: DateTime<Utc>,
    pub source: EndSource,
}

/// What follows from a list for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    Listed { listed_at: DateTime<Utc> },
    Unlisted(Unlisted),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub session_id: Uuid,
    pub conclusion: Conclusion,
}

/// What a list said.
#[derive(Debug, Default)]
pub struct Noted {
    pub findings: Vec<Finding>,
    /// Sessions that seem to have ended: a query for the stream alone decides.
    pub missing: Vec<KnownSession>,
    /// Rows of which no session is known.
    pub unknown: Vec<ListedStream>,
    /// The sessions that it had.
    pub matched: usize,
    /// The differences between the start in the list and that of the callbacks.
    pub start_differences: Vec<TimeDelta>,
}

#[derive(Debug)]
struct Seen {
    last_listed_at: DateTime<Utc>,
    /// The same by a clock that never jumps.
    steady: Duration,
    /// From how many complete lists it has been missing since.
    absences: u32,
    unlisted_at: Option<DateTime<Utc>>,
    /// It was said to be missing, which is not repeated.
    told: bool,
}

#[derive(Debug)]
struct Mass {
    since: Duration,
    lists: u32,
}

/// What the lists of a domain have shown so far.
#[derive(Debug)]
pub struct Watch {
    /// A session is confirmed in the log when it was last known to be live this long ago.
    confirm_after: TimeDelta,
    seen: HashMap<Uuid, Seen>,
    mass: Option<Mass>,
}

/// How a list has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// With its start.
    Listed,
    /// Only its name is listed: that may be another push, also one whose session has ended.
    Unclear,
    Absent,
}

impl Watch {
    /// Begins with what is known of earlier lists. Their absences do not count: some may have been missed.
    pub fn new(
        confirm_after: TimeDelta,
        sightings: impl IntoIterator<Item = (Uuid, DateTime<Utc>)>,
        steady: Duration,
    ) -> Self {
        let seen = |last_listed_at| Seen { last_listed_at, steady, absences: 0, unlisted_at: None, told: false };
        Self {
            confirm_after,
            seen: sightings
                .into_iter()
                .map(|(session_id, last_listed_at)| (session_id, seen(last_listed_at)))
                .collect(),
            mass: None,
        }
    }

    /// Whether many have disappeared at once, so that no session ends because of the list.
    pub fn has_mass_absence(&self) -> bool {
        self.mass.is_some()
    }

    /// When each session was listed last.
    pub fn sightings(&self) -> impl Iterator<Item = (Uuid, DateTime<Utc>)> {
        self.seen.iter().map(|(session_id, seen)| (*session_id, seen.last_listed_at))
    }

    /// Takes a complete list that began at `steady`. Sessions that it does not cover are as before.
    pub fn note(&mut self, list: &CompleteSweep, sessions: &[KnownSession], steady: Duration) -> Noted {
        let (mut noted, presences) = self.note_rows(list.streams(), list.begun_at(), sessions, steady);
        let (mut listed_before, mut newly_absent) = (0, 0);
        for (session, presence) in sessions.iter().zip(presences) {
            if session.inferred.is_some() || !list.covers(&session.app, &session.stream) {
                continue;
            }
            let Some(seen) = self.seen.get_mut(&session.session_id) else { continue };
            // It was confirmed since: what it was missing from before does not count in the log either.
            if seen.unlisted_at.is_some_and(|unlisted_at| session.known_live_at > unlisted_at) {
                (seen.absences, seen.unlisted_at, seen.told) = (0, None, false);
            }
            listed_before += usize::from(seen.absences == 0);
            if presence != Presence::Absent {
                continue;
            }
            newly_absent += usize::from(seen.absences == 0);
            seen.absences = seen.absences.saturating_add(1);
            seen.unlisted_at.get_or_insert(list.begun_at());
        }
        self.note_mass(newly_absent, listed_before, steady);
        let known: HashMap<Uuid, &KnownSession> =
            sessions.iter().map(|session| (session.session_id, session)).collect();
        self.seen.retain(|session_id, _| known.contains_key(session_id));
        if self.mass.is_none() {
            let is_missing =
                |seen: &Seen| seen.absences >= ABSENCES && !seen.told && steady.saturating_sub(seen.steady) >= QUIET;
            let missing = self.seen.iter().filter(|(_, seen)| is_missing(seen));
            noted.missing = missing.filter_map(|(session_id, _)| known.get(session_id).copied().cloned()).collect();
            noted.missing.sort_by_key(|session| session.session_id);
        }
        noted
    }

    /// Takes rows of a list that is not complete: they show what is on air, and nothing else.
    pub fn note_torn(
        &mut self,
        rows: &[ListedStream],
        begun_at: DateTime<Utc>,
        sessions: &[KnownSession],
        steady: Duration,
    ) -> Noted {
        let (mut noted, _) = self.note_rows(rows, begun_at, sessions, steady);
        noted.unknown.clear();
        noted
    }

    /// Whether a session was listed before, so that its absence could count.
    pub fn was_listed(&self, session_id: Uuid) -> bool {
        self.seen.contains_key(&session_id)
    }

    /// Takes the answer to a query for the stream of a session that seems to be missing. `None` if it is on air.
    pub fn conclude(&mut self, session: &KnownSession, list: &CompleteSweep, steady: Duration) -> Option<Finding> {
        if !list.covers(&session.app, &session.stream) {
            return None;
        }
        let rows = list.streams().iter().filter(|row| (&row.app, &row.stream) == (&session.app, &session.stream));
        let rows: Vec<&ListedStream> = rows.collect();
        let seen = self.seen.get_mut(&session.session_id)?;
        if !rows.is_empty() {
            (seen.absences, seen.unlisted_at) = (0, None);
            if rows.iter().any(|row| is_start_of(row, session)) {
                seen.steady = steady;
                seen.last_listed_at = seen.last_listed_at.max(list.begun_at());
            }
            return None;
        }
        seen.told = true;
        let unlisted = Unlisted {
            unlisted_at: seen.unlisted_at?,
            ended_at: seen.last_listed_at.trunc_subsecs(0).max(session.started_at),
        };
        Some(Finding { session_id: session.session_id, conclusion: Conclusion::Unlisted(unlisted) })
    }

    /// Forgets that a session was said to be missing: it could not be stored.
    pub fn say_again(&mut self, session_id: Uuid) {
        if let Some(seen) = self.seen.get_mut(&session_id) {
            seen.told = false;
        }
    }

    fn note_rows(
        &mut self,
        rows: &[ListedStream],
        begun_at: DateTime<Utc>,
        sessions: &[KnownSession],
        steady: Duration,
    ) -> (Noted, Vec<Presence>) {
        let mut noted = Noted::default();
        let mut by_name: BTreeMap<(&str, &str), Vec<&ListedStream>> = BTreeMap::new();
        for row in rows {
            by_name.entry((&row.app, &row.stream)).or_default().push(row);
        }
        let mut known: HashMap<(&str, &str), Vec<&KnownSession>> = HashMap::new();
        for session in sessions {
            known.entry((&session.app, &session.stream)).or_default().push(session);
        }
        let presences = sessions.iter().map(|session| {
            let name = (session.app.as_str(), session.stream.as_str());
            let rows = by_name.get(&name).map(Vec::as_slice).unwrap_or_default();
            let namesakes = known.get(&name).map(Vec::as_slice).unwrap_or_default();
            presence(session, rows, namesakes)
        });
        let presences: Vec<Presence> = presences.collect();
        for (session, presence) in sessions.iter().zip(&presences) {
            match presence {
                Presence::Listed => {
                    noted.matched += 1;
                    self.see(session, begun_at, steady);
                    let is_contradicted = session.inferred.is_some();
                    let is_due = begun_at - session.known_live_at >= self.confirm_after;
                    if is_contradicted || is_due {
                        noted.findings.push(Finding {
                            session_id: session.session_id,
                            conclusion: Conclusion::Listed { listed_at: begun_at },
                        });
                    }
                }
                Presence::Unclear => {
                    if let Some(seen) = self.seen.get_mut(&session.session_id) {
                        (seen.absences, seen.unlisted_at) = (0, None);
                    }
                }
                Presence::Absent => {}
            }
        }
        for (name, rows) in by_name {
            let namesakes = known.get(&name).map(Vec::as_slice).unwrap_or_default();
            for row in rows {
                let nearest = namesakes.iter().map(|session| row.started_at - session.started_at);
                noted.start_differences.extend(nearest.min_by_key(TimeDelta::abs));
                // A row that a live session of this name may explain is not one of an unknown push.
                if !namesakes.iter().any(|session| session.inferred.is_none() || is_start_of(row, session)) {
                    noted.unknown.push(row.clone());
                }
            }
        }
        (noted, presences)
    }

    fn see(&mut self, session: &KnownSession, begun_at: DateTime<Utc>, steady: Duration) {
        let fresh = Seen { last_listed_at: begun_at, steady, absences: 0, unlisted_at: None, told: false };
        let seen = self.seen.entry(session.session_id).or_insert(fresh);
        seen.last_listed_at = seen.last_listed_at.max(begun_at);
        (seen.absences, seen.unlisted_at, seen.steady, seen.told) = (0, None, steady, false);
    }

    fn note_mass(&mut self, newly_absent: usize, listed_before: usize, steady: Duration) {
        let are_many = (newly_absent > MASS && newly_absent * 10 > listed_before * 3)
            || (newly_absent > SMALL_MASS && newly_absent == listed_before);
        if are_many {
            self.mass = Some(Mass { since: steady, lists: 0 });
        } else if let Some(mass) = &mut self.mass {
            mass.lists += 1;
            if mass.lists >= MASS_LISTS && steady.saturating_sub(mass.since) >= MASS_PAUSE {
                self.mass = None;
            }
        }
    }
}

fn is_start_of(row: &ListedStream, session: &KnownSession) -> bool {
    is_same_start(row.started_at, session.started_at)
}

/// How rows of its name have a session.
fn presence(session: &KnownSession, rows: &[&ListedStream], namesakes: &[&KnownSession]) -> Presence {
    if rows.is_empty() {
        return Presence::Absent;
    }
    // Two pushes can begin within the tolerance: then a row is neither's.
    let is_of_this_alone = |row: &&&ListedStream| {
        is_start_of(row, session) && namesakes.iter().filter(|other| is_start_of(row, other)).count() == 1
    };
    if rows.iter().any(|row| is_of_this_alone(&row)) { Presence::Listed } else { Presence::Unclear }
}
