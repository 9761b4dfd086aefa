//! What an entry must be to get into a log that did not receive it.

use chrono::{DateTime, Utc};

use crate::huawei::notification::is_app_name;
use crate::session::{SessionKey, StreamKey};
use crate::store::transfer::RecordedEntryRow;

/// Why an entry cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is in no shard, or in another one.
    #[error("its stream is not of its shard")]
    Shard,
    /// Its session is another one.
    #[error("its session_id is not that of its domain, app, stream and publish_timestamp")]
    Session,
    /// Names are rejected at receipt for less.
    #[error("a name in it is empty, or holds what no name can")]
    Name,
    /// Its signature is none.
    #[error("its auth_sign is not 64 hexadecimal digits, or is_first_use lacks one")]
    Signature,
    /// Nothing could be appended after it.
    #[error(
        "it was recorded in the future, by the clock of this database: see that both clocks are right, and try again"
    )]
    Future,
    /// The beginning is not there.
    #[error(
        "its shard's log does not begin at position 1: older entries were dropped, and cannot be imported any more"
    )]
    Beginning,
    /// Entries are missing, or are in disorder.
    #[error("its position is not the next of its shard")]
    Position,
    /// Times are in disorder.
    #[error("it was recorded before the one that comes before it")]
    Disorder,
}

/// Holds an entry against what every installation keeps to, and gives its stream.
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
