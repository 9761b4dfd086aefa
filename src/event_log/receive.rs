//! What a message and its verdict become in the log.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::huawei::admission::{Proof, QuarantineReason};
use crate::huawei::masking::Masker;
use crate::huawei::notification::Notification;
use crate::huawei::rendition;
use crate::session::{SessionKey, StreamKey};
use crate::store::log::NewEntryRow;

/// A message that is to be kept: accepted, or quarantined.
pub struct Received {
    /// What was said.
    pub message: Notification,
    /// How it was found genuine.
    pub proof: Proof,
    /// Why it does not count, if it does not.
    pub quarantined: Option<QuarantineReason>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Where it came from.
    pub source_ip: Option<IpAddr>,
}

/// The entry for a message, its credentials masked.
///
/// `templates` are those that the domain has now, `shards` the number that the installation was made with.
#[must_use]
pub fn entry_of(received: Received, templates: &[String], masker: &Masker, shards: i16) -> NewEntryRow {
    let Received { message, proof, quarantined, received_at, source_ip } = received;
    let stream = StreamKey { domain: message.domain, app: message.app, stream: message.stream };
    let shard = stream.id().shard(shards);
    let key = SessionKey { stream, publish_timestamp: message.publish_timestamp };
    let session_id = key.id().0;
    let SessionKey { stream: StreamKey { domain, app, stream }, publish_timestamp } = key;
    let (signature, key_id, auth_timestamp, auth_sign) = match proof {
        Proof::Verified { key_id, auth_timestamp, auth_sign } => {
            ("verified", Some(key_id), Some(auth_timestamp), Some(auth_sign.to_vec()))
        }
        Proof::Unsigned => ("unsigned", None, None, None),
    };
    NewEntryRow {
        shard,
        received_at,
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
        client_ip: message.client_ip,
        node_ip: message.node_ip,
        source_ip: source_ip.map(|address| address.to_string()),
        user_args: message.user_args.map(|user_args| masker.mask(&user_args)),
        rendition_template: rendition::template_of(&stream, templates).map(str::to_owned),
        stream,
        extra: (!message.extra.is_empty()).then_some(serde_json::Value::Object(message.extra)),
        ended_at: None,
        actor: None,
        note: None,
    }
}
