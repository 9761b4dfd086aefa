//! What is sent to one webhook next. Pure: no I/O and no clock, so that its rules can be tested with every order of events.
//!
//! - Events of a stream are sent in order. One that fails holds back the later ones of its stream for at most
//!   [`ORDER_HOLD`], and no others.
//! - A receiver that fails for every event is *down*: one event at a time is sent as a probe, at growing intervals, each time
//!   another one. The others stay in the log, and no attempts are counted. When a probe succeeds, the window opens step by step.
//! - The cursor never passes an event that is neither delivered nor recorded as waiting or dead.
//! - Events that are replayed are sent when nothing else is due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::schedule::{pause_after, probe_pause};
use crate::model::webhook::{DeliveryState, WebhookEventType, WebhookKind};

/// How long a failed event holds back later ones of its stream.
pub const ORDER_HOLD: TimeDelta = TimeDelta::minutes(10);

/// The most concurrent attempts.
pub const MAX_WINDOW: usize = 8;

/// The most events in memory that were not attempted.
pub const MAX_FRESH: usize = 256;

/// How many events are read while a receiver is down.
const PROBE_ROOM: usize = 16;

/// The most events in memory that wait. A receiver that fails for more is down.
pub const MAX_WAITING: usize = 1_000;

/// A receiver is down when so many different events have failed in succession, or so many without being processed: no
/// connection, or overload.
const FAILURES_OF_A_RECEIVER: usize = 5;
const FAILED_CONNECTIONS_OF_A_RECEIVER: usize = 2;

/// An event's place: a shard of the log, or that of notices, and the position there.
pub type Place = (i16, i64);

/// An event to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same in all attempts, whichever process makes them.
    pub delivery_id: Uuid,
    pub event_type: WebhookEventType,
    pub place: Place,
    pub recorded_at: DateTime<Utc>,
    /// Events of one stream are sent in order.
    pub stream_id: Option<Uuid>,
    pub session_id: Option<Uuid>,
    /// Whether someone asked for it to be sent again.
    pub replayed: bool,
}

/// An event that has failed, or is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingEvent {
    pub event: Event,
    /// 0: it is replayed, and was not attempted since.
    pub attempts: usize,
    pub first_attempt_at: DateTime<Utc>,
    pub next_attempt_at: DateTime<Utc>,
}

/// What an attempt showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    Delivered,
    /// The receiver rejected this event.
    Rejected {
        retry_after: Option<TimeDelta>,
    },
    /// The receiver did not process it: it cannot be reached, or is overloaded.
    Unprocessed {
        retry_after: Option<TimeDelta>,
    },
    /// Nothing was sent: what the event consists of is no longer there.
    Lost,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// To be recorded, with the number of attempts.
    Recorded {
        state: DeliveryState,
        attempts: usize,
        first_attempt_at: DateTime<Utc>,
        next_attempt_at: Option<DateTime<Utc>>,
    },
    /// The receiver is down: the attempt does not count.
    PutBack,
}

#[derive(Debug)]
struct InFlight {
    event: Event,
    begun_at: DateTime<Utc>,
    /// `None`: it is fresh.
    waited: Option<Waited>,
}

/// What is known of an event that waited.
#[derive(Debug, Clone, Copy)]
struct Waited {
    attempts: usize,
    first_attempt_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

impl InFlight {
    /// How often it was attempted before, and when first.
    fn attempts_before(&self) -> (usize, DateTime<Utc>) {
        self.waited.map_or((0, self.begun_at), |waited| (waited.attempts, waited.first_attempt_at))
    }
}

#[derive(Debug)]
struct Down {
    probes: usize,
    next_probe_at: DateTime<Utc>,
    /// The event that is sent as a probe. Others may still be in flight from before.
    probe: Option<Uuid>,
    /// The events that were probes since all had their turn. A receiver may fail for one of them alone.
    probed: HashSet<Uuid>,
}

#[derive(Debug)]
pub struct Queue {
    kind: WebhookKind,
    fresh: VecDeque<Event>,
    in_flight: HashMap<Uuid, InFlight>,
    waiting: BTreeMap<(DateTime<Utc>, Uuid), WaitingEvent>,
    /// The places of fresh events and of those in flight that were fresh.
    unsettled: BTreeSet<Place>,
    /// Events after the cursor that were settled before it began: they are not sent again.
    settled: HashSet<Uuid>,
    read_to: BTreeMap<i16, i64>,
    window: usize,
    down: Option<Down>,
    /// The events that have failed since the last success.
    failed: HashSet<Uuid>,
    failed_connections: usize,
}

impl Queue {
    /// A queue that begins after a cursor. Of the events after it, some are settled already.
    pub fn new(kind: WebhookKind, cursor: impl IntoIterator<Item = Place>, settled: HashSet<Uuid>) -> Self {
        Self {
            kind,
            fresh: VecDeque::new(),
            in_flight: HashMap::new(),
            waiting: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            settled,
            read_to: cursor.into_iter().collect(),
            window: MAX_WINDOW,
            down: None,
            failed: HashSet::new(),
            failed_connections: 0,
        }
    }

