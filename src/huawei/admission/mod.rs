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
    /// How long after its first use a signature may be used by one other push.
    pub signature_sharing_window: TimeDelta,
    /// How long ago a push may have started whose start was never received, for its end to count.
    pub missing_start_limit: TimeDelta,
}

/// What the log says of a message's signature and of the push that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Who used the signature before.
    pub signature: SignatureUse,
    /// The push that the message names.
    pub push: PushState,
}

/// Who used a signature before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureUse {
    /// Nobody, or the push that uses it again.
    Own,
    /// Another stream, so that the names are split in another way.
    OtherStream,
    /// One other push of the stream.
    OtherPush {
        /// Unix second at which that push began.
        publish_timestamp: i64,
        /// When its message arrived.
        received_at: DateTime<Utc>,
    },
    /// Several other pushes of the stream.
    OtherPushes,
}

/// What the log says of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushState {
    /// Its start was received, and counts.
    pub has_start: bool,
    /// It has ended.
    pub has_ended: bool,
    /// Its start shares its signature with another push.
    pub start_shares_signature: bool,
}

/// What admission asks of a message that the log is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What has happened.
    pub event: &'a Event,
    /// Unix second at which the push began.
    pub publish_timestamp: i64,
    /// When the message arrived.
    pub received_at: DateTime<Utc>,
}

/// How far apart, in seconds, two pushes may begin whose starts share a signature: a second has the same for all.
const SHARED_STARTS_APART_SECONDS: u64 = 2;

