//! The keys and ids of streams and sessions.
//!
//! Ids are functions of the key alone: opaque and stable, the same in every installation and after every rebuild. A
//! session's id begins with its start, so ids sort by start, and new sessions are added at the end of each index. The shard
//! follows from the stream, so all sessions of a stream are in one shard.
//!
//! The shard is computed from the *joined* three names, as the signature covers them: all pushes that one signature can
//! fit are in one shard, and its log determines which came first.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// The namespace of all ids. It must never change: the API promises stable ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d9b_2a54_1c0e_4f4e_9a58_5f0c_6b1e_83d1);

/// A stream, by its three names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamKey {
    pub domain: String,
    pub app: String,
    pub stream: String,
}

/// A session, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey {
    pub stream: StreamKey,
    /// Unix second at which the push started; distinguishes the pushes of a stream.
    pub publish_timestamp: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StreamId(pub Uuid);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SessionId(pub Uuid);

impl StreamKey {
    pub fn id(&self) -> StreamId {
        StreamId(Uuid::new_v5(&NAMESPACE, self.joined().as_bytes()))
    }

    /// The shard of this stream, out of `shards`, the number that the installation was created with.
    ///
    /// # Panics
    /// When `shards` is not positive, which no installation has.
    pub fn shard(&self, shards: i16) -> i16 {
        assert!(shards > 0, "an installation has at least one shard");
        let as_signed = [self.domain.as_str(), &self.app, &self.stream].concat();
        let (high, _) = Uuid::new_v5(&NAMESPACE, as_signed.as_bytes()).as_u64_pair();
        i16::try_from(high % u64::from(shards.unsigned_abs())).unwrap_or_default()
    }

    /// No name contains NUL (receiving rejects control characters), so different keys have different joined names.
    fn joined(&self) -> String {
        format!("{}\0{}\0{}", self.domain, self.app, self.stream)
    }
}

impl SessionKey {
    /// A version 8 UUID: the first 40 bits are `publish_timestamp`, the others those of the stream's id.
    pub fn id(&self) -> SessionId {
        let StreamId(stream) = self.stream.id();
        let of_stream = stream.as_u128() & ((1 << START_SHIFT) - 1);
        SessionId(Uuid::new_v8((start_bits(self.publish_timestamp) | of_stream).to_be_bytes()))
    }
}

/// How many bits of a session's id follow its start.
const START_SHIFT: u32 = 128 - 40;

/// The greatest number of seconds that 40 bits hold; `publish_timestamp` is always less.
const MAX_START: i64 = (1 << 40) - 1;

/// The lowest id that a session can have that began at `time` or later.
pub fn lowest_id_since(time: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(start_bits(time.timestamp() + i64::from(time.timestamp_subsec_nanos() > 0)))
}

fn start_bits(seconds: i64) -> u128 {
    u128::from(seconds.clamp(0, MAX_START).unsigned_abs()) << START_SHIFT
}

/// `publish_timestamp` as a time.
///
/// # Panics
/// When it has more than ten digits, which the parser and the schema prevent.
pub fn started_at(publish_timestamp: i64) -> DateTime<Utc> {
    match DateTime::from_timestamp(publish_timestamp, 0) {
        Some(time) => time,
        None => unreachable!("publish timestamps have at most ten digits"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn key(domain: &str, app: &str, stream: &str) -> StreamKey {
        StreamKey { domain: domain.into(), app: app.into(), stream: stream.into() }
    }

    // The expected ids were computed with another implementation of RFC 9562.
    #[test]
    fn ids_are_what_they_always_were() {
        let stream = key("push.example.com", "live", "example_stream");
        assert_eq!(stream.id().0.to_string(), "ff3b57df-f8ed-56a7-a563-f32738d44061");
        let session = SessionKey { stream, publish_timestamp: 1_587_954_134 };
        assert_eq!(session.id().0.to_string(), "005ea641-d6ed-86a7-a563-f32738d44061");
    }

    #[test]
    fn no_two_keys_share_an_id() {
        assert_ne!(key("a", "bc", "d").id(), key("ab", "c", "d").id());
        assert_ne!(key("a", "b", "cd").id(), key("a", "bc", "d").id());
        let session = |stream: &str, publish_timestamp| SessionKey { stream: key("a", "b", stream), publish_timestamp };
        assert_ne!(session("c1", 23).id(), session("c", 123).id());
    }

    #[test]
    fn ids_of_sessions_sort_by_start() {
        let id =
            |stream: &str, publish_timestamp| SessionKey { stream: key("a", "b", stream), publish_timestamp }.id().0;
        for number in 0..100 {
            let stream = format!("room{number}");
            assert!(id("room", 1_587_954_134) < id(&stream, 1_587_954_135));
            let since = lowest_id_since(started_at(1_587_954_135));
            assert!(id(&stream, 1_587_954_134) < since && since < id(&stream, 1_587_954_135));
            assert_eq!(lowest_id_since(started_at(1_587_954_134) + TimeDelta::nanoseconds(1)), since);
        }
        assert!(id("room", 9_999_999_998) < id("room", 9_999_999_999));
        assert_eq!(lowest_id_since(DateTime::<Utc>::MIN_UTC), Uuid::nil());
        assert!(lowest_id_since(started_at(9_999_999_999)) < lowest_id_since(DateTime::<Utc>::MAX_UTC));
    }

    #[test]
    fn streams_spread_over_all_shards_and_stay_there() {
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            let key = key("push.example.com", "live", &format!("room{number}"));
            let shard = key.shard(16);
            assert_eq!(shard, key.shard(16));
            counts[usize::try_from(shard).expect("not negative")] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn streams_that_one_signature_could_fit_share_a_shard() {
        for number in 0..100 {
            let shard = key("push.example.com", "live", &format!("2room{number}")).shard(16);
            assert_eq!(key("push.example.com", "live2", &format!("room{number}")).shard(16), shard);
            assert_eq!(key("push.example.co", "mlive", &format!("2room{number}")).shard(16), shard);
        }
    }
}
