//! What holds for every answer and every connection, whatever is asked.

use std::io::ErrorKind;
use std::time::Duration;

use reqwest::{Client, Method, Response, redirect};
use streamtally::http::api_document;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::messages::Push;
use crate::server::TestDatabase;

const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Asserts what every answer says to browsers.
fn assert_secure(what: &str, response: &Response) {
    let headers = response.headers();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(headers.get(name).unwrap(), value, "{what}");
    }
    assert!(!headers.contains_key("strict-transport-security"), "{what}");
}

fn assert_secure_api(what: &str, response: &Response) {
    assert_secure(what, response);
    assert_eq!(response.headers()["content-security-policy"], API_POLICY, "{what}");
    let impersonal = ["/v1/live", "/v1/streams", "/v1/sealed-reports"].contains(&response.url().path())
        && response.status().is_success();
    let keeping = if impersonal { "private, no-cache" } else { "no-store" };
    assert_eq!(response.headers()["cache-control"], keeping, "{what}");
}

#[tokio::test]
async fn every_answer_of_every_documented_path_has_the_security_headers() {
    let app = TestApp::start().await;
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS];
    for path in api_document().paths.paths.keys() {
        for method in &methods {
            for token in [None, Some(ADMIN_TOKEN)] {
                let mut request = app.client.request(method.clone(), format!("{}{path}", app.address)).body("{}");
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let response = request.send().await.unwrap();
                let what = format!("{method} {path} answered {} with token {token:?}", response.status());
                assert_secure_api(&what, &response);
            }
        }
    }
}

#[tokio::test]
async fn errors_and_redirects_have_the_security_headers() {
    let app = TestApp::start().await;
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let long = "x".repeat(70_000);
    for (method, path, body, status) in [
        (Method::GET, "/", "", 404),
        (Method::GET, "/nothing", "", 404),
        (Method::POST, "/v1/live", "", 405),
        (Method::GET, "/v1/live?colour=red", "", 400),
        (Method::GET, "/v1/domains/a%00b", "", 404),
        (Method::POST, "/callbacks/huawei", "{", 400),
        (Method::POST, "/callbacks/huawei", &long, 413),
        (Method::GET, "/openapi.json", "", 200),
        (Method::GET, "/docs", "", 307),
    ] {
        let request = client.request(method.clone(), format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
        let response = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_secure_api(path, &response);
    }
}

#[tokio::test]
async fn the_page_that_shows_the_document_may_load_what_is_its_own_and_nothing_else() {
    let app = TestApp::start().await;
    for (path, status) in [("/docs/", 200), ("/docs/swagger-ui-bundle.js", 200), ("/docs/nothing.js", 404)] {
        let response = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_secure(path, &response);
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    }
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.address.trim_start_matches("http://")).await.unwrap()
}

/// All that is sent to a connection until it is closed, which must happen before so many seconds have gone by.
async fn read_to_end(stream: &mut TcpStream, seconds: u64) -> String {
    let mut answer = Vec::new();
    timeout(Duration::from_secs(seconds), stream.read_to_end(&mut answer)).await.expect("it is closed").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_and_keep_no_other_waiting() {
    let app = TestApp::start().await;
    let half_a_head = async {
        let mut stream = connect(&app).await;
        stream.write_all(b"POST /callbacks/huawei HTTP/1.1\r\nHost: local").await.unwrap();
        assert!(read_to_end(&mut stream, 9).await.starts_with("HTTP/1.1 408 "));
    };
    let half_a_body = async {
        let mut stream = connect(&app).await;
        stream
            .write_all(b"POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            .await
            .unwrap();
        let answer = read_to_end(&mut stream, 14).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""code":"too_slow""#), "{answer}");
    };
    let nothing = async {
        let mut stream = connect(&app).await;
        assert!(read_to_end(&mut stream, 9).await.starts_with("HTTP/1.1 408 "));
    };
    let honest = app.callback_to("/callbacks/huawei", Push::of("honest", 60).start().to_string(), 200);
    tokio::join!(half_a_head, half_a_body, nothing, honest);
}

/// Asks something that a connection is kept after.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 4096];
    let length = timeout(Duration::from_secs(5), stream.read(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 ") && answer[..length].ends_with(b"ok\n"));
}

#[tokio::test]
async fn a_connection_is_cut_when_nothing_has_happened_on_it_between_two_sweeps() {
    let app = TestApp::start().await;
    let (mut busy, mut stuck) = (connect(&app).await, connect(&app).await);
    ask(&mut busy).await;
    ask(&mut stuck).await;
    // The server itself would wait for the rest of a second head for ever.
    stuck.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").await.unwrap();
    assert_eq!(app.connections.sweep(), 0);
    ask(&mut busy).await;
    assert!(app.connections.sweep() > 0);
    assert_eq!(read_to_end(&mut stuck, 5).await, "");
    ask(&mut busy).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_is_closed() {
    let settings = ["--roles", "receiver,api", "--max-connections", "1"];
    let app = TestApp::start_empty(TestDatabase::create().await, &settings).await;
    let (mut first, mut second) = (connect(&app).await, connect(&app).await);
    ask(&mut first).await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    ask(&mut first).await;
    assert!(second.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    drop(first);
    assert!(read_to_end(&mut second, 5).await.starts_with("HTTP/1.1 200 "));
}
