//! What may be kept of answers, and what is not sent again.

use reqwest::{Method, Response};
use serde_json::json;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::{ADMIN_TOKEN, TestApp, answer};

async fn ask(app: &TestApp, token: &str, method: Method, path: &str, tag: Option<&str>) -> Response {
    let mut request = app.client.request(method, format!("{}{path}", app.address)).bearer_auth(token);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

/// The tag of an answer now.
async fn tag(app: &TestApp, token: &str, path: &str) -> String {
    let response = ask(app, token, Method::GET, path, None).await;
    assert_eq!(response.status(), 200, "{path}");
    header(&response, "etag").to_owned()
}

/// The status of the answer to somebody who has the answer with this tag.
async fn again(app: &TestApp, token: &str, path: &str, tag: &str) -> u16 {
    ask(app, token, Method::GET, path, Some(tag)).await.status().as_u16()
}

#[tokio::test]
async fn no_copy_is_kept_of_what_is_personal_or_administrative() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    let stream = app.list("/v1/streams").await[0]["stream_id"].as_str().unwrap().to_owned();
    let session = app.session("").await["session_id"].as_str().unwrap().to_owned();
    let [read, personal] = [app.make_token(&["read"], None).await, app.make_token(&["read", "personal"], None).await];
    let (own, none) = ("private, no-cache", "no-store");
    for (path, to_read, to_personal) in [
        ("/v1/live".to_owned(), own, own),
        ("/v1/streams".to_owned(), own, own),
        (format!("/v1/streams/{stream}"), own, own),
        ("/v1/sessions".to_owned(), own, none),
        (format!("/v1/sessions/{session}"), own, none),
        (format!("/v1/sessions/{session}/events"), own, none),
        ("/v1/events".to_owned(), own, none),
        ("/v1/rejections".to_owned(), own, none),
        ("/v1/live?x=1".to_owned(), none, none),
        ("/v1/streams/nothing".to_owned(), none, none),
        ("/v1/tokens".to_owned(), none, none),
    ] {
        for (token, expected) in [(&read, to_read), (&personal, to_personal)] {
            let response = ask(&app, token, Method::GET, &path, None).await;
            assert_eq!(header(&response, "cache-control"), expected, "{path}");
        }
    }
    for path in ["/v1/sessions", "/v1/events", "/v1/domains", "/v1/tokens", "/v1/audit"] {
        let response = ask(&app, ADMIN_TOKEN, Method::GET, path, None).await;
        assert_eq!(header(&response, "cache-control"), none, "{path}");
    }
}

#[tokio::test]
async fn who_has_an_answer_is_not_sent_it_again_until_something_changes() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("alpha", 60).start(), Push::of("beta", 60).start()]).await;
    let beta = app.list("/v1/streams?stream=beta").await[0]["stream_id"].as_str().unwrap().to_owned();
    let paths = ["/v1/live?group_by=domain", "/v1/streams", "/v1/streams?limit=1", &format!("/v1/streams/{beta}")];
    let mut tags = Vec::new();
    for path in paths {
        let tag = tag(&app, ADMIN_TOKEN, path).await;
        assert!(tag.starts_with("W/\""), "{tag}");
        for method in [Method::GET, Method::HEAD] {
            let response = ask(&app, ADMIN_TOKEN, method, path, Some(&tag)).await;
            assert_eq!(header(&response, "etag"), tag, "{path}");
            assert_eq!(header(&response, "cache-control"), "private, no-cache", "{path}");
            assert_eq!(header(&response, "vary"), "accept-encoding", "{path}");
            assert!(!response.headers().contains_key("content-type"), "{path}");
            assert!(answer(&Method::GET, path, response, 304).await.is_null(), "{path}");
        }
        let strong = tag.trim_start_matches("W/");
        for (shown, status) in [(strong, 304), ("*", 304), ("\"other\"", 200), ("garbage", 200)] {
            assert_eq!(again(&app, ADMIN_TOKEN, path, shown).await, status, "{path} with {shown}");
        }
        assert_eq!(again(&app, ADMIN_TOKEN, path, &format!("\"other\", {tag}")).await, 304, "{path}");
        tags.push(tag);
    }
    app.receive(&[Push::of("beta", 10).start()]).await;
    let unchanged = "/v1/streams?limit=1";
    for (path, tag) in paths.into_iter().zip(&tags) {
        assert_eq!(again(&app, ADMIN_TOKEN, path, tag).await, if path == unchanged { 304 } else { 200 }, "{path}");
    }
}

#[tokio::test]
async fn a_change_of_a_domain_changes_the_tag_of_the_domains() {
    let app = TestApp::start().await;
    let before = tag(&app, ADMIN_TOKEN, "/v1/domains").await;
    assert_eq!(again(&app, ADMIN_TOKEN, "/v1/domains", &before).await, 304);
    app.post(&format!("/v1/domains/{DOMAIN}/keys"), &json!({}), 201).await;
    assert_eq!(again(&app, ADMIN_TOKEN, "/v1/domains", &before).await, 200);
}

#[tokio::test]
async fn a_tag_says_nothing_to_a_caller_who_sees_something_else_or_nothing() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("alpha", 60).start()]).await;
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let elsewhere = app.make_token(&["read"], Some(&["elsewhere.example.com"])).await;
    let own = tag(&app, &bound, "/v1/live").await;
    assert_eq!(again(&app, &bound, "/v1/live", &own).await, 304);
    assert_eq!(again(&app, ADMIN_TOKEN, "/v1/live", &own).await, 200);
    assert_eq!(again(&app, &elsewhere, "/v1/live", &own).await, 200);
    assert_eq!(again(&app, "x", "/v1/live", "*").await, 401);
    assert_eq!(again(&app, &bound, "/v1/domains", "*").await, 403);
    assert_eq!(again(&app, &elsewhere, "/v1/streams/nothing", "*").await, 404);
}