    /// Adds events that wait, except those that it has already.
    pub fn extend_waiting(&mut self, waiting: Vec<WaitingEvent>) {
        let known: HashSet<Uuid> = self.waiting.values().map(|waiting| waiting.event.delivery_id).collect();
        for waiting in waiting {
            let delivery_id = waiting.event.delivery_id;
            if !known.contains(&delivery_id) && !self.in_flight.contains_key(&delivery_id) {
                self.waiting.insert((waiting.next_attempt_at, delivery_id), waiting);
            }
        }
    }

    /// How many events wait until a time.
    pub fn count_waiting(&self, until: DateTime<Utc>) -> usize {
        self.waiting.range(..=(until, Uuid::max())).count()
    }

    /// How many events to read next; 0 while there are enough.
    pub fn room(&self) -> usize {
        let free = MAX_FRESH.saturating_sub(self.fresh.len());
        match &self.down {
            None if self.is_full() => 0,
            None => free,
            // More candidates for a probe, when all have had their turn.
            Some(down) if self.fresh.iter().all(|event| down.probed.contains(&event.delivery_id)) => {
                free.min(PROBE_ROOM)
            }
            Some(_) => 0,
        }
    }

    fn is_full(&self) -> bool {
        self.fresh.len() > MAX_FRESH / 2
    }

    /// The position up to which each shard was read.
    pub fn read_to(&self) -> &BTreeMap<i16, i64> {
        &self.read_to
    }

    /// Adds events in order, from up to these positions. Returns those that were settled before.
    pub fn extend(&mut self, events: Vec<Event>, read_to: impl IntoIterator<Item = Place>) -> Vec<Event> {
        let is_settled = |event: &Event| self.settled.remove(&event.delivery_id);
        let (settled, fresh): (Vec<_>, Vec<_>) = events.into_iter().partition(is_settled);
        self.unsettled.extend(fresh.iter().map(|event| event.place));
        self.fresh.extend(fresh);
        self.read_to.extend(read_to);
        settled
    }

    /// The event to attempt at `now`, if any. The caller reports the result to [`Self::settle`].
    pub fn begin_next(&mut self, now: DateTime<Utc>) -> Option<Event> {
        let (event, waited) = match &self.down {
            None if self.in_flight.len() < self.window => self.take_next(now),
            Some(down) if self.in_flight.is_empty() && down.next_probe_at <= now => self.take_probe(now),
            None | Some(_) => None,
        }?;
        let in_flight = InFlight { event: event.clone(), begun_at: now, waited };
        self.in_flight.insert(event.delivery_id, in_flight);
        Some(event)
    }

    fn take_next(&mut self, now: DateTime<Utc>) -> Option<(Event, Option<Waited>)> {
        let nothing = HashSet::new();
        self.take_waiting(now, |waiting| waiting.attempts > 0)
            .or_else(|| self.take_fresh(self.held(now), &nothing))
            // Nothing more is read meanwhile, so held streams must not hold back all others.
            .or_else(|| if self.is_full() { self.take_fresh(self.streams_in_flight(), &nothing) } else { None })
            .or_else(|| self.take_waiting(now, |waiting| waiting.attempts == 0))
    }

