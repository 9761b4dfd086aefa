//! Relays: the provider's callbacks, byte for byte.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use streamtally::delivery::upkeep::keep_up;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use super::notices::POLICY;
use super::receiver::{Behavior, Receiver};
use super::{SENDS, create};
use crate::helpers::{TestApp, answer, until};

/// Creates a relay of the tests' domain.
async fn relay(app: &TestApp, receiver: &Receiver, name: &str) -> (String, String) {
    create(app, receiver, json!({ "name": name, "kind": "relay", "domains": [DOMAIN] })).await
}

async fn kept_bodies(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from relay_body").fetch_one(&app.pool).await.unwrap()
}

/// The contents of all files in a folder.
fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let contents = |path: PathBuf| if path.is_dir() { files_in(&path) } else { vec![std::fs::read(&path).unwrap()] };
    entries.flat_map(contents).collect()
}

/// The same callback, written otherwise.
fn spellings(message: &Value) -> [String; 4] {
    let text = message.to_string();
    let pretty = serde_json::to_string_pretty(message).unwrap();
    let reversed: Vec<String> =
        message.as_object().unwrap().iter().rev().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
    [format!(" {text}\r\n"), pretty, format!("{{{}}}", reversed.join(",")), text.replace("\"room\"", "\"\\u0072oom\"")]
}

#[tokio::test]
async fn a_callback_is_relayed_byte_for_byte_and_its_body_is_not_kept() {
    let app = TestApp::start_with(&SENDS).await;
    let [one, other] = [Receiver::start().await, Receiver::start().await];
    let (_, secret) = relay(&app, &one, "one").await;
    relay(&app, &other, "other").await;
    let bodies = spellings(&Push::of("room", 60).start());
    for body in &bodies {
        let request = app.client.post(format!("{}/callbacks/huawei", app.address)).body(body.clone());
        let request = request.header("content-type", "application/json; charset=utf-8");
        answer(&Method::POST, "/callbacks/huawei", request.send().await.unwrap(), 200).await;
    }
    until(async || [&one, &other].iter().all(|receiver| receiver.requests().len() == bodies.len())).await;
    for receiver in [&one, &other] {
        let mut relayed: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
        let mut sent: Vec<_> = bodies.iter().map(|body| body.clone().into_bytes()).collect();
        relayed.sort();
        sent.sort();
        assert_eq!(relayed, sent);
    }
    for request in one.requests() {
        assert!(request.is_signed_by(&secret));
        assert_eq!(request.headers["content-type"], "application/json; charset=utf-8");
    }
    until(async || kept_bodies(&app).await == 0).await;
}

#[tokio::test]
async fn what_is_recorded_is_relayed_and_nothing_else() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    relay(&app, &receiver, "relay").await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    let key = json!({ "key": test_support::messages::KEY });
    app.post("/v1/domains/other.example.com/keys", &key, 201).await;
    let push = Push::of("room", 60);
    let forged = Push { key: "another key, of nobody".to_owned(), ..push.clone() };
    app.callback(&forged.start(), 401).await;
    app.callback(&Push { domain: "other.example.com".to_owned(), ..push.clone() }.start(), 200).await;
    // Quarantined: its signature has expired.
    app.callback(&push.message("PUBLISH", clock::now().timestamp() - 100_000), 200).await;
    app.callback(&push.start(), 200).await;
    // A repeat.
    app.callback(&push.start(), 200).await;
    until(async || receiver.requests().len() == 3).await;
    assert!(receiver.requests().iter().all(|request| request.json()["domain"] == DOMAIN));
    assert_eq!(app.list("/v1/events?disposition=quarantined").await.len(), 1);
}

