//! Accept, quarantine or refuse: one pure decision about one notification.
//!
//! The signature joins its fields without separators and does not cover all of them, so a valid one is not enough.
//! The rules here stop what a captured message lets an attacker try without refusing honest traffic. A message that
//! verifies but should not count by itself is quarantined: kept, shown, and left for an operator to release.

mod verdict;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::huawei::notification::{Event, Notification};
use crate::huawei::signature::{self, Joiner, SignedFields, SigningKey};

pub use verdict::{Proof, QuarantineReason, RefusalCause, Verdict};

/// What a domain asks of its messages.
#[derive(Debug, Clone, PartialEq, Eq, Copy)]
pub enum SignatureRule {
    /// Every message is signed with one of the domain's keys.
    Required,
    /// Messages are unsigned and come through the domain's secret path.
    None,
}

/// What admission needs to know of one registered domain.
#[derive(Debug, Clone)]
pub struct DomainPolicy {
    /// Whether messages are signed.
    pub signature: SignatureRule,
    /// The applications that may send; all when `None`.
    pub apps: Option<Vec<String>>,
    /// What stands between the signed fields.
    pub joiner: Joiner,
    /// Whether several pushers of one stream at once are normal.
    pub concurrent_pushes: bool,
    /// Every active key, newest first.
    pub keys: Vec<(Uuid, SigningKey)>,
}

/// How the message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `/callbacks/huawei`, open to signed domains.
    Open,
    /// The secret path of this very domain.
    Secret,
    /// A secret path that is not (or no longer) this domain's.
    WrongSecret,
}

/// Settings of admission.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long after its expiry a signature still counts.
    pub signature_grace: TimeDelta,
    /// How far in the future an expiry may lie.
    pub signature_max_future: TimeDelta,
    /// How long before its signature's expiry a push may have started, for a start to count.
    pub start_window_before: TimeDelta,
    /// How long after its signature's expiry a push may start, for a start to count.
    pub start_window_after: TimeDelta,
}

/// What is remembered of a signature: the push that it came with first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Whether that was a push of the stream that the message names now.
    pub same_stream: bool,
    /// Unix second at which that push began.
    pub publish_timestamp: i64,
}

/// How far apart, in seconds, pushes of one stream may begin whose messages were signed in the same second, where
/// several pushers at once are normal. Elsewhere one signature is for one push.
const PUSHES_AT_ONCE_SECONDS: u64 = 2;

