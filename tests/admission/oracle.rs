//! What must hold of any bytes, stated again without the service's own means: nothing panics, and what is believed does
//! verify. Shared by the properties and the fuzz target.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use streamtally::huawei::admission::{
    Authentication, CallbackRoute, Claim, DomainPolicy, Known, Limits, PushState, SignatureUse, Verdict, admit,
    check_replay,
};
use streamtally::huawei::notification::{self, Notification};
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::{FieldSeparator, SignatureRule};
use streamtally::model::event::QuarantineReason;
use uuid::Uuid;

/// The domain that is registered, where one is.
pub const DOMAIN: &str = "push.example.com";

/// Its keys.
pub const KEYS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "the-newer-key-of-the-same-domain"];

/// Unix second at which everything is received.
pub const NOW: i64 = 1_700_000_000;

const YEAR_2015: i64 = 1_420_070_400;
const GRACE: i64 = 600;
const MOST_FUTURE: i64 = 86_400;
const BEFORE: i64 = 86_400;
const AFTER: i64 = 300;
const SHARING: i64 = 10;
const MISSING_START: i64 = 30 * 86_400;

/// Parses bytes and judges what they say under every kind of policy, as they are and once more signed correctly. How
/// often that was accepted.
///
/// # Panics
/// When something is believed that should not be.
pub fn check(body: &[u8]) -> usize {
    let Ok(message) = notification::parse(body) else { return 0 };
    let mut accepted = check_message(&message);
    for joiner in [FieldSeparator::Nothing, FieldSeparator::Plus] {
        for key in KEYS {
            let auth_sign = Some(mac(key, joiner, &message));
            accepted += check_message(&Notification { auth_sign, ..message.clone() });
        }
    }
    accepted
}

fn check_message(message: &Notification) -> usize {
    let mut accepted = 0;
    for policy in policies() {
        for path in [CallbackRoute::Open, CallbackRoute::Secret, CallbackRoute::WrongSecret] {
            let verdict = admit(message, path, Some(&policy), &limits(), at(NOW));
            assert_justified(message, path, &policy, &verdict);
            accepted += usize::from(matches!(verdict, Verdict::Accept(_)));
        }
    }
    assert!(matches!(admit(message, CallbackRoute::Open, None, &limits(), at(NOW)), Verdict::Reject(_)));
    let claim = Claim { event: &message.event, publish_timestamp: message.publish_timestamp, received_at: at(NOW) };
    for known in knowns(message) {
        assert_eq!(check_replay(&claim, &known, &limits()), reviewed(message, &known), "{known:?}");
    }
    accepted
}

/// What a log may say of a message: signatures used or not, by pushes near and far, just now or not.
fn knowns(message: &Notification) -> Vec<Known> {
    let start = message.publish_timestamp;
    let mut uses = vec![SignatureUse::Own, SignatureUse::OtherStream, SignatureUse::OtherPushes];
    for publish_timestamp in [start, start + 2, start - 2, start + 3, start - 3] {
        for received_at in [NOW - SHARING - 1, NOW - SHARING, NOW + SHARING, NOW + SHARING + 1].map(at) {
            uses.push(SignatureUse::OtherPush { publish_timestamp, received_at });
        }
    }
    let mut knowns = Vec::new();
    for signature in uses {
        for bits in 0..8_u8 {
            let push =
                PushState { has_start: bits & 1 > 0, has_ended: bits & 2 > 0, start_shares_signature: bits & 4 > 0 };
            knowns.push(Known { signature, push });
        }
    }
    knowns
}

/// Whether an accepted message counts in view of what the log says: `Ok(true)` by a signature that it shares.
fn reviewed(message: &Notification, known: &Known) -> Result<bool, QuarantineReason> {
    let (is_start, is_end) = (message.event.word() == "PUBLISH", message.event.word() == "PUBLISH_DONE");
    if is_end && !known.push.has_start && message.publish_timestamp < NOW - MISSING_START {
        return Err(QuarantineReason::EndOfUnknownPush);
    }
    match known.signature {
        SignatureUse::Own => Ok(false),
        SignatureUse::OtherStream => Err(QuarantineReason::SignatureOfAnotherStream),
        SignatureUse::OtherPush { publish_timestamp, received_at } => {
            let at_once = (NOW - received_at.timestamp()).abs() <= SHARING;
            let starts_fit = is_start && (message.publish_timestamp - publish_timestamp).abs() <= 2;
            let is_live = PushState { has_start: true, has_ended: false, start_shares_signature: false };
            let fits = starts_fit || is_end && known.push == is_live;
            if at_once && fits { Ok(true) } else { Err(QuarantineReason::SignatureOfAnotherPush) }
        }
        SignatureUse::OtherPushes => Err(QuarantineReason::SignatureOfAnotherPush),
    }
}

