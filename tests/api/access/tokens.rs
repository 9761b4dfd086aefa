//! Who may read, and what of it.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use streamtally::http::api_document;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::helpers::{ADMIN_TOKEN, TestApp, answer};

/// Every operation that asks for a token, with ids that fit nothing.
fn guarded_operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(api_document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("security").is_none() {
                let path = path.replace("{domain}", "elsewhere.example.com");
                let path = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "00000000-0000-0000-0000-000000000000" } else { part });
                operations.push((method.to_uppercase().parse().unwrap(), path.collect::<Vec<_>>().join("/")));
            }
        }
    }
    assert!(operations.len() >= 16);
    operations
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_answered() {
    let app = TestApp::start().await;
    for (method, path) in guarded_operations() {
        for authorization in [None, Some("Bearer nonsense"), Some("Basic YTpi"), Some("Bearer"), Some(ADMIN_TOKEN)] {
            let mut request = app.client.request(method.clone(), format!("{}{path}", app.address));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            answer(&method, &path, response, 401).await;
        }
    }
}

#[tokio::test]
async fn each_operation_asks_for_its_scope() {
    let app = TestApp::start().await;
    let billing = app.make_token(&["billing"], None).await;
    let reader = app.make_token(&["read", "personal"], None).await;
    for (method, path) in guarded_operations() {
        let starts_with = |begins: [&str; 2]| begins.iter().any(|begin| path.starts_with(begin));
        let is_billing = starts_with(["/v1/reports", "/v1/sealed-reports"]);
        // For billing and for dashboards.
        if path.starts_with("/v1/reports/concurrency") {
            continue;
        }
        let refused = if is_billing { &reader } else { &billing };
        let refusal = app.with_token(refused).send(method.clone(), &path, None, 403).await;
        assert_eq!(refusal["code"], "forbidden");
        // What the provider's lists show is for those who read sessions.
        let is_of_lists = path.ends_with("/polls") || path.ends_with("/provider-differences");
        if starts_with(["/v1/domains", "/v1/tokens"]) && !is_of_lists {
            app.with_token(&reader).send(method, &path, None, 403).await;
        }
    }
}

#[tokio::test]
async fn personal_data_are_for_the_scope_personal_alone() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 5).start()]).await;
    let id = app.session("").await["session_id"].as_str().unwrap().to_owned();
    let (plain, personal) = (app.make_token(&["read"], None).await, app.make_token(&["read", "personal"], None).await);
    for path in ["/v1/sessions".to_owned(), format!("/v1/sessions/{id}/events")] {
        let seen = app.with_token(&plain).get(&path, 200).await;
        let all = app.with_token(&personal).get(&path, 200).await;
        for member in ["client_ip", "node_ip", "user_args"] {
            assert!(seen["data"][0].get(member).is_none(), "{path} {member}");
            assert!(all["data"][0][member].is_string(), "{path} {member}");
        }
        assert!(!all.to_string().contains("very-secret"));
    }
    assert!(app.with_token(&plain).get(&format!("/v1/sessions/{id}"), 200).await.get("client_ip").is_none());
    for filter in ["client_ip=203.0.113.7", "node_ip=198.51.100.2"] {
        app.with_token(&plain).get(&format!("/v1/sessions?{filter}"), 403).await;
        app.with_token(&personal).get(&format!("/v1/sessions?{filter}"), 200).await;
    }
}

#[tokio::test]
async fn for_a_bound_token_other_domains_do_not_exist() {
    let app = TestApp::start().await;
    app.put("/v1/domains/other.example.com", &json!({}), 201).await;
    app.post("/v1/domains/other.example.com/keys", &json!({ "key": KEY }), 201).await;
    let theirs = Push { domain: "other.example.com".to_owned(), ..Push::of("room", 5) };
    app.receive(&[Push::of("room", 5).start(), theirs.start()]).await;
    let token = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let bound = app.with_token(&token);
    let hidden = app.session("domain=other.example.com").await;
    let (session_id, stream_id) = (hidden["session_id"].as_str().unwrap(), hidden["stream_id"].as_str().unwrap());
    for path in [
        "/v1/sessions?include_total=true".to_owned(),
        "/v1/sessions?include_total=true&domain=other.example.com".to_owned(),
        format!("/v1/sessions?stream_id={stream_id}"),
        "/v1/streams".to_owned(),
        "/v1/streams?domain=other.example.com".to_owned(),
        "/v1/live?group_by=domain,app".to_owned(),
    ] {
        let seen = bound.get(&path, 200).await;
        assert!(!seen.to_string().contains("other.example.com"), "{path}: {seen}");
    }
    assert_eq!(bound.get("/v1/sessions?include_total=true", 200).await["total"], 1);
    assert_eq!(bound.get("/v1/live", 200).await["live_sessions"], 1);
    bound.get(&format!("/v1/sessions/{session_id}"), 404).await;
    bound.get(&format!("/v1/sessions/{session_id}/events"), 404).await;
    bound.get(&format!("/v1/streams/{stream_id}"), 404).await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let app = TestApp::start().await;
    let expires_at = (clock::now() + TimeDelta::hours(1)).to_rfc3339();
    let body = json!({ "name": "wall", "scopes": ["billing", "read"], "domains": [DOMAIN], "expires_at": expires_at });
    let made = app.post("/v1/tokens", &body, 201).await;
    let token = made["token"].as_str().unwrap();
    assert_eq!(made["scopes"], json!(["read", "billing"]));
    assert_eq!(made["domains"], json!([DOMAIN]));
    app.with_token(token).get("/v1/sessions", 200).await;
    let listed = app.list("/v1/tokens").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["token_id"], made["token_id"]);
    assert!(listed[0].get("token").is_none());
    let id = made["token_id"].as_str().unwrap();
    app.delete(&format!("/v1/tokens/{id}"), 204).await;
    app.with_token(token).get("/v1/sessions", 401).await;
    app.delete(&format!("/v1/tokens/{id}"), 404).await;
    let kept: Vec<String> =
        sqlx::query_scalar("select access_token::text from access_token").fetch_all(&app.pool).await.unwrap();
    assert!(kept.is_empty());
}

#[tokio::test]
async fn a_token_that_cannot_be_is_refused_and_the_member_named() {
    let app = TestApp::start().await;
    let with = |name: &str, value: Value| {
        let mut body = json!({ "name": "wall", "scopes": ["read"] });
        body[name] = value;
        body
    };
    for (name, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
        ("scopes", json!([])),
        ("scopes", json!(["root"])),
        ("domains", json!([])),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("2030-01-01T00:00:00")),
        ("colour", json!("red")),
    ] {
        let refusal = app.post("/v1/tokens", &with(name, value.clone()), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{value}");
    }
    let bound_admin = json!({ "name": "wall", "scopes": ["admin"], "domains": [DOMAIN] });
    app.post("/v1/tokens", &bound_admin, 400).await;
    app.post("/v1/tokens", &json!({ "scopes": ["read"] }), 400).await;
}
