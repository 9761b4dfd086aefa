//! Requests that one reader understands in one way and another in another way. None is taken for two requests, leads around a
//! route, or stands for a token.

use std::time::Duration;

use reqwest::StatusCode;
use test_support::messages::Push;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::helpers::{ADMIN_TOKEN, TestApp};

/// All that the service answers to these bytes until it closes the connection, which it must.
async fn answers_to(app: &TestApp, request: impl AsRef<[u8]>) -> String {
    let mut connection = TcpStream::connect(app.address.trim_start_matches("http://")).await.unwrap();
    connection.write_all(request.as_ref()).await.unwrap();
    let mut answers = Vec::new();
    let read = timeout(Duration::from_secs(12), connection.read_to_end(&mut answers)).await;
    let answers = String::from_utf8_lossy(&answers).into_owned();
    // It may have been reset.
    assert!(read.is_ok(), "not closed after: {answers}");
    answers
}

/// A request that would be answered with 200 if it were taken for one of its own.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_request_whose_length_is_doubtful_is_refused_and_its_connection_closed() {
    let app = TestApp::start().await;
    let too_long = format!("X: {}", "x".repeat(200_000));
    let headers = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 4",
        "Content-Length: +4",
        "Content-Length: -4",
        "Content-Length: 0x4",
        "Content-Length: 4 4",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding : chunked",
        "Content-Length : 4",
        "Content-Length: 4\r\n folded: yes",
        "X: a\rContent-Length: 4",
        "X: a\0b\r\nContent-Length: 4",
        &too_long,
    ];
    for header in headers {
        let request =
            format!("POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let answers = answers_to(&app, request).await;
        let shown: String = header.chars().take(60).collect();
        assert!(answers.is_empty() || answers.starts_with("HTTP/1.1 4"), "{shown}: {answers}");
        assert!(!answers.contains(" 200 "), "{shown}: {answers}");
    }
}

#[tokio::test]
async fn a_chunk_whose_size_is_doubtful_ends_the_connection() {
    let app = TestApp::start().await;
    let head = "POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in ["0\n\n", "-1\r\n", "0x1\r\n{\r\n0\r\n\r\n", "1 \n{\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "\r\n"] {
        let answers = answers_to(&app, format!("{head}{chunks}{SMUGGLED}")).await;
        assert!(!answers.contains(" 200 "), "{chunks:?}: {answers}");
    }
}

#[tokio::test]
async fn what_is_not_http_1_is_refused() {
    let app = TestApp::start().await;
    for request in [
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/0.9\r\n\r\n",
        "GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /callbacks/huawei HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answers = answers_to(&app, request).await;
        assert!(!answers.contains(" 200 "), "{request:?}: {answers}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_around_what_it_asks_for() {
    let app = TestApp::start().await;
    let host = app.address.trim_start_matches("http://").to_owned();
    for (path, status) in [
        (format!("http://{host}/v1/domains"), 401),
        ("http://other.example/v1/domains".to_owned(), 401),
        ("/v1/./domains".to_owned(), 404),
        ("/healthz/../v1/domains".to_owned(), 404),
        ("/healthz/%2e%2e/v1/domains".to_owned(), 404),
        ("//v1/domains".to_owned(), 404),
        ("/v1//domains".to_owned(), 404),
        ("/v1/domains/".to_owned(), 404),
        ("/v1%2fdomains".to_owned(), 404),
        ("/v1/domains%00".to_owned(), 404),
        ("/V1/domains".to_owned(), 404),
        ("/v1/%64omains".to_owned(), 401),
        ("/v1/domains;x=1".to_owned(), 404),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answers = answers_to(&app, request).await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answers}");
    }
}

#[tokio::test]
async fn nothing_but_the_token_itself_is_taken_for_it() {
    let app = TestApp::start().await;
    let (upper, lower) = (ADMIN_TOKEN.to_uppercase(), ADMIN_TOKEN.to_lowercase());
    assert_eq!(lower, ADMIN_TOKEN);
    let shortened = &ADMIN_TOKEN[..ADMIN_TOKEN.len() - 1];
    for authorization in [
        format!("Bearer {upper}"),
        format!("Bearer {shortened}"),
        format!("Bearer {ADMIN_TOKEN}x"),
        format!("Bearer {ADMIN_TOKEN} {ADMIN_TOKEN}"),
        format!("Bearer {ADMIN_TOKEN},{ADMIN_TOKEN}"),
        format!("Bearer \"{ADMIN_TOKEN}\""),
        format!("Bearer{ADMIN_TOKEN}"),
        format!("Basic {ADMIN_TOKEN}"),
        format!("Token {ADMIN_TOKEN}"),
        ADMIN_TOKEN.to_owned(),
        "Bearer ".to_owned(),
        "Bearer *".to_owned(),
        String::new(),
    ] {
        let request = app.client.get(format!("{}/v1/domains", app.address)).header("authorization", &authorization);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{authorization}");
    }
    let url = format!("{}/v1/domains", app.address);
    let two = app.client.get(&url).header("authorization", "Bearer x").bearer_auth(ADMIN_TOKEN);
    assert_eq!(two.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    for elsewhere in [format!("{url}?token={ADMIN_TOKEN}"), format!("{url}?access_token={ADMIN_TOKEN}")] {
        assert_eq!(app.client.get(elsewhere).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_cursor_that_was_changed_or_is_of_another_list_is_refused() {
    let app = TestApp::start().await;
    app.receive(&["one", "two", "three"].map(|stream| Push::of(stream, 60).start())).await;
    let cursor = app.get("/v1/sessions?limit=1", 200).await["next_cursor"].as_str().unwrap().to_owned();
    app.get(&format!("/v1/sessions?limit=1&cursor={cursor}"), 200).await;
    for (at, letter) in cursor.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        app.get(&format!("/v1/sessions?limit=1&cursor={changed}"), 400).await;
    }
    for wrong in ["", "A", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}{cursor}")] {
        app.get(&format!("/v1/sessions?limit=1&cursor={wrong}"), 400).await;
    }
    for other in ["/v1/streams", "/v1/events", "/v1/broadcasts", "/v1/sealed-reports"] {
        app.get(&format!("{other}?limit=1&cursor={cursor}"), 400).await;
    }
}
