//! The event log of a population: its events with their times and positions.

use chrono::{DateTime, TimeDelta, Utc};
use streamtally::model::event::{Disposition, Origin, OwnEvent, Signature};
use streamtally::reconciler::entry::entry_of;
use streamtally::reconciler::row::{self, Written};
use streamtally::session::{SessionId, SessionKey, fold};
use streamtally::store::log::EntryRow;
use uuid::Uuid;

use super::noise::{below, noise};
use super::population::{Fate, Population, Push, Stream, TEMPLATE};

/// An event of the log.
#[derive(Clone, Copy)]
pub(super) struct Occurrence {
    received_ms: i64,
    position: i64,
    push: u32,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Start,
    StartAgain,
    StartElsewhere,
    End,
    EndAgain,
    Superseded,
    TimedOut,
    OperatorEnd,
    Quarantined,
}

/// The last event of a shard at some instant.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
}

pub(super) struct History {
    population: Population,
    occurrences: Vec<Occurrence>,
    /// Older events have been dropped.
    horizon: DateTime<Utc>,
}

/// An event with the columns that only the log has.
pub(super) struct LogRow {
    pub shard: i16,
    pub entry: EntryRow,
    pub event_id: Uuid,
    pub reason: Option<&'static str>,
    pub key_id: Option<Uuid>,
    pub auth_sign: Option<Vec<u8>>,
    pub signature_tag: Option<i64>,
    pub source_ip: Option<String>,
    pub actor: Option<&'static str>,
}

impl History {
    /// All events of these pushes until `now`.
    pub(super) fn new(population: Population, horizon: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut occurrences = Vec::with_capacity(population.pushes.len() * 5 / 2);
        for (number, push) in (0..).zip(&population.pushes) {
            let occur =
                |what, received_ms| occurrences.push(Occurrence { received_ms, position: 0, push: number, what });
            list_occurrences(number, push, occur);
        }
        let now = now.timestamp_millis() - 100;
        occurrences.retain(|occurrence| occurrence.received_ms <= now);
        occurrences.sort_unstable_by_key(|occurrence| (occurrence.received_ms, occurrence.push, occurrence.what));
        let mut heads = [0; 16];
        for occurrence in &mut occurrences {
            let push = of(&population.pushes, occurrence.push);
            let head = heads.get_mut(usize::from(of(&population.streams, push.stream).shard.unsigned_abs()));
            let Some(head) = head else { unreachable!("there are 16 shards") };
            *head += 1;
            occurrence.position = *head;
        }
        Self { population, occurrences, horizon }
    }

    /// The last event of each shard at an instant.
    pub(super) fn places_at(&self, moment: DateTime<Utc>) -> [Place; 16] {
        let mut places = [Place { position: 0, recorded_at: DateTime::UNIX_EPOCH }; 16];
        for occurrence in self.occurrences.iter().take_while(|occurrence| occurrence.recorded_at() < moment) {
            let (_, stream) = self.subject(occurrence.push);
            if let Some(place) = places.get_mut(usize::from(stream.shard.unsigned_abs())) {
                *place = Place { position: occurrence.position, recorded_at: occurrence.recorded_at() };
            }
        }
        places
    }

    /// The events recorded in a period, in order.
    pub(super) fn log_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = LogRow> {
        let first = self.occurrences.partition_point(|occurrence| occurrence.recorded_at() < from);
        let last = self.occurrences.partition_point(|occurrence| occurrence.recorded_at() < to);
        self.occurrences.iter().take(last).skip(first).map(|occurrence| self.log_row(*occurrence))
    }

    /// Passes every session to `give`, ordered by start, as the production code folds it.
    pub(super) fn fold_all(mut self, mut give: impl FnMut(Written)) {
        let mut occurrences = std::mem::take(&mut self.occurrences);
        occurrences.sort_unstable_by_key(|occurrence| (occurrence.push, occurrence.position));
        for of_session in occurrences.chunk_by(|one, next| one.push == next.push) {
            let mut touched = None;
            for occurrence in of_session {
                let entry = self.entry(*occurrence);
                let session = touched.get_or_insert_with(|| row::begin(&entry));
                fold(&mut session.state, &entry_of(entry));
            }
            give(row::store(touched.into_iter()));
        }
    }

    fn subject(&self, push: u32) -> (&Push, &Stream) {
        let push = of(&self.population.pushes, push);
        (push, of(&self.population.streams, push.stream))
    }

    fn log_row(&self, occurrence: Occurrence) -> LogRow {
        let (_, stream) = self.subject(occurrence.push);
        let entry = self.entry(occurrence);
        let thing = u64::from(occurrence.push) << 4 | occurrence.what as u64;
        let message = entry.auth_timestamp.is_some();
        let tag = noise(u64::from(occurrence.push) << 1 | u64::from(entry.event == "PUBLISH"), 20);
        let is_first = matches!(occurrence.what, What::Start | What::End);
        LogRow {
            shard: stream.shard,
            event_id: uuid::Builder::from_random_bytes(
                Uuid::from_u64_pair(noise(thing, 21), noise(thing, 22)).into_bytes(),
            )
            .into_uuid(),
            reason: (entry.disposition == Disposition::Quarantined).then_some("expired"),
            key_id: stream.key_id.filter(|_| message),
            auth_sign: message.then(|| tag.to_be_bytes().repeat(4)),
            signature_tag: (message && is_first).then_some(tag.cast_signed()),
            source_ip: (entry.origin == Origin::Provider).then(|| "198.51.100.7".to_owned()),
            actor: (entry.origin == Origin::Operator).then_some("support"),
            entry,
        }
    }

