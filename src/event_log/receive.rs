//! Receiving a message: judged, and appended if it is to be kept.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::append::{AppendError, Appended, Appender};
use crate::huawei::admission::{self, DomainPolicy, Limits, Path, Proof, QuarantineReason, Remembered, Verdict};
use crate::huawei::masking::Masker;
use crate::huawei::notification::Notification;
use crate::huawei::rendition;
use crate::huawei::signature::{self, Signature};
use crate::session::{SessionKey, StreamKey};
use crate::store;
use crate::store::log::{FirstUseRow, NewEntryRow};

/// A message as it came in.
pub struct Arrival {
    /// What it says.
    pub message: Notification,
    /// How it came in.
    pub path: Path,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Where it came from.
    pub source_ip: Option<IpAddr>,
}

/// Judges messages, and appends those that are to be kept.
pub struct Receiver {
    /// Where they are appended.
    pub log: Appender,
    /// Settings of admission.
    pub limits: Limits,
    /// Hides credentials.
    pub masker: Masker,
    /// The number of shards that the installation was made with.
    pub shards: i16,
}

impl Receiver {
    /// What becomes of a message, known to be durable if it is kept.
    ///
    /// `policy` and `templates` are those that its domain has now. The first judgement knows nothing of the signature;
    /// should the append find that it came with another push before, the message is judged again.
    ///
    /// # Errors
    /// [`AppendError`] when the message is to be kept, and is not known to be in the log.
    pub async fn receive(
        &self,
        arrival: &Arrival,
        policy: Option<&DomainPolicy>,
        templates: &[String],
    ) -> Result<Verdict, AppendError> {
        let mut remembered = None;
        loop {
            let Arrival { message, path, received_at, .. } = arrival;
            let verdict = admission::judge(message, *path, policy, remembered, &self.limits, *received_at);
            let entry = match &verdict {
                Verdict::Refuse(_) => return Ok(verdict),
                Verdict::Accept(proof) => self.entry_of(arrival, proof, None, remembered, templates),
                Verdict::Quarantine(proof, reason) => {
                    self.entry_of(arrival, proof, Some(*reason), remembered, templates)
                }
            };
            match self.log.append(entry).await? {
                Appended::Stored => return Ok(verdict),
                Appended::SignatureUsed(first_use) => remembered = Some(remembered_for(message, &first_use)),
            }
        }
    }

    /// The entry for a message, its credentials masked.
    fn entry_of(
        &self,
        arrival: &Arrival,
        proof: &Proof,
        quarantined: Option<QuarantineReason>,
        remembered: Option<Remembered>,
        templates: &[String],
    ) -> NewEntryRow {
        let Arrival { message, received_at, source_ip, .. } = arrival;
        let stream = stream_of(message);
        let shard = stream.shard(self.shards);
        let key = SessionKey { stream, publish_timestamp: message.publish_timestamp };
        let session_id = key.id().0;
        let SessionKey { stream: StreamKey { domain, app, stream }, publish_timestamp } = key;
        let signature_tag = tag_to_count_by(proof, quarantined, remembered);
        let (signature, key_id, auth_timestamp, auth_sign) = match proof {
            Proof::Verified { key_id, auth_timestamp, auth_sign } => {
                ("verified", Some(*key_id), Some(*auth_timestamp), Some(auth_sign.to_vec()))
            }
            Proof::Unsigned => ("unsigned", None, None, None),
        };
        NewEntryRow {
            shard,
            received_at: *received_at,
            event_id: Uuid::new_v4(),
            session_id,
            domain,
            app,
            publish_timestamp,
            origin: "provider".to_owned(),
            event: message.event.word().to_owned(),
            disposition: if quarantined.is_some() { "quarantined" } else { "accepted" }.to_owned(),
            reason: quarantined.map(|reason| reason.as_str().to_owned()),
            signature: Some(signature.to_owned()),
            key_id,
            auth_timestamp,
            auth_sign,
            signature_tag,
            client_ip: message.client_ip.clone(),
            node_ip: message.node_ip.clone(),
            source_ip: source_ip.map(|address| address.to_string()),
            user_args: message.user_args.as_ref().map(|user_args| self.masker.mask(user_args)),
            rendition_template: rendition::template_of(&stream, templates).map(str::to_owned),
            stream,
            extra: (!message.extra.is_empty()).then(|| serde_json::Value::Object(message.extra.clone())),
            ended_at: None,
            actor: None,
            note: None,
        }
    }
}

fn stream_of(message: &Notification) -> StreamKey {
    StreamKey { domain: message.domain.clone(), app: message.app.clone(), stream: message.stream.clone() }
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
    let shard = stream_of(message).shard(installation.shards);
    let first_use = store::log::get_first_use(pool, shard, auth_timestamp, tag_of(&auth_sign)).await?;
    Ok(first_use.map(|first_use| remembered_for(message, &first_use)))
}

/// What is remembered of a message's signature, as admission asks for it.
fn remembered_for(message: &Notification, first_use: &FirstUseRow) -> Remembered {
    let first = SessionKey { stream: stream_of(message), publish_timestamp: first_use.publish_timestamp };
    Remembered { same_stream: first.id().0 == first_use.session_id, publish_timestamp: first_use.publish_timestamp }
}

/// The tag of the signature that a message counts by. What was judged by the first use of its signature does not count
/// by it again.
fn tag_to_count_by(
    proof: &Proof,
    quarantined: Option<QuarantineReason>,
    remembered: Option<Remembered>,
) -> Option<i64> {
    let Proof::Verified { auth_sign, .. } = proof else { return None };
    (quarantined.is_none() && remembered.is_none()).then(|| tag_of(auth_sign))
}

/// The first 8 bytes of a signature: enough to tell those of one second apart.
fn tag_of(signature: &Signature) -> i64 {
    signature.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}
