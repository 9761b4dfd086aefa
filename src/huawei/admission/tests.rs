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
        joiner: FieldSeparator::Nothing,
        keys: vec![(Uuid::from_u128(2), SigningKey::new(&"n".repeat(32))), (Uuid::from_u128(1), SigningKey::new(KEY))],
    }
}

fn signed(event: Event, publish_timestamp: i64, auth_timestamp: i64) -> Notification {
    let fields =
        SignedFields { event: event.word(), domain: "push.example.com", app: "live", stream: "room", auth_timestamp };
    let auth_sign = hex::encode(signature::sign(&SigningKey::new(KEY), FieldSeparator::Nothing, &fields));
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
    admit(message, CallbackRoute::Open, Some(&policy()), &limits(), at(NOW))
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accept(_) => "accepted",
        Verdict::Quarantine(_, reason) => reason.as_str(),
        Verdict::Reject(cause) => cause.as_str(),
    }
}

#[test]
fn any_active_key_verifies_and_is_named() {
    let Verdict::Accept(Authentication::Verified { key_id, .. }) = verdict_on(&signed(Event::Publish, NOW, NOW + 6))
    else {
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
    match check_replay(claim, &Known { signature, push }, &limits()) {
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
        assert_eq!(reviewed(&claim(&event, start, received_at), other, push), expected, "{event:?} {start} {push:?}");
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
    assert_eq!(word(&admit(&genuine, CallbackRoute::Open, None, &limits(), at(NOW))), "unknown_domain");
    let keyless = DomainPolicy { keys: vec![], ..policy() };
    assert_eq!(word(&admit(&genuine, CallbackRoute::Open, Some(&keyless), &limits(), at(NOW))), "no_key");
}

#[test]
fn only_listed_apps_are_let_in() {
    let listing =
        |apps: &[&str]| DomainPolicy { apps: Some(apps.iter().map(ToString::to_string).collect()), ..policy() };
    let message = signed(Event::Publish, NOW, NOW);
    assert_eq!(word(&admit(&message, CallbackRoute::Open, Some(&listing(&["live"])), &limits(), at(NOW))), "accepted");
    assert_eq!(
        word(&admit(&message, CallbackRoute::Open, Some(&listing(&["live2"])), &limits(), at(NOW))),
        "app_not_allowed"
    );
}

#[test]
fn an_unsigned_domain_is_open_only_through_its_secret_path() {
    let unsigned = DomainPolicy { signature: SignatureRule::None, keys: vec![], ..policy() };
    let message = Notification { auth_sign: Some("never checked".into()), ..signed(Event::Publish, NOW, NOW) };
    for (path, expected) in [
        (CallbackRoute::Secret, "accepted"),
        (CallbackRoute::Open, "secret_path_missing"),
        (CallbackRoute::WrongSecret, "secret_path_wrong"),
    ] {
        assert_eq!(word(&admit(&message, path, Some(&unsigned), &limits(), at(NOW))), expected);
    }
}

#[test]
fn an_unsigned_message_that_tells_of_what_cannot_be_is_quarantined() {
    let unsigned = DomainPolicy { signature: SignatureRule::None, keys: vec![], ..policy() };
    for (event, publish_timestamp, expected) in [
        (Event::Publish, EARLIEST_START, "accepted"),
        (Event::Publish, EARLIEST_START - 1, "start_outside_window"),
        (Event::Publish, 0, "start_outside_window"),
        (Event::Publish, NOW + 300, "accepted"),
        (Event::Publish, NOW + 301, "start_outside_window"),
        (Event::PublishDone, EARLIEST_START - 1, "accepted"),
        (Event::PublishDone, NOW + 300, "accepted"),
        (Event::PublishDone, NOW + 301, "end_predates_session"),
        (Event::Other("RECORD".into()), 0, "accepted"),
    ] {
        let message = signed(event.clone(), publish_timestamp, NOW);
        let verdict = admit(&message, CallbackRoute::Secret, Some(&unsigned), &limits(), at(NOW));
        assert_eq!(word(&verdict), expected, "{event:?} {publish_timestamp}");
    }
}

#[test]
fn a_signed_domain_is_verified_on_its_secret_path_too() {
    let forged = Notification { stream: "other".into(), ..signed(Event::Publish, NOW, NOW) };
    assert_eq!(word(&admit(&forged, CallbackRoute::Secret, Some(&policy()), &limits(), at(NOW))), "signature_mismatch");
}
