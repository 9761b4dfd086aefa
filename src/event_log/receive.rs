//! Receives a callback: admits it, and appends it if it is accepted or quarantined.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::group_commit::{AppendError, Appender, Stored};
use super::incoming::{PendingEntry, stream_of, tag_of};
use crate::huawei::admission::{self, Authentication, CallbackRoute, Limits, Verdict};
use crate::huawei::masking::Masker;
use crate::huawei::notification::Notification;
use crate::huawei::rendition;
use crate::model::event::{AlteredMember, Disposition, Origin, QuarantineReason, Signature};
use crate::registry::Domain;
use crate::registry::master_key::MasterKey;
use crate::session::{SessionKey, StreamKey};
use crate::store::log::NewEntryRow;
use crate::store::relay::SealedBody;

/// A callback as it arrived.
pub struct ReceivedCallback {
    pub message: Notification,
    pub path: CallbackRoute,
    pub received_at: DateTime<Utc>,
    pub source_ip: Option<IpAddr>,
}

/// Decides about callbacks, and builds the entries of those that belong into the log.
pub struct Admitter {
    pub limits: Limits,
    pub masker: Masker,
    /// The number of shards that the installation was created with.
    pub shards: i16,
}

/// Admits callbacks, and appends those that are accepted or quarantined.
pub struct Receiver {
    pub log: Appender,
    pub admitter: Admitter,
}

impl Receiver {
    /// Returns the verdict on a callback; an accepted or quarantined one is durable. `seal` gives its body, if it is to be
    /// relayed.
    ///
    /// # Errors
    /// [`AppendError`] when the callback should be stored, but is not known to be.
    pub async fn receive(
        &self,
        arrival: &ReceivedCallback,
        domain: Option<&Domain>,
        seal: impl FnOnce() -> Option<SealedBody>,
    ) -> Result<Verdict, AppendError> {
        let (verdict, row) = self.admitter.admit(arrival, domain);
        let Some(row) = row else { return Ok(verdict) };
        let stored = self.log.append(PendingEntry { row, body: seal() }).await?;
        Ok(match (stored, verdict) {
            (Stored::Logged(Some(reason)), Verdict::Accept(proof)) => Verdict::Quarantine(proof, reason),
            (_, verdict) => verdict,
        })
    }
}

impl Admitter {
    /// Masks the values of `further_names` in addition to those that look like credentials.
    pub fn new(limits: Limits, master_key: &MasterKey, further_names: &[String], shards: i16) -> Self {
        let fingerprints = master_key.derive("streamtally: fingerprints of credentials");
        Self { limits, masker: Masker::new(&fingerprints, further_names), shards }
    }

    /// Decides about a callback without the log; one that is not rejected comes with its entry. `domain` is the current
    /// state of its domain.
    pub fn admit(&self, arrival: &ReceivedCallback, domain: Option<&Domain>) -> (Verdict, Option<NewEntryRow>) {
        let ReceivedCallback { message, path, received_at, .. } = arrival;
        let policy = domain.map(|domain| &domain.policy);
        let templates = domain.map(|domain| domain.rendition_templates.as_slice()).unwrap_or_default();
        let verdict = admission::admit(message, *path, policy, &self.limits, *received_at);
        let row = match &verdict {
            Verdict::Reject(_) => None,
            Verdict::Accept(proof) => Some(self.row_of(arrival, proof, None, templates)),
            Verdict::Quarantine(proof, reason) => Some(self.row_of(arrival, proof, Some(*reason), templates)),
        };
        (verdict, row)
    }

    /// Builds the row of a callback, with masked credentials.
    fn row_of(
        &self,
        arrival: &ReceivedCallback,
        proof: &Authentication,
        quarantined: Option<QuarantineReason>,
        templates: &[String],
    ) -> NewEntryRow {
        let ReceivedCallback { message, received_at, source_ip, .. } = arrival;
        let stream = stream_of(message);
        let shard = stream.shard(self.shards);
        let key = SessionKey { stream, publish_timestamp: message.publish_timestamp };
        let session_id = key.id().0;
        let SessionKey { stream: StreamKey { domain, app, stream }, publish_timestamp } = key;
        let signature_tag = tag_to_count_by(proof, quarantined);
        let user_args = message.user_args.as_ref().map(|user_args| self.masker.mask(user_args));
        let mut altered = message.altered.clone();
        if user_args.as_ref().is_some_and(|masked| masked.is_cut) && !altered.contains(&AlteredMember::UserArgs) {
            altered.push(AlteredMember::UserArgs);
        }
        let (signature, key_id, auth_timestamp, auth_sign) = match proof {
            Authentication::Verified { key_id, auth_timestamp, auth_sign } => {
                (Signature::Verified, Some(*key_id), Some(*auth_timestamp), Some(auth_sign.to_vec()))
            }
            Authentication::Unsigned => (Signature::Unsigned, None, None, None),
        };
        NewEntryRow {
            shard,
            received_at: *received_at,
            event_id: Uuid::new_v4(),
            session_id,
            domain,
            app,
            publish_timestamp,
            origin: Origin::Provider,
            event: message.event.word().to_owned(),
            disposition: if quarantined.is_some() { Disposition::Quarantined } else { Disposition::Accepted },
            reason: quarantined,
            signature: Some(signature),
            key_id,
            auth_timestamp,
            auth_sign,
            signature_tag,
            signature_shared_with: None,
            client_ip: message.client_ip.clone(),
            node_ip: message.node_ip.clone(),
            source_ip: source_ip.map(|address| address.to_string()),
            user_args: user_args.map(|masked| masked.text),
            rendition_template: rendition::template_of(&stream, templates).map(str::to_owned),
            stream,
            extra: (!message.extra.is_empty()).then(|| serde_json::Value::Object(message.extra.clone())),
            altered: (!altered.is_empty()).then_some(altered),
            retried: false,
            ended_at: None,
            actor: None,
            note: None,
        }
    }
}

/// The tag under which later callbacks find this use of the signature; only an accepted callback uses its signature.
fn tag_to_count_by(proof: &Authentication, quarantined: Option<QuarantineReason>) -> Option<i64> {
    match proof {
        Authentication::Verified { auth_sign, .. } => quarantined.is_none().then(|| tag_of(auth_sign)),
        Authentication::Unsigned => None,
    }
}