/// Judges one message.
///
/// `policy` is that of the domain which the message claims, `None` when there is none of exactly this name;
/// `remembered` is what is known of its signature; `now` is the moment of receipt.
#[must_use]
pub fn judge(
    message: &Notification,
    path: Path,
    policy: Option<&DomainPolicy>,
    remembered: Option<Remembered>,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Verdict {
    let proof = policy.ok_or(RefusalCause::UnknownDomain).and_then(|policy| prove(message, path, policy, limits, now));
    match proof {
        Err(cause) => Verdict::Refuse(cause),
        Ok(proof) => match doubt(message, &proof, limits, now).or_else(|| {
            let Proof::Verified { .. } = proof else { return None };
            judge_reuse(message.publish_timestamp, policy?.concurrent_pushes, remembered?)
        }) {
            Some(reason) => Verdict::Quarantine(proof, reason),
            None => Verdict::Accept(proof),
        },
    }
}

fn prove(
    message: &Notification,
    path: Path,
    policy: &DomainPolicy,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Proof, RefusalCause> {
    if path == Path::WrongSecret {
        return Err(RefusalCause::SecretPathWrong);
    }
    if policy.apps.as_ref().is_some_and(|apps| !apps.contains(&message.app)) {
        return Err(RefusalCause::AppNotAllowed);
    }
    match policy.signature {
        SignatureRule::None if path == Path::Open => Err(RefusalCause::SecretPathMissing),
        SignatureRule::None => Ok(Proof::Unsigned),
        SignatureRule::Required => verify_signature(message, policy, limits, now),
    }
}

fn verify_signature(
    message: &Notification,
    policy: &DomainPolicy,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Proof, RefusalCause> {
    let auth_sign = message.auth_sign.as_deref().ok_or(RefusalCause::SignatureMissing)?;
    let auth_timestamp = message.auth_timestamp.ok_or(RefusalCause::SignatureMissing)?;
    let auth_sign = signature::from_hex(auth_sign).ok_or(RefusalCause::SignatureMalformed)?;
    let expiry = expiry_of(auth_timestamp).ok_or(RefusalCause::ExpiryMalformed)?;
    let fields = SignedFields {
        event: message.event.word(),
        domain: &message.domain,
        app: &message.app,
        stream: &message.stream,
        auth_timestamp,
    };
    if policy.keys.is_empty() {
        return Err(RefusalCause::NoKey);
    }
    let (key_id, _) = policy
        .keys
        .iter()
        .find(|(_, key)| signature::verify(key, policy.joiner, &fields, &auth_sign))
        .ok_or(RefusalCause::SignatureMismatch)?;
    if expiry > now + limits.signature_max_future {
        return Err(RefusalCause::ExpiryTooFar);
    }
    Ok(Proof::Verified { key_id: *key_id, auth_timestamp, auth_sign })
}

/// The expiry as a time. Exactly ten digits, else digits could move between it and the stream's name.
fn expiry_of(auth_timestamp: i64) -> Option<DateTime<Utc>> {
    (1_000_000_000..=9_999_999_999)
        .contains(&auth_timestamp)
        .then(|| DateTime::from_timestamp(auth_timestamp, 0))
        .flatten()
}

fn doubt(message: &Notification, proof: &Proof, limits: &Limits, now: DateTime<Utc>) -> Option<QuarantineReason> {
    let Proof::Verified { auth_timestamp, .. } = proof else { return None };
    let expiry = expiry_of(*auth_timestamp)?;
    let started_at = DateTime::from_timestamp(message.publish_timestamp, 0)?;
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

/// Why a signed message does not count whose signature was used before, if it does not: a signature covers the names
/// joined, and not the push, so it counts for the push that it first came with.
#[must_use]
pub fn judge_reuse(
    publish_timestamp: i64,
    concurrent_pushes: bool,
    remembered: Remembered,
) -> Option<QuarantineReason> {
    let apart = if concurrent_pushes { PUSHES_AT_ONCE_SECONDS } else { 0 };
    if !remembered.same_stream {
        Some(QuarantineReason::SignatureOfAnotherStream)
    } else if publish_timestamp.abs_diff(remembered.publish_timestamp) > apart {
        Some(QuarantineReason::SignatureOfAnotherPush)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_700_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn limits() -> Limits {
        Limits {
            signature_grace: TimeDelta::seconds(600),
            signature_max_future: TimeDelta::hours(24),
            start_window_before: TimeDelta::hours(24),
            start_window_after: TimeDelta::minutes(5),
        }
    }

    fn policy() -> DomainPolicy {
        DomainPolicy {
            signature: SignatureRule::Required,
            apps: None,
            joiner: Joiner::Nothing,
            concurrent_pushes: false,
            keys: vec![
                (Uuid::from_u128(2), SigningKey::new(&"n".repeat(32))),
                (Uuid::from_u128(1), SigningKey::new(KEY)),
            ],
        }
    }

    fn signed(event: Event, publish_timestamp: i64, auth_timestamp: i64) -> Notification {
        let fields = SignedFields {
            event: event.word(),
            domain: "push.example.com",
            app: "live",
            stream: "room",
            auth_timestamp,
        };
        let auth_sign = hex::encode(signature::sign(&SigningKey::new(KEY), Joiner::Nothing, &fields));
        Notification {
            domain: "push.example.com".into(),
            app: "live".into(),
            stream: "room".into(),
            publish_timestamp,
            event,
            user_args: None,
            client_ip: None,
            node_ip: None,
            auth_timestamp: Some(auth_timestamp),
            auth_sign: Some(auth_sign),
            extra: serde_json::Map::new(),
        }
    }

    fn verdict_on(message: &Notification) -> Verdict {
        judge(message, Path::Open, Some(&policy()), None, &limits(), at(NOW))
    }

    fn word(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Accept(_) => "accepted",
            Verdict::Quarantine(_, reason) => reason.as_str(),
            Verdict::Refuse(cause) => cause.as_str(),
        }
    }

    #[test]
    fn any_active_key_verifies_and_is_named() {
        let Verdict::Accept(Proof::Verified { key_id, .. }) = verdict_on(&signed(Event::Publish, NOW, NOW + 6)) else {
            panic!("not accepted")
        };
        assert_eq!(key_id, Uuid::from_u128(1));
    }

    #[test]
    fn each_bound_in_time_is_kept_to_the_second() {
        let day = 86_400;
        for (event, publish_timestamp, auth_timestamp, expected) in [
            (Event::Publish, NOW - 600, NOW - 600, "accepted"),
            (Event::Publish, NOW - 601, NOW - 601, "expired"),
            (Event::Publish, NOW, NOW + day, "accepted"),
            (Event::Publish, NOW, NOW + day + 1, "expiry_too_far"),
            (Event::Publish, NOW - day, NOW, "accepted"),
            (Event::Publish, NOW - day - 1, NOW, "start_outside_window"),
            (Event::Publish, NOW + 300, NOW, "accepted"),
            (Event::Publish, NOW + 301, NOW, "start_outside_window"),
            (Event::PublishDone, NOW - 40 * day, NOW, "accepted"),
            (Event::PublishDone, NOW, NOW, "accepted"),
            (Event::PublishDone, NOW + 1, NOW, "end_predates_session"),
            (Event::Other("RECORD".into()), NOW - 40 * day, NOW, "accepted"),
        ] {
            let message = signed(event.clone(), publish_timestamp, auth_timestamp);
            assert_eq!(word(&verdict_on(&message)), expected, "{event:?} {publish_timestamp} {auth_timestamp}");
        }
    }

    #[test]
    fn a_signature_counts_for_the_push_that_it_came_with_first() {
        let message = signed(Event::PublishDone, NOW - 100, NOW);
        let concurrent = DomainPolicy { concurrent_pushes: true, ..policy() };
        for (same_stream, publish_timestamp, expected, where_pushes_are_concurrent) in [
            (true, NOW - 100, "accepted", "accepted"),
            (true, NOW - 101, "signature_of_another_push", "accepted"),
            (true, NOW - 102, "signature_of_another_push", "accepted"),
            (true, NOW - 98, "signature_of_another_push", "accepted"),
            (true, NOW - 103, "signature_of_another_push", "signature_of_another_push"),
            (true, NOW - 97, "signature_of_another_push", "signature_of_another_push"),
            (false, NOW - 100, "signature_of_another_stream", "signature_of_another_stream"),
        ] {
            let remembered = Some(Remembered { same_stream, publish_timestamp });
            for (policy, expected) in [(&policy(), expected), (&concurrent, where_pushes_are_concurrent)] {
                let verdict = judge(&message, Path::Open, Some(policy), remembered, &limits(), at(NOW));
                assert_eq!(word(&verdict), expected, "{remembered:?}");
            }
        }
    }

    #[test]
    fn a_signature_is_asked_for_in_full() {
        let genuine = signed(Event::Publish, NOW, NOW);
        let changed = |change: fn(&mut Notification)| {
            let mut message = genuine.clone();
            change(&mut message);
            word(&verdict_on(&message))
        };
        assert_eq!(changed(|m| m.auth_sign = None), "signature_missing");
        assert_eq!(changed(|m| m.auth_timestamp = None), "signature_missing");
        assert_eq!(changed(|m| m.auth_sign = Some("ff".into())), "signature_malformed");
        assert_eq!(changed(|m| m.auth_timestamp = Some(999_999_999)), "expiry_malformed");
        assert_eq!(changed(|m| m.auth_timestamp = Some(11_700_000_000)), "expiry_malformed");
        assert_eq!(changed(|m| m.app = "other".into()), "signature_mismatch");
        assert_eq!(word(&judge(&genuine, Path::Open, None, None, &limits(), at(NOW))), "unknown_domain");
        let keyless = DomainPolicy { keys: vec![], ..policy() };
        assert_eq!(word(&judge(&genuine, Path::Open, Some(&keyless), None, &limits(), at(NOW))), "no_key");
    }

    #[test]
    fn only_listed_apps_are_let_in() {
        let listing =
            |apps: &[&str]| DomainPolicy { apps: Some(apps.iter().map(ToString::to_string).collect()), ..policy() };
        let message = signed(Event::Publish, NOW, NOW);
        assert_eq!(word(&judge(&message, Path::Open, Some(&listing(&["live"])), None, &limits(), at(NOW))), "accepted");
        assert_eq!(
            word(&judge(&message, Path::Open, Some(&listing(&["live2"])), None, &limits(), at(NOW))),
            "app_not_allowed"
        );
    }

    #[test]
    fn an_unsigned_domain_is_open_only_through_its_secret_path() {
        let unsigned = DomainPolicy { signature: SignatureRule::None, keys: vec![], ..policy() };
        let message = Notification { auth_sign: Some("never checked".into()), ..signed(Event::Publish, 0, NOW) };
        for (path, expected) in
            [(Path::Secret, "accepted"), (Path::Open, "secret_path_missing"), (Path::WrongSecret, "secret_path_wrong")]
        {
            assert_eq!(word(&judge(&message, path, Some(&unsigned), None, &limits(), at(NOW))), expected);
        }
    }

    #[test]
    fn a_signed_domain_is_verified_on_its_secret_path_too() {
        let forged = Notification { stream: "other".into(), ..signed(Event::Publish, NOW, NOW) };
        assert_eq!(
            word(&judge(&forged, Path::Secret, Some(&policy()), None, &limits(), at(NOW))),
            "signature_mismatch"
        );
    }
}