#[tokio::test]
async fn a_relay_that_leads_back_is_refused() {
    let app = TestApp::start_with(&SENDS).await;
    let url = format!("{}/callbacks/huawei", app.address);
    let settings = json!({ "name": "circle", "kind": "relay", "domains": [DOMAIN], "url": url });
    let created = app.post("/v1/webhooks", &settings, 201).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    let path = format!("/v1/webhooks/{}", created["webhook_id"].as_str().unwrap());
    until(async || !app.get(&path, 200).await["last_error"].is_null()).await;
    let error = app.get(&path, 200).await["last_error"].clone();
    assert!(error.as_str().unwrap().starts_with("status 508"), "{error}");
    assert_eq!(app.list("/v1/events").await.len(), 1);
}

#[tokio::test]
async fn a_callback_that_was_spooled_is_relayed() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    relay(&app, &receiver, "relay").await;
    let push = Push::of("room", 60);
    app.callback(&push.start(), 200).await;
    until(async || receiver.requests().len() == 1).await;
    app.database.take_away().await;
    let body = format!("{} ", push.end());
    app.callback_to("/callbacks/huawei", body.clone(), 200).await;
    let stored = files_in(&app.data_dir.path().join("local-store"));
    assert!(stored.iter().any(|file| !file.is_empty()));
    for file in stored {
        assert!(!file.windows(11).any(|bytes| bytes == b"very-secret"), "user_args are not readable in the spool");
    }
    app.database.bring_back().await;
    until(async || receiver.requests().len() == 2).await;
    assert_eq!(receiver.requests()[1].body, body.into_bytes());
}

#[tokio::test]
async fn callbacks_that_are_not_accepted_in_time_are_dropped_and_told() {
    let app = TestApp::start_with(&SENDS).await;
    let [dead, told] = [Receiver::start().await, Receiver::start().await];
    let (id, _) = relay(&app, &dead, "dead").await;
    create(&app, &told, json!({ "name": "told", "event_types": ["feed.gap"] })).await;
    dead.behave(Behavior::Status(503));
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || dead.requests().len() == 1).await;
    keep_up(&app.pool, &POLICY, clock::now() + TimeDelta::hours(73)).await.unwrap();
    until(async || told.requests().len() == 1).await;
    let gap = told.requests().remove(0).json();
    assert_eq!((&gap["type"], &gap["data"]["reason"]), (&json!("feed.gap"), &json!("relay_keep")));
    assert_eq!(gap["data"]["callbacks"], 1);
    assert_eq!(kept_bodies(&app).await, 0);
    let deliveries = format!("/v1/webhooks/{id}/deliveries");
    until(async || app.list(&deliveries).await.iter().any(|delivery| delivery["state"] == "dead")).await;
    assert_eq!(app.list(&deliveries).await[0]["last_error"], "it is no longer kept");
}

#[tokio::test]
async fn a_callback_whose_first_attempt_has_no_outcome_yet_is_not_dropped_in_silence() {
    let app = TestApp::start_with(&SENDS).await;
    let [stalls, told] = [Receiver::start().await, Receiver::start().await];
    relay(&app, &stalls, "stalls").await;
    create(&app, &told, json!({ "name": "told", "event_types": ["feed.gap"] })).await;
    stalls.behave(Behavior::Stall);
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || stalls.requests().len() == 1).await;
    keep_up(&app.pool, &POLICY, clock::now() + TimeDelta::hours(73)).await.unwrap();
    until(async || told.requests().len() == 1).await;
    assert_eq!(told.requests().remove(0).json()["data"]["callbacks"], 1);
}

#[tokio::test]
async fn a_relay_names_its_domains_and_has_no_other_choices() {
    let app = TestApp::start().await;
    for (settings, member) in [
        (json!({}), "domains"),
        (json!({ "domains": [DOMAIN], "personal": true }), "kind"),
        (json!({ "domains": [DOMAIN], "event_types": ["session.started"] }), "kind"),
        (json!({ "domains": [DOMAIN], "apps": ["live"] }), "kind"),
    ] {
        let mut body = json!({ "name": "relay", "kind": "relay", "url": "https://receiver.example.com/" });
        body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let problem = app.post("/v1/webhooks", &body, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], member, "{settings}: {problem}");
    }
}
