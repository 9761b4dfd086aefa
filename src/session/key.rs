//! What identifies a stream and a session.
//!
//! Ids are UUIDs of version 5 over the key alone: opaque and stable, the same in every installation and after every
//! rebuild. The shard follows from the stream, so that all sessions of a stream live together.
//!
//! It follows from the three names *joined*, as the signature covers them: all pushes that one signature could be made
//! to fit live in one shard, whose log says which of them came first.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// The namespace of all our ids. Never to change: ids are promised to be stable.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d9b_2a54_1c0e_4f4e_9a58_5f0c_6b1e_83d1);

/// A stream: what an encoder can push to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamKey {
    pub domain: String,
    pub app: String,
    pub stream: String,
}

/// A session: one push of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey {
    pub stream: StreamKey,
    /// Unix second at which the push began; what tells two pushes of a stream apart.
    pub publish_timestamp: i64,
}

/// Opaque id of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StreamId(pub Uuid);

/// Opaque id of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SessionId(pub Uuid);

impl StreamKey {
    /// The id of this stream.
    pub fn id(&self) -> StreamId {
        StreamId(Uuid::new_v5(&NAMESPACE, self.joined().as_bytes()))
    }

    /// The shard that this stream lives in, of `shards` that the installation was made with.
    ///
    /// # Panics
    /// When `shards` is not positive, which no installation is made with.
    pub fn shard(&self, shards: i16) -> i16 {
        assert!(shards > 0, "an installation has at least one shard");
        let as_signed = [self.domain.as_str(), &self.app, &self.stream].concat();
        let (high, _) = Uuid::new_v5(&NAMESPACE, as_signed.as_bytes()).as_u64_pair();
        i16::try_from(high % u64::from(shards.unsigned_abs())).unwrap_or_default()
    }

    /// NUL stands in no name (control characters are rejected at receipt), so no two keys are joined alike.
    fn joined(&self) -> String {
        format!("{}\0{}\0{}", self.domain, self.app, self.stream)
    }
}

impl SessionKey {
    /// The id of this session.
    pub fn id(&self) -> SessionId {
        let name = format!("{}\0{}", self.stream.joined(), self.publish_timestamp);
        SessionId(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }
}

/// `publish_timestamp` as a time.
///
/// # Panics
/// When it is not a timestamp of ten digits or fewer, which neither the parser nor the schema lets through.
pub fn started_at(publish_timestamp: i64) -> DateTime<Utc> {
    match DateTime::from_timestamp(publish_timestamp, 0) {
        Some(time) => time,
        None => unreachable!("publish timestamps have at most ten digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(domain: &str, app: &str, stream: &str) -> StreamKey {
        StreamKey { domain: domain.into(), app: app.into(), stream: stream.into() }
    }

    // Computed with another implementation of RFC 9562.
    #[test]
    fn ids_are_what_they_always_were() {
        let stream = key("push.example.com", "live", "example_stream");
        assert_eq!(stream.id().0.to_string(), "ff3b57df-f8ed-56a7-a563-f32738d44061");
        let session = SessionKey { stream, publish_timestamp: 1_587_954_134 };
        assert_eq!(session.id().0.to_string(), "92bd5357-5fc9-565e-be80-719cdd1fda68");
    }

    #[test]
    fn no_two_keys_share_an_id() {
        assert_ne!(key("a", "bc", "d").id(), key("ab", "c", "d").id());
        assert_ne!(key("a", "b", "cd").id(), key("a", "bc", "d").id());
        let session = |stream: &str, publish_timestamp| SessionKey { stream: key("a", "b", stream), publish_timestamp };
        assert_ne!(session("c1", 23).id(), session("c", 123).id());
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
