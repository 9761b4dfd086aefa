//! A received message on its way into the log.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::huawei::admission::{self, QuarantineReason, Remembered};
use crate::huawei::notification::Notification;
use crate::huawei::signature::{self, Signature};
use crate::session::{SessionKey, StreamKey};
use crate::store;
use crate::store::log::{FirstUseRow, NewEntryRow};

/// A received message as it is to be appended, and what is needed to judge it again should its signature turn out to
/// have been used.
#[derive(Clone, Serialize, Deserialize)]
pub struct Incoming {
    /// The entry.
    pub row: NewEntryRow,
    /// Whether its domain had several pushers of one stream for normal.
    pub concurrent_pushes: bool,
}

impl Borrow<NewEntryRow> for Incoming {
    fn borrow(&self) -> &NewEntryRow {
        &self.row
    }
}

impl Incoming {
    /// Gives it another id: should a commit have happened whose answer got lost, the next one can be told from it.
    pub fn renew_id(&mut self) {
        self.row.event_id = Uuid::new_v4();
    }

    /// Judges it by the first use of its signature, which it does not count by any more. Gives the reason when it is
    /// quarantined for that.
    pub fn judge_again(&mut self, first_use: &FirstUseRow) -> Option<QuarantineReason> {
        let row = &mut self.row;
        row.signature_tag = None;
        let stream = StreamKey { domain: row.domain.clone(), app: row.app.clone(), stream: row.stream.clone() };
        let remembered = remembered_for(stream, first_use);
        let reason = admission::judge_reuse(row.publish_timestamp, self.concurrent_pushes, remembered)?;
        "quarantined".clone_into(&mut row.disposition);
        row.reason = Some(reason.as_str().to_owned());
        Some(reason)
    }
}

/// What an installation remembers of a message's signature, for those who only ask.
///
/// # Errors
/// Those of the database.
pub async fn recall(pool: &PgPool, message: &Notification) -> Result<Option<Remembered>, sqlx::Error> {
    let auth_sign = message.auth_sign.as_deref().and_then(signature::from_hex);
    let signature = auth_sign.zip(message.auth_timestamp);
    let Some(((auth_sign, auth_timestamp), installation)) =
        signature.zip(store::installation::get_installation(pool).await?)
    else {
        return Ok(None);
    };
    let stream = stream_of(message);
    let shard = stream.shard(installation.shards);
    let first_use = store::log::get_first_use(pool, shard, auth_timestamp, tag_of(&auth_sign)).await?;
    Ok(first_use.map(|first_use| remembered_for(stream, &first_use)))
}

/// The stream that a message names.
pub(super) fn stream_of(message: &Notification) -> StreamKey {
    StreamKey { domain: message.domain.clone(), app: message.app.clone(), stream: message.stream.clone() }
}

/// The first 8 bytes of a signature: enough to tell those of one second apart.
pub(super) fn tag_of(signature: &Signature) -> i64 {
    signature.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// What is remembered of the signature of a stream's message, as admission asks for it.
fn remembered_for(stream: StreamKey, first_use: &FirstUseRow) -> Remembered {
    let first = SessionKey { stream, publish_timestamp: first_use.publish_timestamp };
    Remembered { same_stream: first.id().0 == first_use.session_id, publish_timestamp: first_use.publish_timestamp }
}
