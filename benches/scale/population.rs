//! Domains, streams and pushes, skewed as in production: a few domains have most streams, a few streams flap all day,
//! some encoders run for weeks, and sometimes something goes wrong. The same size and instant give the same population.

use streamtally::session::StreamKey;
use uuid::Uuid;

use super::noise::{below, noise, share};

const DOMAINS: u64 = 200;
const DAY: u32 = 86_400;
const YEAR: u32 = 365 * DAY;

/// The template of all renditions.
pub(super) const TEMPLATE: &str = "hd";

/// The whole population, independent of what the log records of it.
pub(super) struct Population {
    pub streams: Vec<Stream>,
    /// Ordered by start.
    pub pushes: Vec<Push>,
}

pub(super) struct Stream {
    pub key: StreamKey,
    pub shard: i16,
    pub is_rendition: bool,
    /// The key that signs its callbacks; `None` for unsigned domains.
    pub key_id: Option<Uuid>,
}

/// A push of a stream. Times are Unix seconds.
#[derive(Clone, Copy)]
pub(super) struct Push {
    pub stream: u32,
    pub started: u32,
    /// Meaningless for a live push.
    pub ended: u32,
    pub fate: Fate,
}

/// The fate of a push and of its callbacks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Ordinary,
    Live,
    Superseded,
    TimedOut,
    EndedByOperator,
    StartMissing,
    EndBeforeStart,
    KeyConflict,
    /// An additional callback is quarantined.
    Suspicious,
    /// All callbacks are quarantined.
    Unseen,
}

/// The names of the domains, the busiest first.
pub(super) fn domains() -> impl Iterator<Item = String> {
    (0..DOMAINS).map(domain)
}

fn domain(number: u64) -> String {
    format!("push.customer{number:03}.example")
}

/// The key of a domain; `None` for the few unsigned ones.
pub(super) fn key_of_domain(number: u64) -> Option<Uuid> {
    (number % 20 != 19).then(|| Uuid::from_u64_pair(noise(number, 1), noise(number, 2)))
}

impl Population {
    /// `ended` pushes that have ended, and a hundredth of that number that are live at `now`.
    pub(super) fn new(ended: u32, now: u32) -> Self {
        let streams = (ended / 100 * 3).max(30);
        let counts = counts_of_pushes(u64::from(streams), u64::from(ended));
        let mut pushes = Vec::with_capacity(usize::try_from(ended + ended / 50).unwrap_or_default());
        for (stream, count) in (0..streams).zip(counts) {
            push_stream(&mut pushes, stream, count, now);
        }
        pushes.sort_unstable_by_key(|push| (push.started, push.stream));
        Self { streams: (0..u64::from(streams)).map(Stream::new).collect(), pushes }
    }
}

impl Stream {
    fn new(number: u64) -> Self {
        // A rendition follows its source.
        let is_rendition = is_rendition(number);
        let source = if is_rendition { number - 1 } else { number };
        let domain_number = domain_number(source);
        let kinds = ["room", "camera", "studio", "user", "match", "channel"];
        let kind = kinds.get(usize::try_from(below(6, source, 3)).unwrap_or_default()).unwrap_or(&"room");
        let apps = ["live", "event", "radio"];
        let app = below(1 + domain_number % 3, source, 4);
        let app = apps.get(usize::try_from(app).unwrap_or_default()).unwrap_or(&"live");
        let suffix = if is_rendition { format!("_{TEMPLATE}") } else { String::new() };
        let key = StreamKey {
            domain: domain(domain_number),
            app: (*app).to_owned(),
            stream: format!("{kind}-{:04x}-{source}{suffix}", noise(source, 5) >> 48),
        };
        Self { shard: key.shard(16), key, is_rendition, key_id: key_of_domain(domain_number) }
    }
}

fn is_rendition(stream: u64) -> bool {
    stream % 7 == 6
}

/// The busiest of 200 domains has a sixth of the streams.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 199")]
fn domain_number(stream: u64) -> u64 {
    (200.0 * share(stream, 6).powi(3)) as u64 % DOMAINS
}

