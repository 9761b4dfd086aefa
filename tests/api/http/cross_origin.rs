//! Pages of other origins.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::helpers::{ADMIN_TOKEN, TestApp, answer};

const WALL: &str = "https://wall.example.com";

async fn with_origins(origins: &str) -> TestApp {
    TestApp::start_with(&["--roles", "receiver,api", "--cors-origins", origins]).await
}

async fn ask(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = app.client.request(method, format!("{}{path}", app.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn preflight<'a>(origin: &'a str, method: &'a str, headers: &'a str) -> [(&'a str, &'a str); 3] {
    [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", headers)]
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<_> = text.split(',').map(|word| word.trim().to_lowercase()).collect();
    words.sort_unstable();
    words
}

#[tokio::test]
async fn no_page_of_another_origin_may_ask_unless_a_setting_says_so() {
    let app = TestApp::start().await;
    let response = ask(&app, Method::GET, "/openapi.json", &[("origin", WALL)]).await;
    assert_eq!(header(&response, "access-control-allow-origin"), None);
    let response = ask(&app, Method::OPTIONS, "/v1/live", &preflight(WALL, "GET", "authorization")).await;
    answer(&Method::OPTIONS, "/v1/live", response, 405).await;
}

#[tokio::test]
async fn a_page_of_a_named_origin_is_told_what_it_may_ask() {
    let app = with_origins("http://localhost:3000,https://wall.example.com").await;
    for (method, headers) in [
        ("GET", "authorization,if-none-match,last-event-id"),
        ("PUT", "authorization, Content-Type"),
        ("DELETE", "authorization"),
    ] {
        let headers = preflight(WALL, method, headers);
        let response = ask(&app, Method::OPTIONS, "/v1/domains/push.example.com", &headers).await;
        assert_eq!(response.status(), 200, "{method}");
        assert_eq!(header(&response, "access-control-allow-origin"), Some(WALL));
        assert_eq!(header(&response, "access-control-allow-credentials"), None);
        assert_eq!(header(&response, "access-control-max-age"), Some("3600"));
        let allowed = |name| words(header(&response, name).unwrap());
        assert_eq!(allowed("access-control-allow-methods"), ["delete", "get", "head", "post", "put"]);
        let sent = ["authorization", "content-type", "if-none-match", "last-event-id", "x-request-id"];
        assert_eq!(allowed("access-control-allow-headers"), sent);
        assert!(words(header(&response, "vary").unwrap()).contains(&"origin".to_owned()));
    }
}

#[tokio::test]
async fn such_a_page_may_read_every_answer_errors_too() {
    let app = with_origins(WALL).await;
    let token = format!("Bearer {ADMIN_TOKEN}");
    for (path, token, status) in [
        ("/v1/live", token.as_str(), 200),
        ("/v1/live", "Bearer x", 401),
        ("/v1/live?x=1", &token, 400),
        ("/v1/nothing", &token, 404),
        ("/openapi.json", "", 200),
    ] {
        let response = ask(&app, Method::GET, path, &[("origin", WALL), ("authorization", token)]).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), Some(WALL), "{path}");
        assert_eq!(
            words(header(&response, "access-control-expose-headers").unwrap()),
            ["etag", "retry-after", "x-request-id"]
        );
        let other = ask(&app, Method::GET, path, &[("origin", "https://evil.example.com")]).await;
        assert_eq!(header(&other, "access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn a_preflight_that_asks_for_more_is_a_problem() {
    let app = with_origins(WALL).await;
    for (headers, name) in [
        (preflight("https://evil.example.com", "GET", ""), "Origin"),
        (preflight(WALL, "TRACE", ""), "Access-Control-Request-Method"),
        (preflight(WALL, "GET", "x-secret"), "Access-Control-Request-Headers"),
    ] {
        let response = ask(&app, Method::OPTIONS, "/v1/live", &headers).await;
        assert_eq!(response.status(), 400, "{name}");
        assert_eq!(header(&response, "content-type"), Some("application/problem+json"), "{name}");
        assert_eq!(header(&response, "access-control-allow-origin"), None, "{name}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "invalid_request");
        assert_eq!(problem["invalid_parameters"][0]["name"], name);
    }
}

#[tokio::test]
async fn receiving_is_for_no_page_whatever_the_setting() {
    for origins in [WALL, "*"] {
        let app = with_origins(origins).await;
        for path in ["/callbacks/huawei", "/callbacks/huawei/secret", "/healthz", "/metrics"] {
            let response = ask(&app, Method::OPTIONS, path, &preflight(WALL, "POST", "content-type")).await;
            assert_eq!(header(&response, "access-control-allow-origin"), None, "{path}");
            answer(&Method::OPTIONS, path, response, 405).await;
            let response = ask(&app, Method::POST, path, &[("origin", WALL)]).await;
            assert_eq!(header(&response, "access-control-allow-origin"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn a_star_lets_every_page_ask() {
    let app = with_origins("*").await;
    for path in ["/openapi.json", "/v1/live"] {
        let response = ask(&app, Method::GET, path, &[("origin", "https://anyone.example.com")]).await;
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(header(&response, "access-control-allow-credentials"), None, "{path}");
    }
}
