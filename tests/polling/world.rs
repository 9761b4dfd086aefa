//! A world of pushes, whose callbacks are lost at times, and a service that reads the provider's lists.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fake_live_api::{Push, Settings};
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use streamtally::model::session::EndSource;
use streamtally::polling::turn::{DomainPolling, Outcome, Turn};
use streamtally::polling::watch::{Conclusion, InferredEnd, KnownSession, Watch};
use streamtally::session::entry::Receipt;
use streamtally::session::{Details, Entry, Fact, Session, SessionKey, StreamKey, fold, lifecycle};

use super::history::LookedUp;
use super::provider::{DOMAIN, Failure, Provider};

/// How long a later push must last to supersede an earlier one.
const SUPERSEDES: TimeDelta = TimeDelta::minutes(5);

/// A push of the world, with what became of its callbacks.
#[derive(Debug, Clone)]
pub struct Told {
    pub push: Push,
    /// When its callbacks arrive; `None`: they are lost.
    pub start_arrives_at: Option<DateTime<Utc>>,
    pub end_arrives_at: Option<DateTime<Utc>>,
}

impl Told {
    pub fn ended_at(&self) -> DateTime<Utc> {
        self.push.ended_at.unwrap()
    }
}

pub struct World {
    pub provider: Provider,
    pub told: Vec<Told>,
    pub polling: DomainPolling,
    pub sessions: BTreeMap<(String, i64), Session>,
    /// When the service began to watch.
    pub begin: DateTime<Utc>,
    random: StdRng,
    position: i64,
    pub looked_up: LookedUp,
    /// Whether sessions are superseded, as the service does without lists.
    pub supersedes: bool,
    /// How often many sessions seemed to disappear at once.
    pub mass_absences: usize,
    pub complete_lists: usize,
}

/// The chances of a world.
#[derive(Debug, Clone, Copy)]
pub struct Chances {
    pub streams: usize,
    pub lost_starts: f64,
    pub lost_ends: f64,
    /// Minutes of a push, at most.
    pub minutes: i64,
    /// Hours until the last push ends.
    pub hours: i64,
}

impl World {
    pub fn new(seed: u64, settings: Settings, chances: Chances) -> Self {
        let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let provider = Provider::new(seed, settings, begin);
        let mut random = StdRng::seed_from_u64(seed);
        let told = make(&mut random, begin, chances);
        {
            let api = &mut provider.api.lock().unwrap();
            api.world.add_domain(DOMAIN);
            for told in &told {
                api.world.add_push(told.push.clone());
            }
        }
        let watch = Watch::new(TimeDelta::hours(6), [], Duration::ZERO);
        let polling = DomainPolling::new(DOMAIN.to_owned(), watch);
        Self {
            provider,
            told,
            polling,
            sessions: BTreeMap::new(),
            begin,
            random,
            position: 0,
            looked_up: LookedUp::default(),
            supersedes: true,
            mass_absences: 0,
            complete_lists: 0,
        }
    }

    /// A minute: callbacks arrive, and the lists are read.
    pub fn turn(&mut self) -> Turn<Failure> {
        self.provider.pass(Duration::from_millis(self.random.random_range(54_000..66_000)));
        self.receive();
        let known = self.known();
        let provider = &self.provider;
        let turn = self.polling.turn(provider, &known, || provider.now()).now_or_never().unwrap();
        self.mass_absences += usize::from(self.polling.has_mass_absence());
        self.complete_lists += usize::from(matches!(turn.outcome, Outcome::Complete));
        // Callbacks arrive while the lists are read, too.
        self.receive();
        for finding in &turn.findings {
            let session = known.iter().find(|known| known.session_id == finding.session_id).unwrap();
            let key = (session.stream.clone(), session.started_at.timestamp());
            let fact = match finding.conclusion.clone() {
                Conclusion::Listed { listed_at } => Fact::Listed { listed_at },
                Conclusion::Unlisted(unlisted) => Fact::Unlisted(unlisted),
            };
            self.append(key, fact);
        }
        if self.supersedes {
            self.supersede();
        }
        turn
    }

    fn receive(&mut self) {
        let now = self.provider.now().at;
        let receipt = |received_at| Receipt {
            received_at,
            signature_expires_at: None,
            shares_signature: false,
            details: Details::default(),
        };
        for index in 0..self.told.len() {
            let told = &mut self.told[index];
            let key = (told.push.stream.clone(), told.push.started_at.timestamp());
            let start = told.start_arrives_at.take_if(|at| *at <= now);
            let end = told.end_arrives_at.take_if(|at| *at <= now);
            if let Some(at) = start {
                self.append(key.clone(), Fact::Started(receipt(at)));
            }
            if let Some(at) = end {
                self.append(key, Fact::Ended(receipt(at)));
            }
        }
    }

    pub fn append(&mut self, key: (String, i64), fact: Fact) {
        self.position += 1;
        let recorded_at = self.provider.now().at;
        let entry = Entry { position: self.position, recorded_at, fact };
        fold(self.sessions.entry(key).or_default(), &entry);
    }