    fn entry(&self, occurrence: Occurrence) -> EntryRow {
        let (push, stream) = self.subject(occurrence.push);
        let what = occurrence.what;
        let key = SessionKey { stream: stream.key.clone(), publish_timestamp: i64::from(push.started) };
        let SessionId(session_id) = key.id();
        let (origin, event) = what.words();
        let is_message = origin == Origin::Provider;
        let ended_at = DateTime::from_timestamp(i64::from(push.ended), 0).filter(|_| !is_message);
        let verified = is_message && stream.key_id.is_some();
        // Events before the horizon were redacted before they were dropped.
        let blanked = is_message && occurrence.recorded_at() < self.horizon;
        let shown = |text: String| (is_message && !blanked).then_some(text);
        let thing = u64::from(push.stream);
        let node = if what == What::StartElsewhere { 255 } else { below(40, thing, 23) };
        EntryRow {
            shard: stream.shard,
            position: occurrence.position,
            recorded_at: occurrence.recorded_at(),
            received_at: DateTime::from_timestamp_millis(occurrence.received_ms).unwrap_or_default(),
            session_id,
            publish_timestamp: key.publish_timestamp,
            origin,
            event: event.to_owned(),
            disposition: if what == What::Quarantined { Disposition::Quarantined } else { Disposition::Accepted },
            signature: is_message.then_some(if verified { Signature::Verified } else { Signature::Unsigned }),
            auth_timestamp: verified.then(|| occurrence.received_ms / 1_000 + 300),
            signature_shared_with: None,
            client_ip: shown(format!("10.{}.{}.{}", thing >> 16 & 255, thing >> 8 & 255, thing & 255)),
            node_ip: shown(format!("203.0.113.{node}")),
            user_args: shown(format!("vhost={}&token=masked:{:08x}", stream.key.domain, noise(thing, 24) >> 32)),
            blanked,
            rendition_template: (is_message && stream.is_rendition).then(|| TEMPLATE.to_owned()),
            ended_at,
            domain: key.stream.domain,
            app: key.stream.app,
            stream: key.stream.stream,
            original_event: None,
            original_received_at: None,
        }
    }
}

impl Occurrence {
    fn recorded_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.received_ms).unwrap_or_default() + TimeDelta::milliseconds(3)
    }
}

impl What {
    /// The origin and the name of the event.
    fn words(self) -> (Origin, &'static str) {
        let own = |event: OwnEvent| (event.origin(), event.as_str());
        match self {
            Self::Start | Self::StartAgain | Self::StartElsewhere | Self::Quarantined => (Origin::Provider, "PUBLISH"),
            Self::End | Self::EndAgain => (Origin::Provider, "PUBLISH_DONE"),
            Self::Superseded => own(OwnEvent::Superseded),
            Self::TimedOut => own(OwnEvent::TimedOut),
            Self::OperatorEnd => own(OwnEvent::OperatorEnd),
        }
    }
}

/// Passes the events of a push to `occur`, with their times in Unix milliseconds.
fn list_occurrences(number: u32, push: &Push, mut occur: impl FnMut(What, i64)) {
    let thing = u64::from(number);
    let soon = |question| 200 + i64::try_from(below(2_500, thing, question)).unwrap_or_default();
    let (started, ended) = (i64::from(push.started) * 1_000, i64::from(push.ended) * 1_000);
    let start_received = if push.fate == Fate::EndBeforeStart { started - 9_000 } else { started + soon(30) };
    let (has_start, has_end) = match push.fate {
        Fate::Unseen => (false, false),
        Fate::StartMissing => (false, true),
        Fate::Live | Fate::Superseded | Fate::TimedOut | Fate::EndedByOperator => (true, false),
        _ => (true, true),
    };
    if has_start {
        occur(What::Start, start_received);
        if below(33, thing, 31) == 0 {
            occur(What::StartAgain, start_received + 10 * soon(32));
        }
    }
    if has_end {
        let received = if push.fate == Fate::EndBeforeStart { started - 4_000 } else { ended + soon(33) };
        occur(What::End, received);
        if below(33, thing, 34) == 0 {
            occur(What::EndAgain, received + 10 * soon(35));
        }
    }
    match push.fate {
        Fate::Superseded => occur(What::Superseded, ended + 301_000 + soon(36)),
        Fate::TimedOut => occur(What::TimedOut, ended + 60_000 + soon(36)),
        Fate::EndedByOperator => occur(What::OperatorEnd, ended + 3_600_000 + soon(36)),
        Fate::KeyConflict => occur(What::StartElsewhere, start_received + 200),
        Fate::Suspicious | Fate::Unseen => occur(What::Quarantined, started + 3_600_000 + soon(37)),
        _ => {}
    }
}

/// The item with a number.
fn of<T>(things: &[T], number: u32) -> &T {
    match usize::try_from(number).ok().and_then(|number| things.get(number)) {
        Some(thing) => thing,
        None => unreachable!("numbers are those of things that are there"),
    }
}