/// Judges one message by itself.
///
/// `policy` is that of the domain which the message claims, `None` when there is none of exactly this name; `now` is the
/// moment of receipt. What the log has to say of an accepted message is for [`review`].
#[must_use]
pub fn judge(
    message: &Notification,
    path: Path,
    policy: Option<&DomainPolicy>,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Verdict {
    let proof = policy.ok_or(RefusalCause::UnknownDomain).and_then(|policy| prove(message, path, policy, limits, now));
    match proof {
        Err(cause) => Verdict::Refuse(cause),
        Ok(proof) => match doubt(message, &proof, limits, now) {
            Some(reason) => Verdict::Quarantine(proof, reason),
            None => Verdict::Accept(proof),
        },
    }
}

/// Whether an accepted message counts only if the start of its push was received: it is an end that reaches far back.
#[must_use]
pub fn needs_start(claim: &Claim<'_>, limits: &Limits) -> bool {
    let started_at = DateTime::from_timestamp(claim.publish_timestamp, 0);
    *claim.event == Event::PublishDone
        && started_at.is_none_or(|started_at| claim.received_at - started_at > limits.missing_start_limit)
}

/// Judges an accepted message once more, by what the log says. `Ok(true)` when it counts, although another push used its
/// signature before.
///
/// A signature covers the names joined, and not the push, so it counts for the push that it came with first. But it is the
/// same for all that happens to a stream in one second, so that one other push may share it, if that is plausible.
///
/// # Errors
/// The reason why the message does not count.
pub fn review(claim: &Claim<'_>, known: &Known, limits: &Limits) -> Result<bool, QuarantineReason> {
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
    /// The verdict once the log was asked, for those who only ask.
    #[must_use]
    pub fn reviewed(self, message: &Notification, known: Option<&Known>, limits: &Limits, now: DateTime<Utc>) -> Self {
        let claim = Claim { event: &message.event, publish_timestamp: message.publish_timestamp, received_at: now };
        match (self, known) {
            (Self::Accept(proof), Some(known)) => match review(&claim, known, limits) {
                Ok(_) => Self::Accept(proof),
                Err(reason) => Self::Quarantine(proof, reason),
            },
            (verdict, _) => verdict,
        }
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
            signature_sharing_window: TimeDelta::seconds(10),
            missing_start_limit: TimeDelta::days(30),
        }
    }

    fn policy() -> DomainPolicy {
        DomainPolicy {
            signature: SignatureRule::Required,
            apps: None,
            joiner: Joiner::Nothing,
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
            altered: Vec::new(),
        }
    }

    fn verdict_on(message: &Notification) -> Verdict {
        judge(message, Path::Open, Some(&policy()), &limits(), at(NOW))
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

    fn claim(event: &Event, publish_timestamp: i64, received_at: i64) -> Claim<'_> {
        Claim { event, publish_timestamp, received_at: at(received_at) }
    }

    fn reviewed(claim: &Claim<'_>, signature: SignatureUse, push: PushState) -> &'static str {
        match review(claim, &Known { signature, push }, &limits()) {
            Ok(false) => "accepted",
            Ok(true) => "shared",
            Err(reason) => reason.as_str(),
        }
    }

    const LIVE: PushState = PushState { has_start: true, has_ended: false, start_shares_signature: false };

    #[test]
    fn a_signature_counts_for_one_stream_and_for_two_pushes_at_most() {
        for event in [Event::Publish, Event::PublishDone, Event::Other("RECORD".into())] {
            for (signature, expected) in [
                (SignatureUse::Own, "accepted"),
                (SignatureUse::OtherStream, "signature_of_another_stream"),
                (SignatureUse::OtherPushes, "signature_of_another_push"),
            ] {
                assert_eq!(reviewed(&claim(&event, NOW, NOW), signature, LIVE), expected, "{event:?}");
            }
        }
    }

    #[test]
    fn two_starts_share_a_signature_within_seconds_and_two_ends_of_live_pushes() {
        let other = SignatureUse::OtherPush { publish_timestamp: NOW - 100, received_at: at(NOW) };
        for (event, start, received_at, push, expected) in [
            (Event::Publish, NOW - 98, NOW + 10, PushState::default(), "shared"),
            (Event::Publish, NOW - 102, NOW - 10, PushState::default(), "shared"),
            (Event::Publish, NOW - 97, NOW, PushState::default(), "signature_of_another_push"),
            (Event::Publish, NOW - 103, NOW, PushState::default(), "signature_of_another_push"),
            (Event::Publish, NOW - 98, NOW + 11, PushState::default(), "signature_of_another_push"),
            (Event::PublishDone, NOW - 5_000, NOW + 10, LIVE, "shared"),
            (Event::PublishDone, NOW - 5_000, NOW + 11, LIVE, "signature_of_another_push"),
            (Event::PublishDone, NOW - 99, NOW, PushState::default(), "signature_of_another_push"),
            (Event::PublishDone, NOW - 99, NOW, PushState { has_ended: true, ..LIVE }, "signature_of_another_push"),
            (
                Event::PublishDone,
                NOW - 99,
                NOW,
                PushState { start_shares_signature: true, ..LIVE },
                "signature_of_another_push",
            ),
            (Event::Other("RECORD".into()), NOW - 99, NOW, LIVE, "signature_of_another_push"),
        ] {
            assert_eq!(
                reviewed(&claim(&event, start, received_at), other, push),
                expected,
                "{event:?} {start} {push:?}"
            );
        }
    }

    #[test]
    fn an_end_reaches_back_as_far_as_the_limit_unless_its_start_was_received() {
        let limit = 30 * 86_400;
        for (event, start, push, expected) in [
            (Event::PublishDone, NOW - limit, PushState::default(), "accepted"),
            (Event::PublishDone, NOW - limit - 1, PushState::default(), "end_of_unknown_push"),
            (Event::PublishDone, 0, PushState::default(), "end_of_unknown_push"),
            (Event::PublishDone, 0, LIVE, "accepted"),
            (Event::PublishDone, 0, PushState { has_ended: true, ..LIVE }, "accepted"),
            (Event::Publish, 0, PushState::default(), "accepted"),
        ] {
            assert_eq!(reviewed(&claim(&event, start, NOW), SignatureUse::Own, push), expected, "{event:?} {start}");
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
        assert_eq!(word(&judge(&genuine, Path::Open, None, &limits(), at(NOW))), "unknown_domain");
        let keyless = DomainPolicy { keys: vec![], ..policy() };
        assert_eq!(word(&judge(&genuine, Path::Open, Some(&keyless), &limits(), at(NOW))), "no_key");
    }

    #[test]
    fn only_listed_apps_are_let_in() {
        let listing =
            |apps: &[&str]| DomainPolicy { apps: Some(apps.iter().map(ToString::to_string).collect()), ..policy() };
        let message = signed(Event::Publish, NOW, NOW);
        assert_eq!(word(&judge(&message, Path::Open, Some(&listing(&["live"])), &limits(), at(NOW))), "accepted");
        assert_eq!(
            word(&judge(&message, Path::Open, Some(&listing(&["live2"])), &limits(), at(NOW))),
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
            assert_eq!(word(&judge(&message, path, Some(&unsigned), &limits(), at(NOW))), expected);
        }
    }

    #[test]
    fn a_signed_domain_is_verified_on_its_secret_path_too() {
        let forged = Notification { stream: "other".into(), ..signed(Event::Publish, NOW, NOW) };
        assert_eq!(word(&judge(&forged, Path::Secret, Some(&policy()), &limits(), at(NOW))), "signature_mismatch");
    }
}
