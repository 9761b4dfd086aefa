//! The settings of webhooks, and who may change them.

use serde_json::json;

use super::receiver::Receiver;
use super::{SENDS, create};
use crate::helpers::TestApp;

#[tokio::test]
async fn only_administrators_see_and_change_webhooks() {
    let app = TestApp::start().await;
    let token = app.make_token(&["read", "personal", "billing"], None).await;
    app.with_token(&token).get("/v1/webhooks", 403).await;
    let settings = json!({ "name": "recorder", "url": "https://receiver.example.com/" });
    app.with_token(&token).send(reqwest::Method::POST, "/v1/webhooks", Some(&settings), 403).await;
}

#[tokio::test]
async fn a_webhook_is_created_changed_and_deleted_and_the_audit_log_says_so() {
    let app = TestApp::start().await;
    let settings = json!({
        "name": "recorder", "url": "https://receiver.example.com/hook?key=of-the-url",
        "headers": { "Authorization": "Bearer of-the-header" },
    });
    let created = app.post("/v1/webhooks", &settings, 201).await;
    let id = created["webhook_id"].as_str().unwrap();
    assert!(created["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(created["has_headers"], true);
    app.post("/v1/webhooks", &settings, 409).await;
    let changed = json!({ "name": "archive", "url": "https://receiver.example.com/", "state": "disabled" });
    let changed = app.put(&format!("/v1/webhooks/{id}"), &changed, 200).await;
    assert_eq!((&changed["disabled_reason"], &changed["has_headers"]), (&json!("administrator"), &json!(true)));
    assert_eq!(app.list("/v1/webhooks").await, [changed]);
    app.post(&format!("/v1/webhooks/{id}/secret"), &json!({}), 200).await;
    app.delete(&format!("/v1/webhooks/{id}"), 204).await;
    app.get(&format!("/v1/webhooks/{id}"), 404).await;
    let entries = app.list("/v1/audit").await;
    let acts: Vec<_> =
        entries.iter().filter_map(|entry| entry["act"].as_str()).filter(|act| act.starts_with("webhook")).collect();
    assert_eq!(acts, ["webhook_removed", "webhook_secret_replaced", "webhook_changed", "webhook_created"]);
    let text = serde_json::to_string(&entries).unwrap();
    for secret in ["of-the-url", "of-the-header", created["secret"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_url_must_be_public_and_https() {
    let app = TestApp::start().await;
    for url in [
        "http://receiver.example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:secret@receiver.example.com/",
        "not a URL",
        "https://receiver.example.com/#part",
    ] {
        let problem = app.post("/v1/webhooks", &json!({ "name": "recorder", "url": url }), 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], "url", "{url}: {problem}");
    }
}

#[tokio::test]
async fn both_secrets_sign_while_one_replaces_the_other() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, before) = create(&app, &receiver, json!({})).await;
    let replaced = app.post(&format!("/v1/webhooks/{id}/secret"), &json!({}), 200).await;
    let now = replaced["secret"].as_str().unwrap().to_owned();
    let test = async || {
        app.post(&format!("/v1/webhooks/{id}/test"), &json!({}), 200).await;
        receiver.requests().pop().unwrap()
    };
    let during = test().await;
    assert!(during.is_signed_by(&before) && during.is_signed_by(&now));
    app.post(&format!("/v1/webhooks/{id}/secret"), &json!({ "overlap_seconds": 0 }), 200).await;
    let after = test().await;
    assert!(!after.is_signed_by(&before) && !after.is_signed_by(&now));
}