fn flaps(stream: u64) -> bool {
    stream.is_multiple_of(5_000)
}

/// Whether a stream runs around the clock.
fn never_rests(stream: u64) -> bool {
    stream % 300 == 1
}

/// The number of pushes of each stream. The flapping streams have an eighth of all pushes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "sizes")]
fn counts_of_pushes(streams: u64, ended: u64) -> Vec<u64> {
    let weight = |stream| match stream {
        stream if flaps(stream) => 0.0,
        stream if never_rests(stream) => 0.3,
        stream => share(stream, 7).max(0.001).powf(-0.6),
    };
    let whole: f64 = (0..streams).map(weight).sum();
    let scale = ended as f64 * 0.875 / whole;
    let mut counts: Vec<u64> = (0..streams).map(|stream| (weight(stream) * scale) as u64).collect();
    let mut left = ended - counts.iter().sum::<u64>();
    let mut flapping = (0..streams).filter(|stream| flaps(*stream)).count() as u64;
    for (_, count) in (0..streams).zip(&mut counts).filter(|(stream, _)| flaps(*stream)) {
        *count = left / flapping;
        left -= *count;
        flapping -= 1;
    }
    counts
}

/// Adds the pushes of one stream: `count` ended ones, and possibly a live one.
fn push_stream(pushes: &mut Vec<Push>, stream: u32, count: u64, now: u32) {
    let number = u64::from(stream);
    let live_since = (stream % 3 == 2).then(|| now - live_for(number));
    let until = live_since.unwrap_or(now).min(now - DAY / 8) - 60;
    let span = u64::from(until - (now - YEAR));
    let begin = |push| until - 1 - u32::try_from(below(span, number << 24 | push, 8)).unwrap_or_default();
    let mut starts: Vec<u32> = (0..count).map(begin).collect();
    starts.sort_unstable();
    starts.dedup();
    for (index, started) in starts.iter().copied().enumerate() {
        let next = starts.get(index + 1).copied();
        let room = next.or(live_since).unwrap_or(until) - started;
        let lasts = if never_rests(number) { room.saturating_sub(10) } else { lasts(number, started) };
        let ended = started + lasts.min(room.saturating_sub(2));
        pushes.push(fated(Push { stream, started, ended, fate: Fate::Ordinary }, next));
    }
    if let Some(started) = live_since {
        pushes.push(Push { stream, started, ended: u32::MAX, fate: Fate::Live });
    }
}

/// Mostly hours; a few streams have been live for weeks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most some weeks")]
fn live_for(stream: u64) -> u32 {
    let mean = if below(40, stream, 9) == 0 || never_rests(stream) { 10.0 * f64::from(DAY) } else { 7_200.0 };
    5 + ((-share(stream, 10).max(0.001).ln()) * mean) as u32
}

/// Half an hour, within a factor of four.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most some days")]
fn lasts(stream: u64, started: u32) -> u32 {
    let thing = stream << 32 | u64::from(started);
    let around_zero = share(thing, 11) + share(thing, 12) + share(thing, 13) - 1.5;
    (1_800.0 * (around_zero * 3.0).exp()) as u32
}

/// Chooses the fate of an ended push. `next` is the start of the stream's next push.
fn fated(push: Push, next: Option<u32>) -> Push {
    let thing = u64::from(push.stream) << 32 | u64::from(push.started);
    let fate = match below(10_000, thing, 14) {
        0..100 if next.is_some() => Fate::Superseded,
        100..110 if push.ended - push.started > DAY => Fate::TimedOut,
        110..115 => Fate::EndedByOperator,
        115..165 => Fate::StartMissing,
        165..185 => Fate::EndBeforeStart,
        185..195 => Fate::KeyConflict,
        195..245 => Fate::Suspicious,
        245..255 => Fate::Unseen,
        _ => Fate::Ordinary,
    };
    let ended = match fate {
        Fate::Superseded => next.unwrap_or(push.ended),
        Fate::TimedOut => push.started + DAY,
        _ => push.ended,
    };
    Push { ended, fate, ..push }
}
