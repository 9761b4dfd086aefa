//! What webhooks tell that no single event of the log says.

use chrono::TimeDelta;
use serde_json::{Value, json};
use streamtally::delivery::upkeep::{UpkeepPolicy, keep_up};
use streamtally::platform::clock;
use streamtally::reconciler::retention::RetentionPolicy;
use test_support::messages::{DOMAIN, Push};

use super::receiver::{Behavior, Receiver, Request};
use super::{SENDS, create};
use crate::folding::rebuild::sql;
use crate::helpers::{TestApp, until};
use crate::log::retention::{age, retain_now};

pub const POLICY: UpkeepPolicy = UpkeepPolicy {
    unconfirmed_after: TimeDelta::hours(12),
    keep_bodies: TimeDelta::hours(72),
    body_capacity_bytes: 1 << 30,
};

/// The data of the only event of a type, when it has come.
async fn told(receiver: &Receiver, event_type: &str) -> Value {
    let of_type =
        || receiver.requests().into_iter().map(|request| request.json()).filter(|event| event["type"] == event_type);
    until(async || of_type().count() > 0).await;
    let events: Vec<_> = of_type().collect();
    assert_eq!(events.len(), 1, "{events:?}");
    events[0]["data"].clone()
}

#[tokio::test]
async fn an_unconfirmed_session_is_told_once_and_again_after_it_was_confirmed() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    create(&app, &receiver, json!({ "event_types": ["session.unconfirmed"] })).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || app.list("/v1/sessions").await.len() == 1).await;
    let later = clock::now() + TimeDelta::hours(13);
    for _ in 0..2 {
        keep_up(&app.pool, &POLICY, later).await.unwrap();
    }
    let data = told(&receiver, "session.unconfirmed").await;
    assert_eq!(data["session"]["stream"], "room");
    assert_eq!(data["known_live_at"], data["session"]["started_at"]);
    let id = data["session"]["session_id"].as_str().unwrap();
    app.post(&format!("/v1/sessions/{id}/confirm"), &json!({ "reason": "seen" }), 200).await;
    until(async || !app.session("stream=room").await["confirmed_at"].is_null()).await;
    keep_up(&app.pool, &POLICY, later + TimeDelta::hours(13)).await.unwrap();
    until(async || receiver.requests().len() == 2).await;
}

#[tokio::test]
async fn quarantined_callbacks_are_told_in_sum() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    create(&app, &receiver, json!({ "domains": [DOMAIN] })).await;
    let elsewhere = Receiver::start().await;
    create(&app, &elsewhere, json!({ "name": "elsewhere", "domains": ["other.example.com"] })).await;
    let expired = clock::now().timestamp() - 100_000;
    // They are recorded in one minute or in two. The notices count both callbacks.
    for stream in ["one", "two"] {
        app.callback(&Push::of(stream, 60).message("PUBLISH", expired), 200).await;
    }
    keep_up(&app.pool, &POLICY, clock::now() + TimeDelta::minutes(2)).await.unwrap();
    let count = || {
        let events = receiver.requests();
        events.iter().map(|event| event.json()["data"]["count"].as_i64().unwrap()).sum::<i64>()
    };
    until(async || count() == 2).await;
    let event = receiver.requests()[0].json();
    assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("messages.quarantined"), &json!("expired")));
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn events_that_retention_has_dropped_are_told_as_a_gap() {
    let mut app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let settings = json!({ "name": "late", "url": "https://receiver.example.com/" });
    let id = app.post("/v1/webhooks", &settings, 201).await["webhook_id"].as_str().unwrap().to_owned();
    app.receive(&[Push::of("dropped", 60).start()]).await;
    age(&app, 100).await;
    app.receive(&[Push::of("kept", 60).start()]).await;
    let keep = RetentionPolicy { keep_events: Some(TimeDelta::days(31)), keep_personal: None };
    assert!(!retain_now(&app, keep).await.dropped.is_empty());
    app.restart(&SENDS).await;
    app.put(&format!("/v1/webhooks/{id}"), &json!({ "name": "late", "url": receiver.url }), 200).await;
    until(async || receiver.requests().len() == 2).await;
    let events: Vec<_> = receiver.requests().iter().map(Request::json).collect();
    let gap = events.iter().find(|event| event["type"] == "feed.gap").unwrap();
    assert_eq!(gap["data"]["reason"], "retention");
    let started = events.iter().find(|event| event["type"] == "session.started").unwrap();
    assert_eq!(started["data"]["session"]["stream"], "kept");
}

#[tokio::test]
async fn a_webhook_whose_receiver_fails_for_days_is_disabled_and_the_others_are_told() {
    let app = TestApp::start_with(&SENDS).await;
    let [dead, other] = [Receiver::start().await, Receiver::start().await];
    let (id, _) = create(&app, &dead, json!({ "name": "dead" })).await;
    create(&app, &other, json!({ "name": "other", "event_types": ["webhook.disabled"] })).await;
    dead.behave(Behavior::Status(500));
    let path = format!("/v1/webhooks/{id}");
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || !app.get(&path, 200).await["failing_since"].is_null()).await;
    // Days later.
    sql(&app, "update webhook set failing_since = now() - interval '121 hours', failed_attempts = 20, version = version + 1 where name = 'dead'").await;
    until(async || app.get(&path, 200).await["state"] == "disabled").await;
    assert_eq!(app.get(&path, 200).await["disabled_reason"], "failing");
    let data = told(&other, "webhook.disabled").await;
    assert_eq!((&data["name"], &data["reason"]), (&json!("dead"), &json!("failing")));
    assert!(!data["failing_since"].is_null());
}
