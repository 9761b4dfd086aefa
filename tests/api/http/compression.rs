//! Compressed answers.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::{Method, Response};
use test_support::messages::Push;

use crate::helpers::{ADMIN_TOKEN, TestApp, answer};

async fn ask(app: &TestApp, method: Method, path: &str, accept_encoding: &str) -> Response {
    let request = app.client.request(method, format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
    request.header("accept-encoding", accept_encoding).send().await.unwrap()
}

fn encoding_of(response: &Response) -> Option<&str> {
    response.headers().get("content-encoding").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn long_answers_are_compressed_as_the_caller_takes_them() {
    let app = TestApp::start().await;
    let plain = app.client.get(format!("{}/openapi.json", app.address)).send().await.unwrap();
    assert_eq!(encoding_of(&plain), None);
    assert_eq!(plain.headers()["vary"], "accept-encoding");
    let plain = plain.bytes().await.unwrap();
    for (accepted, expected) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip;q=0.5, zstd;q=0.1", Some("gzip")),
        ("br", None),
        ("identity", None),
        ("br, identity;q=0", None),
        ("*;q=0", None),
        ("nonsense;;", None),
    ] {
        let response = ask(&app, Method::GET, "/openapi.json", accepted).await;
        assert_eq!(response.status(), 200, "{accepted}");
        assert_eq!(encoding_of(&response), expected, "{accepted}");
        assert_eq!(response.headers()["vary"], "accept-encoding", "{accepted}");
        let body = response.bytes().await.unwrap();
        let mut decoded = Vec::new();
        match expected {
            Some("gzip") => GzDecoder::new(&*body).read_to_end(&mut decoded).map(drop).unwrap(),
            Some(_) => decoded = zstd::decode_all(&*body).unwrap(),
            None => decoded = body.to_vec(),
        }
        assert!(decoded == plain, "{accepted}");
        assert!(expected.is_none() || body.len() * 4 < plain.len(), "{accepted}: {} bytes", body.len());
    }
}

#[tokio::test]
async fn short_answers_and_what_has_no_body_are_left_as_they_are() {
    let app = TestApp::start().await;
    for (path, status) in [("/healthz", 200), ("/v1/live", 200), ("/v1/nothing", 404), ("/v1/live?x=1", 400)] {
        let response = ask(&app, Method::GET, path, "gzip, zstd").await;
        assert_eq!(encoding_of(&response), None, "{path}");
        answer(&Method::GET, path, response, status).await;
    }
    let response = ask(&app, Method::DELETE, "/v1/domains/push.example.com", "gzip, zstd").await;
    assert_eq!((response.status().as_u16(), encoding_of(&response)), (204, None));
}

#[tokio::test]
async fn head_says_what_get_would_and_ends_where_its_headers_do() {
    let app = TestApp::start().await;
    let response = ask(&app, Method::HEAD, "/openapi.json", "gzip").await;
    assert_eq!((response.status().as_u16(), encoding_of(&response)), (200, Some("gzip")));
    assert!(!response.headers().contains_key("content-length"), "which would be another");
    assert!(response.bytes().await.unwrap().is_empty());
    // Had it a body, that would be read as the next answer of the same connection.
    let next = ask(&app, Method::GET, "/healthz", "gzip").await;
    assert_eq!(next.text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn a_callback_is_never_refused_for_the_encodings_it_takes() {
    let app = TestApp::start().await;
    let request = app.client.post(format!("{}/callbacks/huawei", app.address));
    let request = request.header("accept-encoding", "identity;q=0").body(Push::of("room", 60).start().to_string());
    answer(&Method::POST, "/callbacks/huawei", request.send().await.unwrap(), 200).await;
}
