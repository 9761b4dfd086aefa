//! Events that are sent again on request, and deliveries that failed.

use chrono::TimeDelta;
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use super::receiver::{Behavior, Receiver, Request};
use super::{SENDS, create};
use crate::helpers::{TestApp, until};

/// A service whose webhook has sent the start and the end of `room` and the start of `other`.
async fn with_events() -> (TestApp, Receiver, String) {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, _) = create(&app, &receiver, json!({})).await;
    let push = Push::of("room", 60);
    for (message, events) in [(push.start(), 1), (push.end(), 2), (Push::of("other", 50).start(), 3)] {
        app.callback(&message, 200).await;
        until(async || receiver.requests().len() == events).await;
    }
    let path = format!("/v1/webhooks/{id}");
    until(async || app.get(&path, 200).await["oldest_unsent_at"].is_null()).await;
    (app, receiver, path)
}

fn content(request: &Request) -> (String, Vec<u8>) {
    (request.id().to_owned(), request.body.clone())
}

fn all() -> Value {
    let now = clock::now();
    json!({ "from": now - TimeDelta::hours(1), "to": now + TimeDelta::hours(1) })
}

fn with(mut request: Value, name: &str, value: Value) -> Value {
    request.as_object_mut().unwrap().insert(name.to_owned(), value);
    request
}

#[tokio::test]
async fn a_period_is_sent_again_with_the_same_ids_and_bytes() {
    let (app, receiver, path) = with_events().await;
    let first = receiver.requests();
    let replay = format!("{path}/replay");
    let counted = app.post(&replay, &with(all(), "dry_run", json!(true)), 200).await;
    assert_eq!(counted, json!({ "dry_run": true, "events": 3 }));
    assert_eq!(app.post(&replay, &all(), 200).await, json!({ "dry_run": false, "events": 3 }));
    until(async || receiver.requests().len() == 6).await;
    let again = &receiver.requests()[3..];
    let mut contents = [first.iter().map(content).collect::<Vec<_>>(), again.iter().map(content).collect()];
    for contents in &mut contents {
        contents.sort();
    }
    assert_eq!(contents[0], contents[1]);
    assert!(first.iter().all(|request| !request.headers.contains_key("webhook-replay")));
    assert!(again.iter().all(|request| request.headers["webhook-replay"] == "true"));
    // New events are no replays.
    app.callback(&Push::of("third", 40).start(), 200).await;
    until(async || receiver.requests().len() == 7).await;
    assert!(!receiver.requests()[6].headers.contains_key("webhook-replay"));
    // What was recorded later is not of the period.
    let early = json!({ "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z" });
    assert_eq!(app.post(&replay, &early, 200).await["events"], 0);
}

#[tokio::test]
async fn a_session_and_single_deliveries_are_sent_again() {
    let (app, receiver, path) = with_events().await;
    let replay = format!("{path}/replay");
    let session = app.session("stream=room").await["session_id"].clone();
    assert_eq!(app.post(&replay, &json!({ "session_id": session }), 200).await["events"], 2);
    until(async || receiver.requests().len() == 5).await;
    assert!(receiver.events()[3..].iter().all(|(_, stream)| stream == "room"));
    until(async || app.list(&format!("{path}/deliveries?state=delivered")).await.len() == 3).await;
    let deliveries = app.list(&format!("{path}/deliveries")).await;
    let one = json!({ "delivery_ids": [deliveries[0]["delivery_id"]] });
    assert_eq!(app.post(&replay, &one, 200).await["events"], 1);
    until(async || receiver.requests().len() == 6).await;
    // The receiver has it before the service stores so.
    until(async || app.list(&format!("{path}/deliveries?state=delivered")).await.len() == 3).await;
    assert_eq!(app.post(&replay, &with(one, "only_failed", json!(true)), 200).await["events"], 0);
    let act = &app.list("/v1/audit").await[0];
    assert_eq!((&act["act"], &act["details"]), (&json!("webhook_replayed"), &json!({ "events": 1 })));
}

#[tokio::test]
async fn failed_events_are_sent_again_at_once() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, _) = create(&app, &receiver, json!({})).await;
    receiver.behave(Behavior::Status(500));
    app.callback(&Push::of("room", 60).start(), 200).await;
    let waiting = format!("/v1/webhooks/{id}/deliveries?state=waiting");
    until(async || app.list(&waiting).await.len() == 1).await;
    let delivery = app.list(&waiting).await.remove(0);
    assert_eq!((&delivery["last_status"], &delivery["replayed"]), (&json!(500), &json!(false)));
    receiver.behave(Behavior::Status(204));
    let failed = with(all(), "only_failed", json!(true));
    assert_eq!(app.post(&format!("/v1/webhooks/{id}/replay"), &failed, 200).await["events"], 1);
    let delivered = format!("/v1/webhooks/{id}/deliveries?state=delivered");
    until(async || app.list(&delivered).await.len() == 1).await;
    let delivery = app.list(&delivered).await.remove(0);
    assert_eq!((&delivery["attempts"], &delivery["replayed"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn a_replay_is_of_one_kind() {
    let app = TestApp::start().await;
    let (id, _) = create_for_nobody(&app, json!({})).await;
    let (relay, _) = create_for_nobody(&app, json!({ "name": "relay", "kind": "relay", "domains": [DOMAIN] })).await;
    let session = "006b02de-614e-8b1b-aa37-49ddc9316417";
    for (request, member) in [
        (json!({}), "from"),
        (json!({ "from": "2026-01-01T00:00:00Z" }), "to"),
        (json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "to"),
        (with(all(), "session_id", json!(session)), "from"),
        (json!({ "delivery_ids": [] }), "delivery_ids"),
        (json!({ "delivery_ids": [session], "session_id": session }), "from"),
    ] {
        let problem = app.post(&format!("/v1/webhooks/{id}/replay"), &request, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], member, "{request}: {problem}");
    }
    app.post(&format!("/v1/webhooks/{session}/replay"), &all(), 404).await;
    // What a relay has delivered is not kept.
    app.post(&format!("/v1/webhooks/{relay}/replay"), &all(), 409).await;
}

/// Creates a webhook that nothing is sent to.
async fn create_for_nobody(app: &TestApp, settings: Value) -> (String, String) {
    let mut body = json!({ "name": "of nobody", "url": "https://receiver.example.com/" });
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let created = app.post("/v1/webhooks", &body, 201).await;
    (created["webhook_id"].as_str().unwrap().to_owned(), created["secret"].as_str().unwrap().to_owned())
}
