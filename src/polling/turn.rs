//! A turn of a domain: reads the list of streams on air, and what follows from it for the domain's sessions.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::lists::{ListOutcome, Lists, read_list};
use super::watch::{Finding, KnownSession, Noted, Watch};
use crate::huawei::live_api::answer::ListedStream;
use crate::huawei::live_api::sweep::{CompleteSweep, Torn};

/// After how many torn lists in succession streams are asked for one by one.
const TORN_LISTS: u32 = 3;

/// How many streams are asked for one by one in a turn.
const MAX_SINGLE: usize = 50;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at: DateTime<Utc>,
    /// By a clock that never jumps.
    pub steady: Duration,
}

/// How the list was read.
#[derive(Debug)]
pub enum Outcome<E> {
    Complete,
    /// It changed while it was read.
    Torn,
    Failed(E),
}

/// What a turn has shown.
#[derive(Debug)]
pub struct Turn<E> {
    pub begun_at: DateTime<Utc>,
    pub outcome: Outcome<E>,
    pub pages: u32,
    /// Rows of the list.
    pub listed: usize,
    /// Sessions that it had.
    pub matched: usize,
    pub findings: Vec<Finding>,
    /// Rows of which no session is known; `None` if the list was not complete.
    pub unknown: Option<Vec<ListedStream>>,
    pub start_differences: Vec<TimeDelta>,
}

/// A domain whose list is read.
#[derive(Debug)]
pub struct DomainPolling {
    domain: String,
    watch: Watch,
    torn: u32,
    /// The last stream that was asked for by its name.
    asked: Option<(String, String)>,
}

impl DomainPolling {
    pub fn new(domain: String, watch: Watch) -> Self {
        Self { domain, watch, torn: 0, asked: None }
    }

    /// Whether many sessions have disappeared from the list at once.
    pub fn has_mass_absence(&self) -> bool {
        self.watch.has_mass_absence()
    }

    pub fn sightings(&self) -> impl Iterator<Item = (Uuid, DateTime<Utc>)> {
        self.watch.sightings()
    }

    /// Forgets that a session was said to be missing: it could not be stored.
    pub fn say_again(&mut self, session_id: Uuid) {
        self.watch.say_again(session_id);
    }

    /// Reads the list. `sessions` are those of the domain that are live, or whose end is inferred.
    pub async fn turn<L: Lists>(
        &mut self,
        lists: &L,
        sessions: &[KnownSession],
        now: impl Fn() -> Moment,
    ) -> Turn<L::Error> {
        let steady = now().steady;
        let read = read_list(lists, &self.domain, None, || now().at).await;
        let (outcome, listed, noted, is_complete) = match read.outcome {
            ListOutcome::Complete(list) => {
                self.torn = 0;
                let noted = self.watch.note(&list, sessions, steady);
                (Outcome::Complete, list.streams().len(), noted, true)
            }
            ListOutcome::Torn(torn, rows) => {
                // One by one would take longer still.
                self.torn += u32::from(torn != Torn::Duration);
                let noted = self.watch.note_torn(&rows, read.begun_at, sessions, steady);
                (Outcome::Torn, rows.len(), noted, false)
            }
            ListOutcome::Failed(error, rows) => {
                let noted = self.watch.note_torn(&rows, read.begun_at, sessions, steady);
                (Outcome::Failed(error), rows.len(), noted, false)
            }
        };
        let Noted { mut findings, mut missing, unknown, matched, start_differences } = noted;
        if matches!(outcome, Outcome::Torn) && self.torn >= TORN_LISTS {
            let noted = self.ask_one_by_one(lists, sessions, &now).await;
            findings.extend(noted.findings);
            missing.extend(noted.missing);
        }
        // The next turns ask for the others: meanwhile the list is read again.
        for session in missing.into_iter().take(MAX_SINGLE) {
            let stream = Some((session.app.as_str(), session.stream.as_str()));
            let steady = now().steady;
            let answer = read_list(lists, &self.domain, stream, || now().at).await;
            match answer.outcome {
                ListOutcome::Complete(list) => findings.extend(self.watch.conclude(&session, &list, steady)),
                ListOutcome::Torn(..) => {}
                // The next turn asks again.
                ListOutcome::Failed(..) => break,
            }
        }
        // A stream that was asked for by its name was in the rows of the list, too.
        let mut concluded = HashSet::new();
        findings.retain(|finding| concluded.insert(finding.session_id));
        Turn {
            begun_at: read.begun_at,
            outcome,
            pages: read.pages,
            listed,
            matched,
            findings,
            unknown: is_complete.then_some(unknown),
            start_differences,
        }
    }

    /// Asks for streams by their names, where the whole list is never complete: in every turn for some that were listed before.
    async fn ask_one_by_one<L: Lists>(
        &mut self,
        lists: &L,
        sessions: &[KnownSession],
        now: impl Fn() -> Moment,
    ) -> Noted {
        let is_watched =
            |session: &&KnownSession| session.inferred.is_none() && self.watch.was_listed(session.session_id);
        let name = |session: &KnownSession| (session.app.clone(), session.stream.clone());
        let names: BTreeSet<_> = sessions.iter().filter(is_watched).map(name).collect();
        let is_later = |name: &&(String, String)| self.asked.as_ref().is_none_or(|asked| *name > asked);
        let later = names.iter().filter(is_later);
        let turn: Vec<_> = later.chain(names.iter()).take(MAX_SINGLE.min(names.len())).cloned().collect();
        let steady = now().steady;
        let mut answers: Vec<CompleteSweep> = Vec::new();
        for (app, stream) in turn {
            match read_list(lists, &self.domain, Some((&app, &stream)), || now().at).await.outcome {
                ListOutcome::Complete(list) => answers.push(list),
                ListOutcome::Torn(..) => {}
                ListOutcome::Failed(..) => break,
            }
            self.asked = Some((app, stream));
        }
        CompleteSweep::together(answers).map(|list| self.watch.note(&list, sessions, steady)).unwrap_or_default()
    }
}
