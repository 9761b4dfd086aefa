//! Who did what, and when tokens were last used.

use reqwest::Method;
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::helpers::{TestApp, until};

const OTHER: &str = "/v1/domains/other.example.com";

fn acts(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["act"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_administrative_act_is_written_down_with_the_token_that_did_it() {
    let app = TestApp::start().await;
    let token = app.post("/v1/tokens", &json!({ "name": "the operator", "scopes": ["admin"] }), 201).await;
    let operator = app.with_token(token["token"].as_str().unwrap());
    let before = app.list("/v1/audit").await.len();

    operator.send(Method::PUT, OTHER, Some(&json!({ "apps": ["live"] })), 201).await;
    operator.send(Method::PUT, OTHER, Some(&json!({ "apps": ["vod"] })), 200).await;
    let key = operator.send(Method::POST, &format!("{OTHER}/keys"), Some(&json!({})), 201).await;
    let key_id = key["key_id"].as_str().unwrap();
    operator.send(Method::DELETE, &format!("{OTHER}/keys/{key_id}"), None, 204).await;
    let path = operator.send(Method::POST, &format!("{OTHER}/callback-token"), Some(&json!({})), 201).await;
    let late = Push::of("room", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.callback(&late, 200).await;
    let event = app.list("/v1/events").await[0]["event_id"].clone();
    let release = format!("/v1/events/{}/release", event.as_str().unwrap());
    operator.send(Method::POST, &release, Some(&json!({})), 200).await;
    let late = Push::of("other", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.callback(&late, 200).await;
    let releases = json!({ "domain": DOMAIN, "reason": "expired", "note": "a wrong clock",
        "from": "2026-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z" });
    operator.send(Method::POST, "/v1/events/release", Some(&releases), 200).await;
    operator.send(Method::DELETE, OTHER, None, 204).await;
    let reader = json!({ "name": "reader", "scopes": ["read"] });
    let reader = operator.send(Method::POST, "/v1/tokens", Some(&reader), 201).await;
    let reader_path = format!("/v1/tokens/{}", reader["token_id"].as_str().unwrap());
    operator.send(Method::DELETE, &reader_path, None, 204).await;

    let entries = app.list("/v1/audit").await;
    let (done, earlier) = entries.split_at(entries.len() - before);
    assert_eq!(
        acts(done),
        [
            "token_revoked",
            "token_created",
            "domain_removed",
            "events_released",
            "event_released",
            "callback_path_replaced",
            "key_removed",
            "key_added",
            "domain_changed",
            "domain_registered"
        ]
    );
    assert!(done.iter().all(|entry| entry["actor"] == "the operator" && entry["token_id"] == token["token_id"]));
    assert!(earlier.iter().all(|entry| entry["actor"] == "administrator" && entry["token_id"] == Value::Null));
    assert_eq!(done[0]["subject_id"], reader["token_id"]);
    assert_eq!((&done[3]["domain"], &done[3]["subject_id"]), (&json!(DOMAIN), &Value::Null));
    let details = json!({ "reason": "expired", "note": "a wrong clock", "count": 1,
        "from": "2026-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z" });
    assert_eq!(done[3]["details"], details);
    assert_eq!(done[4]["subject_id"], event);
    assert_eq!((&done[7]["domain"], &done[7]["subject_id"]), (&json!("other.example.com"), &key["key_id"]));
    assert_eq!(done[8]["details"]["before"]["apps"], json!(["live"]));
    assert_eq!(done[8]["details"]["after"]["apps"], json!(["vod"]));
    let text = json!(entries).to_string();
    for secret in [key["key"].as_str(), path["callback_path"].as_str(), token["token"].as_str(), Some(KEY)] {
        assert!(!text.contains(secret.unwrap()), "{text}");
    }
}

#[tokio::test]
async fn what_is_refused_is_no_act() {
    let app = TestApp::start().await;
    let before = app.list("/v1/audit").await;
    app.put(OTHER, &json!({ "joiner": "-" }), 400).await;
    app.delete(OTHER, 404).await;
    app.post(&format!("{OTHER}/keys"), &json!({}), 404).await;
    app.delete("/v1/tokens/00000000-0000-0000-0000-000000000000", 404).await;
    assert_eq!(app.list("/v1/audit").await, before);
    let reader = app.make_token(&["read", "billing", "personal"], None).await;
    app.with_token(&reader).get("/v1/audit", 403).await;
}

#[tokio::test]
async fn the_audit_trail_is_paged_newest_first() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.make_token(&["read"], None).await;
    }
    let all = app.list("/v1/audit").await;
    assert_eq!(acts(&all), ["token_created", "token_created", "token_created", "key_added", "domain_registered"]);
    let first = app.get("/v1/audit?limit=2", 200).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/audit?limit=2&cursor={cursor}"), 200).await;
    assert_eq!(second["data"], json!([all[2], all[3]]));
}

#[tokio::test]
async fn the_last_use_of_a_token_is_kept() {
    let app = TestApp::start().await;
    let token = app.make_token(&["read"], None).await;
    let last_use = async || app.list("/v1/tokens").await[0]["last_used_at"].clone();
    assert_eq!(last_use().await, Value::Null);
    app.with_token(&token).get("/v1/live", 200).await;
    until(async || last_use().await.is_string()).await;
    let first = last_use().await;
    app.with_token(&token).get("/v1/audit", 403).await;
    until(async || last_use().await.as_str() > first.as_str()).await;
    // Nothing but tokens that are valid is kept of.
    app.with_token("stt_nothing").get("/v1/live", 401).await;
    assert_eq!(app.list("/v1/tokens").await.len(), 1);
}
