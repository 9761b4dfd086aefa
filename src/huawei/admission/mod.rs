//! Admission: one pure decision to accept, quarantine or reject a callback.
//!
//! The signature joins its fields without separators and does not cover all of them, so a valid signature is not
//! enough. These rules stop the misuse of captured callbacks without rejecting honest ones. An authenticated but
//! suspicious callback is quarantined: stored without effect, shown, and releasable by an operator.

mod verdict;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::huawei::notification::{Event, Notification};
use crate::huawei::signature::{self, SignedFields, SigningKey};
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

pub use verdict::{Authentication, Verdict};

/// The facts about a registered domain that admission needs.
#[derive(Debug, Clone)]
pub struct DomainPolicy {
    pub signature: SignatureRule,
    /// Accepted apps; all if `None`.
    pub apps: Option<Vec<String>>,
    pub joiner: FieldSeparator,
    pub keys: Vec<(Uuid, SigningKey)>,
}

/// The path that a callback was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackRoute {
    /// `/callbacks/huawei`, for signed domains.
    Open,
    /// The secret path of the callback's domain.
    Secret,
    /// A secret path that is not, or no longer, that of the callback's domain.
    WrongSecret,
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long after its expiry a signature is accepted.
    pub signature_grace: TimeDelta,
    pub signature_max_future: TimeDelta,
    /// How long before the expiry of its signature a push may have started, for its start to count.
    pub start_window_before: TimeDelta,
    /// How long after the expiry of its signature a push may start, for its start to count.
    pub start_window_after: TimeDelta,
    /// How long after its first use a signature may be used by one other push.
    pub signature_sharing_window: TimeDelta,
    /// If no start was received: how long ago the push may have started, for its end to count.
    pub missing_start_limit: TimeDelta,
}

/// The facts in the log about a callback's signature and push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub signature: SignatureUse,
    pub push: PushState,
}

/// Earlier uses of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureUse {
    /// Unused, or used by the same push.
    Own,
    /// Used by another stream: the joined names were split differently.
    OtherStream,
    /// Used by one other push of the stream.
    OtherPush {
        /// Start of that push, in Unix seconds.
        publish_timestamp: i64,
        received_at: DateTime<Utc>,
    },
    /// Used by several other pushes of the stream.
    OtherPushes,
}

/// The facts in the log about a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushState {
    pub has_start: bool,
    pub has_ended: bool,
    pub start_shares_signature: bool,
}

/// The part of a callback that is checked against the log.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub event: &'a Event,
    /// Start of the push, in Unix seconds.
    pub publish_timestamp: i64,
    pub received_at: DateTime<Utc>,
}

/// 2015-01-01, in Unix seconds. The provider's cloud is younger, so earlier starts are impossible.
const EARLIEST_START: i64 = 1_420_070_400;

/// Maximum difference between the starts of two pushes that share a signature, in seconds: starts of a stream in the
/// same second have the same signature.
const SHARED_STARTS_APART_SECONDS: u64 = 2;

