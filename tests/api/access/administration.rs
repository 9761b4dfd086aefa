//! Registering domains, keys and secret paths.

use std::time::Duration;

use serde_json::json;
use streamtally::model::access::FieldSeparator;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::helpers::{TestApp, until};

const PATH: &str = "/v1/domains/push.example.com";

#[tokio::test]
async fn a_domain_is_registered_changed_and_removed_and_its_history_stays() {
    let app = TestApp::start().await;
    let domain = app.get(PATH, 200).await;
    assert_eq!(domain["signature"], "required");
    assert_eq!(domain["keys"].as_array().unwrap().len(), 1);
    assert_eq!(domain["has_callback_token"], false);
    let settings = json!({ "signature": "required", "apps": ["live", "vod"], "joiner": "+",
        "rendition_templates": ["lud"], "concurrent_pushes": true,
        "close_unconfirmed_after": "12h" });
    let changed = app.put(PATH, &settings, 200).await;
    for (member, value) in settings.as_object().unwrap() {
        assert_eq!(changed[member], *value);
    }
    assert_eq!(changed["created_at"], domain["created_at"]);
    let off = app.put(PATH, &json!({ "close_unconfirmed_after": "off" }), 200).await;
    assert_eq!(off["close_unconfirmed_after"], "off");
    let by_default = app.put(PATH, &json!({}), 200).await;
    assert_eq!(by_default["close_unconfirmed_after"], json!(null));
    app.receive(&[Push::of("room", 5).start()]).await;
    app.delete(PATH, 204).await;
    app.callback(&Push::of("room", 5).end(), 401).await;
    assert_eq!(app.session("").await["status"], "live");
    app.get(PATH, 404).await;
    app.delete(PATH, 404).await;
    assert_eq!(app.list("/v1/domains").await.len(), 0);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_and_named() {
    let app = TestApp::start().await;
    for (settings, name) in [
        (json!({ "apps": ["live", "live2"] }), "apps"),
        (json!({ "apps": ["live", "live"] }), "apps"),
        (json!({ "apps": [] }), "apps"),
        (json!({ "apps": ["not an app"] }), "apps"),
        (json!({ "joiner": "-" }), "joiner"),
        (json!({ "signature": "maybe" }), "signature"),
        (json!({ "rendition_templates": [""] }), "rendition_templates"),
        (json!({ "rendition_templates": "lud" }), "rendition_templates"),
        (json!({ "close_unconfirmed_after": "never" }), "close_unconfirmed_after"),
        (json!({ "close_unconfirmed_after": "0s" }), "close_unconfirmed_after"),
        (json!({ "close_unconfirmed_after": "1500ms" }), "close_unconfirmed_after"),
        (json!({ "close_unconfirmed_after": "4000days" }), "close_unconfirmed_after"),
        (json!({ "close_unconfirmed_after": 3600 }), "close_unconfirmed_after"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refusal = app.put(PATH, &settings, 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{settings}");
    }
    app.put("/v1/domains/with%20space", &json!({}), 400).await;
    app.put(&format!("{PATH}?force=true"), &json!({}), 400).await;
    assert_eq!(app.list("/v1/domains").await.len(), 1);
}

#[tokio::test]
async fn only_listed_apps_are_received_for() {
    let app = TestApp::start().await;
    app.put(PATH, &json!({ "apps": ["live"] }), 200).await;
    app.callback(&Push::of("room", 5).start(), 200).await;
    app.callback(&Push { app: "vod".to_owned(), ..Push::of("room", 5) }.start(), 401).await;
}

#[tokio::test]
async fn keys_are_generated_or_given_and_shown_at_most_once() {
    let app = TestApp::start().await;
    let generated = app.post(&format!("{PATH}/keys"), &json!({}), 201).await;
    let key = generated["key"].as_str().unwrap().to_owned();
    assert_eq!(key.chars().count(), 32);
    let given = app.post(&format!("{PATH}/keys"), &json!({ "key": "g".repeat(128) }), 201).await;
    assert!(given.get("key").is_none());
    let shown = app.get(PATH, 200).await.to_string() + &app.get("/v1/domains", 200).await.to_string();
    assert!(!shown.contains(&key) && !shown.contains(KEY), "{shown}");
    for (body, status) in [
        (json!({ "key": "k".repeat(31) }), 400),
        (json!({ "key": "k".repeat(129) }), 400),
        (json!({ "key": 5 }), 400),
        (json!({ "key": KEY }), 409),
    ] {
        app.post(&format!("{PATH}/keys"), &body, status).await;
    }
    app.post("/v1/domains/elsewhere/keys", &json!({}), 404).await;
    app.callback(&Push { key, ..Push::of("room", 5) }.start(), 200).await;
    app.callback(&Push { key: "g".repeat(128), ..Push::of("room", 5) }.start(), 200).await;
}

#[tokio::test]
async fn domains_whose_names_begin_alike_may_not_share_a_key() {
    let app = TestApp::start().await;
    app.put("/v1/domains/push.example.co", &json!({}), 201).await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    app.post("/v1/domains/push.example.co/keys", &json!({ "key": KEY }), 409).await;
    app.post("/v1/domains/other.example.com/keys", &json!({ "key": KEY }), 201).await;
}

#[tokio::test]
async fn keys_are_sealed_in_the_database() {
    let app = TestApp::start().await;
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed_key from signing_key").fetch_one(&app.pool).await.unwrap();
    assert!(!sealed.windows(8).any(|window| KEY.as_bytes().windows(8).any(|part| part == window)));
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_harms_no_other() {
    let app = TestApp::start().await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    app.post("/v1/domains/other.example.com/keys", &json!({ "key": "o".repeat(32) }), 201).await;
    let damage = "update signing_key set sealed_key = sha512(sealed_key) || sha512(sealed_key)
                  where domain = 'other.example.com'";
    sqlx::query(damage).execute(&app.pool).await.unwrap();
    let token = app.make_token(&["read"], None).await;
    app.with_token(&token).get("/v1/live", 200).await;
    app.callback(&Push::of("room", 5).start(), 200).await;
    let theirs = Push { domain: "other.example.com".to_owned(), key: "o".repeat(32), ..Push::of("room", 5) };
    app.callback(&theirs.start(), 401).await;
    let (another, _stop) = app.start_another(&["--roles", "receiver"]).await;
    let request = app.client.post(format!("{another}/callbacks/huawei")).body(Push::of("room", 5).end().to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn lists_of_administration_are_paged_too() {
    let app = TestApp::start().await;
    for number in 0..4 {
        app.put(&format!("/v1/domains/d{number}.example.com"), &json!({}), 201).await;
        app.make_token(&["read"], None).await;
    }
    for (path, rows) in [("/v1/domains", 5), ("/v1/tokens", 4)] {
        let first = app.get(&format!("{path}?limit=3"), 200).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = app.get(&format!("{path}?limit=3&cursor={cursor}"), 200).await;
        let both = [first["data"].as_array().unwrap().clone(), second["data"].as_array().unwrap().clone()].concat();
        assert_eq!(second["next_cursor"], serde_json::Value::Null);
        assert_eq!(both, app.list(path).await);
        assert_eq!(both.len(), rows);
        app.get(&format!("{path}?limit=0"), 400).await;
    }
}

#[tokio::test]
async fn a_change_is_seen_by_another_process() {
    let app = TestApp::start().await;
    let (address, _stop) = app.start_another(&["--roles", "receiver"]).await;
    let plus = Push { joiner: FieldSeparator::Plus, ..Push::of("room", 5) };
    let send = || async {
        let request = app.client.post(format!("{address}/callbacks/huawei")).body(plus.start().to_string());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send().await, 401);
    app.put(PATH, &json!({ "joiner": "+" }), 200).await;
    tokio::time::timeout(Duration::from_secs(2), until(async || send().await == 200)).await.expect("within 2 s");
    assert_eq!(app.get(PATH, 200).await["domain"], DOMAIN);
}
