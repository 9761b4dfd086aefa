//! Errors have one shape, wherever they come from.

use reqwest::{Client, Method, redirect};
use serde_json::json;

use crate::helpers::{ADMIN_TOKEN, TestApp, answer};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let app = TestApp::start().await;
    for path in ["/v1", "/v1/nothing", "/callbacks", "/callbacks/huawei/a/b", "/v1/sessions/", "/docs/nothing.js"] {
        let response = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        let problem = answer(&Method::GET, path, response, 404).await;
        assert_eq!(problem["code"], "not_found");
    }
    for (method, path, allowed) in [
        (Method::GET, "/callbacks/huawei", "POST"),
        (Method::POST, "/v1/sessions", "GET, HEAD"),
        (Method::PATCH, "/v1/domains/x", "GET, HEAD, PUT, DELETE"),
        (Method::DELETE, "/healthz", "GET, HEAD"),
        (Method::POST, "/openapi.json", "GET, HEAD"),
        (Method::POST, "/docs/", "GET, HEAD"),
        (Method::POST, "/", "GET, HEAD"),
    ] {
        let response = app.client.request(method.clone(), format!("{}{path}", app.address)).send().await.unwrap();
        assert_eq!(response.headers()["allow"], allowed);
        answer(&method, path, response, 405).await;
    }
}

#[tokio::test]
async fn the_bare_address_leads_to_the_dashboard_where_there_is_one() {
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let app = TestApp::start().await;
    for method in [Method::GET, Method::HEAD] {
        let response = client.request(method, &app.address).send().await.unwrap();
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers()["location"], "/dashboard");
    }
    let (receiver, _stop) = app.start_another(&["--roles", "receiver"]).await;
    for method in [Method::GET, Method::POST] {
        let response = client.request(method.clone(), &receiver).send().await.unwrap();
        answer(&method, "/", response, 404).await;
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let app = TestApp::start().await;
    for (path, status) in
        [("/healthz", 200), ("/readyz", 200), ("/v1/live", 200), ("/v1/live?x=1", 400), ("/nothing", 404)]
    {
        let request = app.client.head(format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn names_that_cannot_be_are_those_of_nothing() {
    let app = TestApp::start().await;
    for name in ["a%00b", "%ff", "a%0Ab"] {
        app.get(&format!("/v1/domains/{name}"), 404).await;
        app.get(&format!("/v1/sessions/{name}"), 404).await;
        app.get(&format!("/v1/streams/{name}"), 404).await;
        app.delete(&format!("/v1/domains/{name}"), 404).await;
        app.delete(&format!("/v1/domains/{name}/keys/{name}"), 404).await;
        app.delete(&format!("/v1/tokens/{name}"), 404).await;
        app.post(&format!("/v1/domains/{name}/keys"), &json!({}), 404).await;
        app.post(&format!("/v1/domains/{name}/callback-token"), &json!({}), 404).await;
    }
    app.put("/v1/domains/a%00b", &json!({}), 400).await;
    app.put("/v1/domains/a%2Fb", &json!({}), 400).await;
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_a_problem_that_names_the_place() {
    let app = TestApp::start().await;
    for (body, name) in [("{", "body"), ("[]", "body"), ("{} {}", "body"), (r#"{"apps":[1]}"#, "apps[0]")] {
        let path = "/v1/domains/new.example.com";
        let request = app.client.put(format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN).body(body);
        let problem = answer(&Method::PUT, path, request.send().await.unwrap(), 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], name, "{problem}");
    }
    let long = json!({ "rendition_templates": ["x".repeat(70_000)] });
    app.put("/v1/domains/new.example.com", &long, 413).await;
}

#[tokio::test]
async fn health_readiness_and_metrics_are_open() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let response = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        answer(&Method::GET, path, response, 200).await;
    }
    app.callback_to("/callbacks/huawei", "{}", 400).await;
    let metrics = app.get("/metrics", 200).await;
    assert!(metrics.as_str().unwrap().contains(r#"streamtally_callbacks_total{outcome="malformed""#));
}

#[tokio::test]
async fn a_text_of_a_query_string_has_1_to_512_characters() {
    let app = TestApp::start().await;
    for filter in
        ["/v1/live?domain=", "/v1/streams?search=", "/v1/sessions?stream=", "/v1/events?app=", "/v1/rejections?domain="]
    {
        app.get(&format!("{filter}{}", "%E5%AD%97".repeat(512)), 200).await;
        for text in [String::new(), "x".repeat(513), "a%00b".to_owned(), "%C2%85".to_owned()] {
            app.get(&format!("{filter}{text}"), 400).await;
        }
    }
}

#[tokio::test]
async fn bodies_without_required_members_may_be_left_out() {
    let app = TestApp::start().await;
    let path = "/v1/domains/new.example.com";
    let bare = async |method: Method, path: &str, expected| {
        let request = app.client.request(method.clone(), format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
        answer(&method, path, request.send().await.unwrap(), expected).await
    };
    assert_eq!(bare(Method::PUT, path, 201).await["signature"], "required");
    assert!(bare(Method::POST, &format!("{path}/keys"), 201).await["key"].is_string());
    let problem = bare(Method::POST, "/v1/tokens", 400).await;
    assert_eq!(problem["invalid_parameters"][0]["reason"], "missing field `name` at line 1 column 2");
}
