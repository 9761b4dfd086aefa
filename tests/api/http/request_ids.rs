//! The id of a request, in the answer whatever that is.

use reqwest::{Method, Response};
use serde_json::json;

use crate::helpers::{ADMIN_TOKEN, TestApp};

async fn ask(app: &TestApp, method: &Method, path: &str, body: &str, id: &str) -> Response {
    let request = app.client.request(method.clone(), format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
    request.header("x-request-id", id).body(body.to_owned()).send().await.unwrap()
}

fn id_of(response: &Response) -> &str {
    response.headers()["x-request-id"].to_str().unwrap()
}

#[tokio::test]
async fn the_id_that_a_caller_chose_is_in_the_header_of_every_answer() {
    let app = TestApp::start().await;
    let too_long = "x".repeat(70_000);
    for (method, path, body, status) in [
        (Method::GET, "/healthz", "", 200),
        (Method::HEAD, "/v1/live", "", 200),
        (Method::GET, "/v1/live?x=1", "", 400),
        (Method::GET, "/v1/nothing", "", 404),
        (Method::DELETE, "/v1/live", "", 405),
        (Method::GET, "/dashboard/sign-in", "", 200),
        (Method::GET, "/docs/index.html", "", 200),
        (Method::GET, "/nothing", "", 404),
        (Method::POST, "/v1/tokens", &too_long, 413),
        (Method::POST, "/callbacks/huawei", "{", 400),
        (Method::POST, "/callbacks/huawei", &too_long, 413),
        (Method::POST, "/callbacks/huawei/secret", "{}", 400),
        (Method::GET, "/callbacks/huawei", "", 405),
    ] {
        let response = ask(&app, &method, path, body, "Job_7.a-B").await;
        assert_eq!((response.status().as_u16(), id_of(&response)), (status, "Job_7.a-B"), "{method} {path}");
        let is_problem = response.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json");
        assert_eq!(is_problem, status >= 400, "{method} {path}");
    }
}

#[tokio::test]
async fn an_id_that_might_be_anything_is_replaced_and_never_repeated() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/v1/nothing", "/callbacks/huawei"] {
        for bad in ["", "a b", "<script>", "a\"b", "\u{fc}", &"x".repeat(129)] {
            let response = ask(&app, &Method::GET, path, "", bad).await;
            let id = id_of(&response).to_owned();
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{bad:?}: {id}");
            let body = response.text().await.unwrap();
            assert!(bad.is_empty() || !body.contains(bad), "{body}");
        }
    }
    let [one, other] =
        [ask(&app, &Method::GET, "/healthz", "", "").await, ask(&app, &Method::GET, "/healthz", "", "").await];
    assert_ne!(id_of(&one), id_of(&other));
}

#[tokio::test]
async fn a_callback_that_is_kept_is_answered_with_its_id() {
    let app = TestApp::start().await;
    app.put("/v1/domains/push.example.com", &json!({ "signature": "none" }), 200).await;
    let path = app.post("/v1/domains/push.example.com/callback-token", &json!({}), 201).await;
    let message = json!({
        "domain": "push.example.com", "app": "live", "stream": "room", "event": "PUBLISH",
        "publish_timestamp": "1587954134",
    });
    let path = path["callback_path"].as_str().unwrap();
    let response = ask(&app, &Method::POST, path, &message.to_string(), "from-the-provider").await;
    assert_eq!((response.status().as_u16(), id_of(&response)), (200, "from-the-provider"));
}