    /// An event that was no probe yet. When all were, they have their turn again.
    fn take_probe(&mut self, now: DateTime<Utc>) -> Option<(Event, Option<Waited>)> {
        let mut probed = self.down.as_mut().map(|down| std::mem::take(&mut down.probed)).unwrap_or_default();
        let taken = self.take_unprobed(now, &probed).or_else(|| {
            probed.clear();
            self.take_unprobed(now, &probed)
        });
        let probe = taken.as_ref().map(|(event, _)| event.delivery_id);
        probed.extend(probe);
        if let Some(down) = &mut self.down {
            (down.probe, down.probed) = (probe, probed);
        }
        taken
    }

    fn take_unprobed(&mut self, now: DateTime<Utc>, probed: &HashSet<Uuid>) -> Option<(Event, Option<Waited>)> {
        let is_new = |waiting: &WaitingEvent| !probed.contains(&waiting.event.delivery_id);
        self.take_waiting(now, is_new)
            .or_else(|| self.take_fresh(self.held(now), probed))
            .or_else(|| self.take_waiting(DateTime::<Utc>::MAX_UTC, is_new))
    }

    /// An event that waits until a time at most.
    fn take_waiting(
        &mut self,
        until: DateTime<Utc>,
        is_meant: impl Fn(&WaitingEvent) -> bool,
    ) -> Option<(Event, Option<Waited>)> {
        let attempted = self.streams_in_flight();
        let is_free = |event: &Event| event.stream_id.is_none_or(|stream_id| !attempted.contains(&stream_id));
        let mut due = self.waiting.range(..=(until, Uuid::max()));
        let key = due.find(|(_, waiting)| is_meant(waiting) && is_free(&waiting.event)).map(|(key, _)| *key)?;
        let WaitingEvent { event, attempts, first_attempt_at, next_attempt_at } = self.waiting.remove(&key)?;
        Some((event, Some(Waited { attempts, first_attempt_at, due_at: next_attempt_at })))
    }

    /// The first event of a stream that is not held, and is not to be skipped.
    fn take_fresh(&mut self, mut held: HashSet<Uuid>, skipped: &HashSet<Uuid>) -> Option<(Event, Option<Waited>)> {
        let index = self.fresh.iter().position(|event| {
            let is_free = event.stream_id.is_none_or(|stream_id| !held.contains(&stream_id));
            let is_taken = is_free && !skipped.contains(&event.delivery_id);
            if !is_taken {
                held.extend(event.stream_id);
            }
            is_taken
        })?;
        self.fresh.remove(index).map(|event| (event, None))
    }

    /// The streams of which no fresh event is sent: one is in flight, or has failed a short time ago.
    fn held(&self, now: DateTime<Utc>) -> HashSet<Uuid> {
        let mut held = self.streams_in_flight();
        let holds = |waiting: &&WaitingEvent| {
            waiting.attempts > 0 && !waiting.event.replayed && now < waiting.first_attempt_at + ORDER_HOLD
        };
        held.extend(self.waiting.values().filter(holds).filter_map(|waiting| waiting.event.stream_id));
        held
    }

    fn streams_in_flight(&self) -> HashSet<Uuid> {
        self.in_flight.values().filter_map(|in_flight| in_flight.event.stream_id).collect()
    }

    /// Takes the result of an attempt. `random` is between 0 and 1.
    pub fn settle(
        &mut self,
        delivery_id: Uuid,
        outcome: AttemptOutcome,
        now: DateTime<Utc>,
        random: f64,
    ) -> Option<Settled> {
        let in_flight = self.in_flight.remove(&delivery_id)?;
        let (retry_after, processed) = match outcome {
            AttemptOutcome::Delivered => return Some(self.settle_delivered(&in_flight)),
            AttemptOutcome::Lost => return Some(self.settle_lost(&in_flight)),
            AttemptOutcome::Rejected { retry_after } => (retry_after, true),
            AttemptOutcome::Unprocessed { retry_after } => (retry_after, false),
        };
        self.failed.insert(delivery_id);
        self.failed_connections = if processed { 0 } else { self.failed_connections + 1 };
        let is_down = self.down.is_some()
            || self.failed.len() >= FAILURES_OF_A_RECEIVER
            || self.failed_connections >= FAILED_CONNECTIONS_OF_A_RECEIVER
            || self.waiting.values().filter(|waiting| waiting.attempts > 0).count() >= MAX_WAITING;
        if is_down {
            if self.down.as_ref().is_none_or(|down| down.probe == Some(delivery_id)) {
                self.go_down(retry_after, now, random);
            }
            self.put_back(in_flight);
            return Some(Settled::PutBack);
        }
        Some(self.settle_failed(in_flight, retry_after, now, random))
    }

