//! The check of a domain's settings at the provider.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use streamtally::huawei::live_api::signing::{RequestToSign, authorization};
use streamtally::platform::clock;
use test_support::messages::KEY;

use super::provider::Provider;
use super::{ACCESS_KEY, ASKS, DOMAIN_PATH, SECRET_KEY, create};
use crate::helpers::TestApp;

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const LISTS: &str = "realtime/streams";
const HISTORY: &str = "history/streams";
const CALLBACKS: &str = "notifications/publish";

/// A service whose domain has an account at a provider of a test.
async fn start() -> (TestApp, Provider) {
    let app = TestApp::start_with(&ASKS).await;
    let provider = Provider::start().await;
    let id = create(&app, "main", &provider.endpoint).await;
    app.put(DOMAIN_PATH, &json!({ "provider_account": id }), 200).await;
    (app, provider)
}

async fn check(app: &TestApp) -> Value {
    app.post(&format!("{DOMAIN_PATH}/provider-check"), &json!({}), 200).await
}

/// Sets where the provider sends callbacks.
fn set(provider: &Provider, url: &str, key: &str) {
    provider.answer(CALLBACKS, 200, "", &json!({ "url": url, "auth_sign_key": key }).to_string());
}

#[tokio::test]
async fn a_domain_without_an_account_cannot_be_checked() {
    let app = TestApp::start().await;
    app.post(&format!("{DOMAIN_PATH}/provider-check"), &json!({}), 409).await;
    app.post("/v1/domains/elsewhere/provider-check", &json!({}), 404).await;
}

