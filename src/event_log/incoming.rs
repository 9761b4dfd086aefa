//! A received callback before it is appended.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::huawei::admission::{self, Claim, Known, Limits, PushState, SignatureUse};
use crate::huawei::notification::{Event, Notification};
use crate::huawei::signature::{self, Signature};
use crate::model::event::{Disposition, QuarantineReason};
use crate::reconciler::push::get_push_state;
use crate::session::{SessionKey, StreamKey};
use crate::store;
use crate::store::log::{NewEntryRow, SignatureUseRow};
use crate::store::relay::SealedBody;

#[derive(Clone, Serialize, Deserialize)]
pub struct PendingEntry {
    pub row: NewEntryRow,
    /// The body, if the domain's callbacks are relayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<SealedBody>,
}

impl Borrow<NewEntryRow> for PendingEntry {
    fn borrow(&self) -> &NewEntryRow {
        &self.row
    }
}

impl PendingEntry {
    /// Assigns a new id: if an earlier commit happened although its response was lost, the two can be distinguished.
    pub fn renew_id(&mut self) {
        self.row.event_id = Uuid::new_v4();
    }

    /// Whether it is accepted only if the start of its push was received.
    pub(super) fn needs_start(&self, limits: &Limits) -> bool {
        self.row.reason.is_none() && admission::needs_start(&self.claim(&self.event()), limits)
    }

    /// Checks it again with the state of its push and the other uses of its signature. Returns the reason if it is now
    /// quarantined.
    pub(super) fn review(
        &mut self,
        push: PushState,
        uses: &[SignatureUseRow],
        limits: &Limits,
    ) -> Option<QuarantineReason> {
        let known = Known { signature: signature_use(&self.row.stream_key(), uses), push };
        match admission::check_replay(&self.claim(&self.event()), &known, limits) {
            Ok(false) => None,
            Ok(true) => {
                self.row.signature_shared_with = uses.first().map(|first| first.session_id);
                None
            }
            Err(reason) => {
                self.row.signature_tag = None;
                self.row.signature_shared_with = None;
                self.row.disposition = Disposition::Quarantined;
                self.row.reason = Some(reason);
                Some(reason)
            }
        }
    }

    fn event(&self) -> Event {
        Event::from_word(self.row.event.clone())
    }

    fn claim<'a>(&self, event: &'a Event) -> Claim<'a> {
        Claim { event, publish_timestamp: self.row.publish_timestamp, received_at: self.row.received_at }
    }
}

/// Looks up what admission needs to know of a callback's signature and push, without appending it.
pub async fn recall(connection: &mut PgConnection, message: &Notification) -> Result<Option<Known>, sqlx::Error> {
    let Some(installation) = store::installation::get_installation(&mut *connection).await? else { return Ok(None) };
    let key = SessionKey { stream: stream_of(message), publish_timestamp: message.publish_timestamp };
    let shard = key.stream.shard(installation.shards);
    let session_id = key.id().0;
    let signature = message.auth_sign.as_deref().and_then(signature::from_hex).zip(message.auth_timestamp);
    let uses = match signature {
        Some((auth_sign, auth_timestamp)) => {
            store::log::list_signature_uses(&mut *connection, shard, auth_timestamp, tag_of(&auth_sign)).await?
        }
        None => Vec::new(),
    };
    let is_own = uses.iter().any(|used| used.session_id == session_id);
    let signature = if is_own { SignatureUse::Own } else { signature_use(&key.stream, &uses) };
    Ok(Some(Known { signature, push: get_push_state(connection, shard, session_id).await? }))
}

/// The stream of a callback.
pub(super) fn stream_of(message: &Notification) -> StreamKey {
    StreamKey { domain: message.domain.clone(), app: message.app.clone(), stream: message.stream.clone() }
}

/// The first 8 bytes of a signature: enough to distinguish the signatures of one second.
pub(super) fn tag_of(signature: &Signature) -> i64 {
    signature.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Classifies the use of a signature by the other sessions that use it.
fn signature_use(stream: &StreamKey, others: &[SignatureUseRow]) -> SignatureUse {
    let is_of_stream = |used: &SignatureUseRow| {
        let key = SessionKey { stream: stream.clone(), publish_timestamp: used.publish_timestamp };
        key.id().0 == used.session_id
    };
    match others {
        [] => SignatureUse::Own,
        others if !others.iter().all(is_of_stream) => SignatureUse::OtherStream,
        [SignatureUseRow { publish_timestamp, received_at, .. }] => {
            SignatureUse::OtherPush { publish_timestamp: *publish_timestamp, received_at: *received_at }
        }
        _ => SignatureUse::OtherPushes,
    }
}