    /// What the service would ask the lists about.
    pub fn known(&self) -> Vec<KnownSession> {
        let known = |((stream, start), session): (&(String, i64), &Session)| {
            let started_at = DateTime::from_timestamp(*start, 0).unwrap();
            let end = lifecycle::end(session, started_at);
            if end.is_some_and(|(_, source)| source.is_confirmed()) {
                return None;
            }
            Some(KnownSession {
                session_id: id(stream, *start),
                app: "live".to_owned(),
                stream: stream.clone(),
                started_at,
                known_live_at: lifecycle::known_live_at(started_at, session.confirmed_at),
                inferred: end.map(|(ended_at, source)| InferredEnd { ended_at, source }),
            })
        };
        self.sessions.iter().filter_map(known).collect()
    }

    /// Sessions that a later push of their stream supersedes, unless the list has had them a short time ago.
    fn supersede(&mut self) {
        let now = self.provider.now().at;
        let sighted: BTreeMap<_, _> = self.polling.sightings().collect();
        let mut superseded = Vec::new();
        for ((stream, start), session) in &self.sessions {
            let is_sighted = sighted.get(&id(stream, *start)).is_some_and(|listed_at| now - *listed_at < SUPERSEDES);
            if lifecycle::has_ended(session) || is_sighted {
                continue;
            }
            let later = self.sessions.range((stream.clone(), *start + 1)..=(stream.clone(), i64::MAX)).find(
                |((_, later), other)| {
                    let later = DateTime::from_timestamp(*later, 0).unwrap();
                    let end = lifecycle::end(other, later).map_or(now, |(at, _)| at);
                    other.start_received_at.is_some_and(|at| now - at >= SUPERSEDES)
                        && end - later >= SUPERSEDES
                        && session.listed_at.is_none_or(|listed_at| later > listed_at)
                },
            );
            if let Some(((_, later), _)) = later {
                superseded.push(((stream.clone(), *start), DateTime::from_timestamp(*later, 0).unwrap()));
            }
        }
        for (key, ended_at) in superseded {
            self.append(key, Fact::Superseded { ended_at });
        }
    }

    /// The end that the service shows of a push; `None` while it shows none.
    pub fn shown(&self, push: &Push) -> Option<(DateTime<Utc>, EndSource)> {
        let start = push.started_at.timestamp();
        let session = self.sessions.get(&(push.stream.clone(), start))?;
        lifecycle::end(session, DateTime::from_timestamp(start, 0).unwrap())
    }

    /// Whether a later push of the stream has begun, and not lasted for long: the stream may be listed by it.
    pub fn is_back(&self, push: &Push) -> bool {
        let now = self.provider.now().at;
        let is_later = |other: &Push| {
            let lasts = other.ended_at.map_or(now, |ended_at| ended_at.min(now)) - other.started_at;
            other.stream == push.stream
                && push.started_at < other.started_at
                && other.started_at <= now
                && (lasts < SUPERSEDES * 3 || other.ended_at.is_some_and(|ended_at| now - ended_at < SUPERSEDES * 3))
        };
        self.told.iter().any(|told| is_later(&told.push))
    }

    /// The pushes that are on air, and that the service shows as ended.
    pub fn wrongly_ended(&self) -> Vec<(Push, (DateTime<Utc>, EndSource))> {
        let now = self.provider.now().at;
        let on_air = self.told.iter().map(|told| &told.push).filter(|push| push.is_on_air(now));
        on_air.filter_map(|push| Some((push.clone(), self.shown(push)?))).collect()
    }
}

pub fn id(stream: &str, start: i64) -> uuid::Uuid {
    let stream = StreamKey { domain: DOMAIN.to_owned(), app: "live".to_owned(), stream: stream.to_owned() };
    SessionKey { stream, publish_timestamp: start }.id().0
}

/// Streams that push again and again.
fn make(random: &mut StdRng, begin: DateTime<Utc>, chances: Chances) -> Vec<Told> {
    let mut told = Vec::new();
    let last = begin + TimeDelta::hours(chances.hours);
    for number in 0..chances.streams {
        let mut at = begin + TimeDelta::milliseconds(random.random_range(0..1_800_000));
        while at < last {
            let length = TimeDelta::milliseconds(random.random_range(1_000..chances.minutes * 60_000));
            let ended_at = at + length;
            let push = Push::new(DOMAIN, "live", &format!("room{number}"), at).ending(ended_at);
            let start_arrives_at = arrival(random, at, chances.lost_starts);
            let end_arrives_at = arrival(random, ended_at, chances.lost_ends);
            told.push(Told { push, start_arrives_at, end_arrives_at });
            at = ended_at + TimeDelta::milliseconds(random.random_range(1_000..1_200_000));
        }
    }
    told
}

/// When a callback arrives: at once, or, at times, late. `None`: it is lost.
fn arrival(random: &mut StdRng, happened_at: DateTime<Utc>, lost: f64) -> Option<DateTime<Utc>> {
    let is_lost = random.random_bool(lost);
    let latest = if random.random_bool(0.05) { 120_000 } else { 2_000 };
    let delay = TimeDelta::milliseconds(random.random_range(100..latest));
    (!is_lost).then_some(happened_at + delay)
}