#[tokio::test]
async fn the_callback_url_and_key_at_the_provider_are_compared_and_neither_key_is_shown() {
    let (app, provider) = start().await;
    let found = check(&app).await;
    assert_eq!(found["callback_url"], json!({ "state": "none", "url": null }));
    let [key, lists, history] = ["callback_key", "lists", "history"].map(|member| &found[member]);
    assert_eq!([key, lists, history], ["none", "readable", "readable"]);

    let ours = format!("{}/callbacks/huawei", app.address);
    let foreign_key = "f".repeat(32);
    for (url, key, url_state, key_state) in [
        (ours.as_str(), KEY, "ours", "matches"),
        (&ours, &foreign_key, "ours", "differs"),
        (&ours, "", "ours", "none"),
        ("https://tally.example.com/callbacks/huawei", KEY, "other_host", "matches"),
        ("https://cms.example.com", KEY, "other", "matches"),
    ] {
        set(&provider, url, key);
        let found = check(&app).await;
        assert_eq!(found["callback_url"], json!({ "state": url_state, "url": url }));
        assert_eq!(found["callback_key"], key_state, "{url}");
        let text = found.to_string();
        for secret in [KEY, &foreign_key, ACCESS_KEY, SECRET_KEY] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_secret_path_at_the_provider_is_compared_and_not_shown() {
    let (app, provider) = start().await;
    let path = app.post(&format!("{DOMAIN_PATH}/callback-token"), &json!({}), 201).await["callback_path"].clone();
    let hidden = format!("{}/callbacks/huawei/***", app.address);
    let path = path.as_str().unwrap();
    for (path, state) in [(path, "ours"), ("/callbacks/huawei/another-secret", "other")] {
        set(&provider, &format!("{}{path}?key=of-the-url", app.address), KEY);
        assert_eq!(check(&app).await["callback_url"], json!({ "state": state, "url": hidden }));
    }
    let token = path.strip_prefix("/callbacks/huawei/").unwrap();
    for path in ["/callback/huawei/", "/Callbacks/huawei/", "/callbacks/huawei", "/hooks/", "/"] {
        set(&provider, &format!("https://cms.example.com{path}{token}"), KEY);
        let found = check(&app).await;
        assert_eq!(found["callback_url"], json!({ "state": "other", "url": "https://cms.example.com/***" }), "{path}");
    }
}

#[tokio::test]
async fn requests_are_signed_as_they_are_sent() {
    let (app, provider) = start().await;
    let before = clock::now() - TimeDelta::seconds(1);
    check(&app).await;
    let requests = provider.requests();
    assert_eq!(requests.len(), 3);
    let host = provider.endpoint.trim_start_matches("http://");
    for request in requests {
        let header = |name: &str| {
            let line = request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("{name}: {request}")).to_owned()
        };
        assert_eq!(header("host"), host);
        let date = chrono::NaiveDateTime::parse_from_str(&header("x-sdk-date"), "%Y%m%dT%H%M%SZ").unwrap().and_utc();
        assert!((before..=clock::now()).contains(&date), "{date}");
        let time = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (from, to) = (time(date - TimeDelta::hours(1)), time(date));
        let (path, query) = if request.contains(HISTORY) {
            let period = [("domain", "push.example.com"), ("start_time", from.as_str()), ("end_time", to.as_str())];
            let query = [&period[..], &[("offset", "0"), ("limit", "100")]].concat();
            (format!("/v2/{PROJECT}/stats/history/streams"), query)
        } else if request.contains(LISTS) {
            let query = vec![("publish_domain", "push.example.com"), ("offset", "0"), ("limit", "1")];
            (format!("/v1/{PROJECT}/realtime/streams"), query)
        } else {
            (format!("/v1/{PROJECT}/notifications/publish"), vec![("domain", "push.example.com")])
        };
        let headers = [("host", host), ("x-project-id", PROJECT)];
        let to_sign = RequestToSign { method: "GET", path: &path, query: &query, headers: &headers, body: b"" };
        assert_eq!(header("authorization"), authorization(ACCESS_KEY, &SECRET_KEY.into(), &to_sign, date));
        assert!(request.starts_with(&format!("GET {path}?")), "{request}");
    }
}

#[tokio::test]
async fn a_provider_that_refuses_is_an_answer_without_its_texts() {
    let (app, provider) = start().await;
    let echo = "verify aksk signature fail, canonicalRequest:GET|/v1/of-a-test";
    let body = json!({ "error_code": "APIGW.0301", "error_msg": echo, "request_id": "of-a-test" }).to_string();
    for (status, code, kind, lists) in [
        (403, "APIGW.0302", "unauthorized", "refused"),
        (404, "LIVE.103011019", "not_found", "unknown"),
        (429, "APIG.0308", "throttled", "unknown"),
        (500, "LIVE.100011007", "throttled", "unknown"),
        (500, "LIVE.100011000", "failed", "unknown"),
    ] {
        let body = body.replace("APIGW.0301", code);
        provider.answer(LISTS, status, "X-Request-Id: a1b2c3\r\n", &body);
        provider.answer(CALLBACKS, status, "X-Request-Id: <script>\r\n", &body);
        let found = check(&app).await;
        assert_eq!(found["callback_url"], json!({ "state": "unknown", "url": null }));
        assert_eq!((&found["callback_key"], &found["lists"]), (&json!("unknown"), &json!(lists)), "{found}");
        let error = &found["lists_error"];
        assert_eq!((&error["kind"], &error["status"], &error["code"]), (&json!(kind), &json!(status), &json!(code)));
        assert_eq!((&error["request_id"], &found["callback_error"]["request_id"]), (&json!("a1b2c3"), &json!(null)));
        assert!(!found.to_string().contains("of-a-test"), "{found}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_used_once() {
    let (app, provider) = start().await;
    let body = json!({ "error_code": "APIGW.0301" }).to_string();
    provider.answer(LISTS, 401, "X-Request-Id: a1b2c3\r\n", &body);
    let found = check(&app).await;
    assert_eq!(provider.requests().len(), 1);
    let [lists, history, key] = ["lists", "history", "callback_key"].map(|member| &found[member]);
    assert_eq!([lists, history, key], ["refused", "refused", "unknown"]);
    for error in ["lists_error", "history_error", "callback_error"] {
        assert_eq!(found[error]["request_id"], "a1b2c3", "{found}");
    }
}

#[tokio::test]
async fn a_key_may_lack_the_permission_for_the_history_alone() {
    let (app, provider) = start().await;
    let body = json!({ "error_code": "APIGW.0302" }).to_string();
    provider.answer(HISTORY, 403, "", &body);
    let found = check(&app).await;
    assert_eq!((&found["lists"], &found["history"]), (&json!("readable"), &json!("refused")));
    assert_eq!((&found["lists_error"], &found["callback_error"]), (&json!(null), &json!(null)));
    let error = &found["history_error"];
    assert_eq!((&error["kind"], &error["status"]), (&json!("unauthorized"), &json!(403)));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_one_too() {
    let (app, provider) = start().await;
    let long = " ".repeat(5 << 20);
    for (status, headers, body, kind) in [
        (200, "", "<html>of-a-test</html>", "unreadable"),
        (200, "", r#"{"total_num":"of-a-test","url":{"of-a-test":1}}"#, "unreadable"),
        (200, "", long.as_str(), "unreadable"),
        // Not followed.
        (302, "Location: http://127.0.0.1:1/of-a-test\r\n", "", "failed"),
    ] {
        provider.answer(LISTS, status, headers, body);
        provider.answer(CALLBACKS, status, headers, body);
        let found = check(&app).await;
        assert_eq!(found["callback_error"]["kind"], kind, "{found}");
        assert_eq!(found["lists_error"]["kind"], kind, "{found}");
        assert!(!found.to_string().contains("of-a-test"), "{found}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_reached_or_not_allowed_is_one_too() {
    let (app, provider) = start().await;
    drop(provider);
    let found = check(&app).await;
    assert_eq!(found["callback_error"]["kind"], "unreachable", "{found}");
    assert_eq!((&found["lists"], &found["clock_difference_seconds"]), (&json!("unknown"), &json!(null)));
    // Another process may allow less.
    let (address, _stop) = app.start_another(&["--roles", "api"]).await;
    let request = app.client.post(format!("{address}{DOMAIN_PATH}/provider-check"));
    let found: Value = request.bearer_auth(crate::helpers::ADMIN_TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!(found["callback_error"]["kind"], "forbidden", "{found}");
}

#[tokio::test]
async fn the_difference_of_the_clocks_is_shown() {
    let (app, provider) = start().await;
    assert_eq!(check(&app).await["clock_difference_seconds"], json!(null));
    let date = (clock::now() + TimeDelta::seconds(1_000)).format("%a, %d %b %Y %H:%M:%S GMT");
    let body = json!({ "error_code": "APIGW.0303" }).to_string();
    provider.answer(CALLBACKS, 401, &format!("Date: {date}\r\n"), &body);
    let found = check(&app).await;
    let difference = found["clock_difference_seconds"].as_i64().unwrap();
    assert!((900..=1_000).contains(&difference), "{found}");
}