    fn settle_delivered(&mut self, in_flight: &InFlight) -> Settled {
        self.window = if self.down.take().is_some() { 1 } else { (self.window * 2).min(MAX_WINDOW) };
        self.failed.clear();
        self.failed_connections = 0;
        self.settle_as(DeliveryState::Delivered, in_flight)
    }

    /// An event that cannot be sent says nothing about the receiver.
    fn settle_lost(&mut self, in_flight: &InFlight) -> Settled {
        if let Some(down) = &mut self.down {
            down.probe = None;
        }
        self.settle_as(DeliveryState::Dead, in_flight)
    }

    fn settle_as(&mut self, state: DeliveryState, in_flight: &InFlight) -> Settled {
        self.unsettled.remove(&in_flight.event.place);
        let (attempts, first_attempt_at) = in_flight.attempts_before();
        Settled::Recorded { state, attempts: attempts + 1, first_attempt_at, next_attempt_at: None }
    }

    fn settle_failed(
        &mut self,
        in_flight: InFlight,
        retry_after: Option<TimeDelta>,
        now: DateTime<Utc>,
        random: f64,
    ) -> Settled {
        let (attempts, first_attempt_at) = in_flight.attempts_before();
        let event = in_flight.event;
        self.unsettled.remove(&event.place);
        let attempts = attempts + 1;
        let next_attempt_at = pause_after(self.kind, attempts, retry_after, random).map(|pause| now + pause);
        if let Some(next_attempt_at) = next_attempt_at {
            let key = (next_attempt_at, event.delivery_id);
            self.waiting.insert(key, WaitingEvent { event, attempts, first_attempt_at, next_attempt_at });
        }
        let state = if next_attempt_at.is_some() { DeliveryState::Waiting } else { DeliveryState::Dead };
        Settled::Recorded { state, attempts, first_attempt_at, next_attempt_at }
    }

    fn go_down(&mut self, retry_after: Option<TimeDelta>, now: DateTime<Utc>, random: f64) {
        let (before, probed) = self.down.take().map(|down| (down.probes, down.probed)).unwrap_or_default();
        let number = before + 1;
        let pause = TimeDelta::from_std(probe_pause(number, random)).unwrap_or(TimeDelta::MAX);
        let pause = retry_after.map_or(pause, |asked| pause.max(asked.min(TimeDelta::hours(1))));
        self.down = Some(Down { probes: number, next_probe_at: now + pause, probe: None, probed });
        self.window = 1;
    }

    /// Puts an event back to where it was: a fresh one is older than all fresh ones of its stream.
    fn put_back(&mut self, in_flight: InFlight) {
        let InFlight { event, waited, .. } = in_flight;
        match waited {
            Some(Waited { attempts, first_attempt_at, due_at: next_attempt_at }) => {
                let key = (next_attempt_at, event.delivery_id);
                self.waiting.insert(key, WaitingEvent { event, attempts, first_attempt_at, next_attempt_at });
            }
            None => self.fresh.push_front(event),
        }
    }

    /// When something is due after `now`, if nothing else happens.
    pub fn next_due_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = match &self.down {
            Some(down) => Some(down.next_probe_at),
            None => self.waiting.range((now, Uuid::max())..).next().map(|((at, _), _)| *at),
        };
        next.filter(|next| *next > now)
    }

    /// The position up to which each shard's events are settled.
    pub fn cursor(&self) -> impl Iterator<Item = Place> {
        self.read_to.iter().map(|(shard, read_to)| {
            let first = self.unsettled.range((*shard, i64::MIN)..=(*shard, i64::MAX)).next();
            (*shard, first.map_or(*read_to, |(_, position)| position - 1))
        })
    }
}

/// The order in which events are read.
pub fn before(one: &Event, other: &Event) -> bool {
    (one.recorded_at, one.place) < (other.recorded_at, other.place)
}

#[cfg(test)]
mod tests;
