//! Checks an imported event against the rules that every log follows.

use chrono::{DateTime, Utc};

use crate::huawei::notification::is_app_name;
use crate::session::{SessionKey, StreamKey};
use crate::store::transfer::RecordedEntryRow;

/// Why an event cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The shard does not exist, or is not the stream's.
    #[error("its stream belongs to another shard")]
    Shard,
    /// The session id does not follow from the names and `publish_timestamp`.
    #[error("its session_id is not that of its domain, app, stream and publish_timestamp")]
    Session,
    /// A name that receiving would reject.
    #[error("a name in it is empty or has characters that no name may have")]
    Name,
    /// The signature is malformed.
    #[error("its auth_sign is not 64 hexadecimal digits, or is_first_use is set without one")]
    Signature,
    /// Nothing could be appended after it.
    #[error("it was recorded in the future, by the clock of this database; set both clocks by NTP, then try again")]
    Future,
    /// The shard's first events are missing.
    #[error(
        "its shard's log does not begin at position 1: older events were dropped by retention, and cannot be imported"
    )]
    Beginning,
    /// Events are missing or out of order.
    #[error("its position does not follow the previous one of its shard")]
    Position,
    /// Times are out of order.
    #[error("it was recorded before the preceding event")]
    Disorder,
}

/// Checks an event that was exported from a log with `shards` shards, and returns its stream.
pub(super) fn check(entry: &RecordedEntryRow, shards: i16, now: DateTime<Utc>) -> Result<StreamKey, Unfit> {
    let RecordedEntryRow { domain, app, stream, publish_timestamp, .. } = entry;
    let is_name = |name: &String| !name.is_empty() && !name.chars().any(char::is_control);
    if ![domain, stream, &entry.event].into_iter().all(is_name) || !is_app_name(app) {
        return Err(Unfit::Name);
    }
    let stream = StreamKey { domain: domain.clone(), app: app.clone(), stream: stream.clone() };
    if stream.shard(shards) != entry.shard {
        return Err(Unfit::Shard);
    }
    let key = SessionKey { stream, publish_timestamp: *publish_timestamp };
    if key.id().0 != entry.session_id {
        return Err(Unfit::Session);
    }
    let is_signature = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !entry.auth_sign.as_ref().map_or(!entry.is_first_use, is_signature) {
        return Err(Unfit::Signature);
    }
    if entry.recorded_at > now {
        return Err(Unfit::Future);
    }
    Ok(key.stream)
}
