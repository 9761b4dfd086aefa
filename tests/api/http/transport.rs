//! What holds for every answer, whatever is asked.

use reqwest::{Client, Method, Response, redirect};
use streamtally::http::api_document;

use crate::helpers::{ADMIN_TOKEN, TestApp};

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
        (Method::GET, "/", "", 303),
        (Method::GET, "/nothing", "", 404),
        (Method::POST, "/v1/live", "", 405),
        (Method::GET, "/v1/live?colour=red", "", 400),
        (Method::GET, "/v1/domains/a%00b", "", 404),
        (Method::GET, "/v1/domains/a%00b/polls", "", 404),
        (Method::GET, "/v1/domains/a%00b/provider-differences", "", 404),
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