fn assert_justified(message: &Notification, path: CallbackRoute, policy: &DomainPolicy, verdict: &Verdict) {
    let (proof, reason) = match verdict {
        Verdict::Reject(_) => return,
        Verdict::Accept(proof) => (proof, None),
        Verdict::Quarantine(proof, reason) => (proof, Some(*reason)),
    };
    assert!(path != CallbackRoute::WrongSecret, "believed through another's secret path");
    assert!(
        policy.apps.as_ref().is_none_or(|apps| apps.contains(&message.app)),
        "believed of an app that is not listed"
    );
    match proof {
        Authentication::Unsigned => {
            assert_eq!(
                (policy.signature, path),
                (SignatureRule::None, CallbackRoute::Secret),
                "believed without a signature"
            );
            assert_eq!(reason, doubt_unsigned(message));
        }
        Authentication::Verified { key_id, auth_timestamp, .. } => {
            assert_eq!(policy.signature, SignatureRule::Required);
            let key = KEYS[usize::try_from(key_id.as_u128()).unwrap()];
            let given = message.auth_sign.as_deref().unwrap().to_lowercase();
            assert_eq!(given, mac(key, policy.joiner, message), "believed with a signature that does not fit");
            assert_eq!(Some(*auth_timestamp), message.auth_timestamp);
            assert_eq!(auth_timestamp.to_string().len(), 10, "believed with an expiry of other than ten digits");
            assert!(*auth_timestamp <= NOW + MOST_FUTURE, "believed for too long");
            assert_eq!(reason, doubt(message, *auth_timestamp));
        }
    }
}

/// Why a message that verifies does not count by itself.
fn doubt(message: &Notification, expiry: i64) -> Option<QuarantineReason> {
    let start = message.publish_timestamp;
    if expiry + GRACE < NOW {
        return Some(QuarantineReason::Expired);
    }
    if message.event.word() == "PUBLISH" && !(expiry - BEFORE..=expiry + AFTER).contains(&start) {
        return Some(QuarantineReason::StartOutsideWindow);
    }
    if message.event.word() == "PUBLISH_DONE" && start > expiry {
        return Some(QuarantineReason::EndPredatesSession);
    }
    None
}

/// Why an unsigned message does not count by itself: nothing is held against it but what cannot be.
fn doubt_unsigned(message: &Notification) -> Option<QuarantineReason> {
    let start = message.publish_timestamp;
    match message.event.word() {
        "PUBLISH" if !(YEAR_2015..=NOW + AFTER).contains(&start) => Some(QuarantineReason::StartOutsideWindow),
        "PUBLISH_DONE" if start > NOW + AFTER => Some(QuarantineReason::EndPredatesSession),
        _ => None,
    }
}

/// The signature of a message's fields, in lower case.
fn mac(key: &str, joiner: FieldSeparator, message: &Notification) -> String {
    let separator = if joiner == FieldSeparator::Plus { "+" } else { "" };
    let expiry = message.auth_timestamp.map_or(String::new(), |seconds| seconds.to_string());
    let text = [message.event.word(), &message.domain, &message.app, &message.stream, &expiry].join(separator);
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn policies() -> [DomainPolicy; 5] {
    let keys = || KEYS.iter().zip(0_u128..).map(|(key, id)| (Uuid::from_u128(id), SigningKey::new(key))).collect();
    let signed = |joiner, apps: Option<&[&str]>| DomainPolicy {
        signature: SignatureRule::Required,
        apps: apps.map(|apps| apps.iter().map(ToString::to_string).collect()),
        joiner,
        keys: keys(),
    };
    [
        signed(FieldSeparator::Nothing, None),
        signed(FieldSeparator::Nothing, Some(&["live"])),
        signed(FieldSeparator::Plus, None),
        DomainPolicy { keys: Vec::new(), ..signed(FieldSeparator::Nothing, None) },
        DomainPolicy { signature: SignatureRule::None, ..signed(FieldSeparator::Nothing, None) },
    ]
}

fn limits() -> Limits {
    Limits {
        signature_grace: TimeDelta::seconds(GRACE),
        signature_max_future: TimeDelta::seconds(MOST_FUTURE),
        start_window_before: TimeDelta::seconds(BEFORE),
        start_window_after: TimeDelta::seconds(AFTER),
        signature_sharing_window: TimeDelta::seconds(SHARING),
        missing_start_limit: TimeDelta::seconds(MISSING_START),
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// A message as JSON, for those who make bodies.
#[must_use]
pub fn body(members: &[(&str, Value)]) -> Vec<u8> {
    let members: serde_json::Map<_, _> =
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    serde_json::to_vec(&members).unwrap()
}