/// Decides about a callback without the log.
///
/// `policy` is `None` if no domain with exactly the claimed name is registered. `now` is the time of receipt. An
/// accepted callback is then checked against the log by [`check_replay`].
pub fn admit(
    message: &Notification,
    path: CallbackRoute,
    policy: Option<&DomainPolicy>,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Verdict {
    let proof = policy
        .ok_or(RejectionReason::UnknownDomain)
        .and_then(|policy| authenticate(message, path, policy, limits, now));
    match proof {
        Err(cause) => Verdict::Reject(cause),
        Ok(proof) => match check_freshness(message, &proof, limits, now) {
            Some(reason) => Verdict::Quarantine(proof, reason),
            None => Verdict::Accept(proof),
        },
    }
}

/// Whether an accepted callback counts only if the start of its push was received: an end of a push that started long
/// ago.
pub fn needs_start(claim: &Claim<'_>, limits: &Limits) -> bool {
    let started_at = DateTime::from_timestamp(claim.publish_timestamp, 0);
    *claim.event == Event::PublishDone
        && started_at.is_none_or(|started_at| claim.received_at - started_at > limits.missing_start_limit)
}

/// Checks an accepted callback against the log. Returns whether it shares its signature with another push.
///
/// A signature covers the joined names but not the push, so it counts for the push that used it first. But the same
/// event of a stream in the same second has the same signature, so one other push may share it, if that is plausible.
///
/// # Errors
/// The reason for quarantine.
pub fn check_replay(claim: &Claim<'_>, known: &Known, limits: &Limits) -> Result<bool, QuarantineReason> {
    let Known { signature, push } = known;
    if needs_start(claim, limits) && !push.has_start {
        return Err(QuarantineReason::EndOfUnknownPush);
    }
    match signature {
        SignatureUse::Own => Ok(false),
        SignatureUse::OtherStream => Err(QuarantineReason::SignatureOfAnotherStream),
        SignatureUse::OtherPushes => Err(QuarantineReason::SignatureOfAnotherPush),
        SignatureUse::OtherPush { publish_timestamp, received_at } => {
            let is_in_time = (claim.received_at - *received_at).abs() <= limits.signature_sharing_window;
            let is_plausible = match claim.event {
                Event::Publish => claim.publish_timestamp.abs_diff(*publish_timestamp) <= SHARED_STARTS_APART_SECONDS,
                Event::PublishDone => push.has_start && !push.has_ended && !push.start_shares_signature,
                Event::Other(_) => false,
            };
            if is_in_time && is_plausible { Ok(true) } else { Err(QuarantineReason::SignatureOfAnotherPush) }
        }
    }
}

impl Verdict {
    /// The verdict after the check against the log, without appending anything.
    #[must_use]
    pub fn reviewed(self, message: &Notification, known: Option<&Known>, limits: &Limits, now: DateTime<Utc>) -> Self {
        let claim = Claim { event: &message.event, publish_timestamp: message.publish_timestamp, received_at: now };
        match (self, known) {
            (Self::Accept(proof), Some(known)) => match check_replay(&claim, known, limits) {
                Ok(_) => Self::Accept(proof),
                Err(reason) => Self::Quarantine(proof, reason),
            },
            (verdict, _) => verdict,
        }
    }
}

fn authenticate(
    message: &Notification,
    path: CallbackRoute,
    policy: &DomainPolicy,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Authentication, RejectionReason> {
    if path == CallbackRoute::WrongSecret {
        return Err(RejectionReason::SecretPathWrong);
    }
    if policy.apps.as_ref().is_some_and(|apps| !apps.contains(&message.app)) {
        return Err(RejectionReason::AppNotAllowed);
    }
    match policy.signature {
        SignatureRule::None if path == CallbackRoute::Open => Err(RejectionReason::SecretPathMissing),
        SignatureRule::None => Ok(Authentication::Unsigned),
        SignatureRule::Required => verify_signature(message, policy, limits, now),
    }
}

fn verify_signature(
    message: &Notification,
    policy: &DomainPolicy,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Authentication, RejectionReason> {
    let auth_sign = message.auth_sign.as_deref().ok_or(RejectionReason::SignatureMissing)?;
    let auth_timestamp = message.auth_timestamp.ok_or(RejectionReason::SignatureMissing)?;
    let auth_sign = signature::from_hex(auth_sign).ok_or(RejectionReason::SignatureMalformed)?;
    let expiry = expiry_of(auth_timestamp).ok_or(RejectionReason::ExpiryMalformed)?;
    let fields = SignedFields {
        event: message.event.word(),
        domain: &message.domain,
        app: &message.app,
        stream: &message.stream,
        auth_timestamp,
    };
    if policy.keys.is_empty() {
        return Err(RejectionReason::NoKey);
    }
    let (key_id, _) = policy
        .keys
        .iter()
        .find(|(_, key)| signature::verify(key, policy.joiner, &fields, &auth_sign))
        .ok_or(RejectionReason::SignatureMismatch)?;
    if expiry > now + limits.signature_max_future {
        return Err(RejectionReason::ExpiryTooFar);
    }
    Ok(Authentication::Verified { key_id: *key_id, auth_timestamp, auth_sign })
}

/// The expiry as a time. It must have exactly ten digits, otherwise digits could move between the stream name and the
/// expiry.
fn expiry_of(auth_timestamp: i64) -> Option<DateTime<Utc>> {
    (1_000_000_000..=9_999_999_999)
        .contains(&auth_timestamp)
        .then(|| DateTime::from_timestamp(auth_timestamp, 0))
        .flatten()
}

fn check_freshness(
    message: &Notification,
    proof: &Authentication,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Option<QuarantineReason> {
    let started_at = DateTime::from_timestamp(message.publish_timestamp, 0)?;
    let Authentication::Verified { auth_timestamp, .. } = proof else {
        return check_unsigned(message, started_at, limits, now);
    };
    let expiry = expiry_of(*auth_timestamp)?;
    let in_window =
        started_at >= expiry - limits.start_window_before && started_at <= expiry + limits.start_window_after;
    if now > expiry + limits.signature_grace {
        Some(QuarantineReason::Expired)
    } else if message.event == Event::Publish && !in_window {
        Some(QuarantineReason::StartOutsideWindow)
    } else if message.event == Event::PublishDone && started_at > expiry {
        Some(QuarantineReason::EndPredatesSession)
    } else {
        None
    }
}

/// An unsigned callback may be arbitrarily late, but its start must be possible.
fn check_unsigned(
    message: &Notification,
    started_at: DateTime<Utc>,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Option<QuarantineReason> {
    let is_future = started_at > now + limits.start_window_after;
    match message.event {
        Event::Publish if is_future || started_at.timestamp() < EARLIEST_START => {
            Some(QuarantineReason::StartOutsideWindow)
        }
        Event::PublishDone if is_future => Some(QuarantineReason::EndPredatesSession),
        Event::Publish | Event::PublishDone | Event::Other(_) => None,
    }
}

#[cfg(test)]
mod tests;
