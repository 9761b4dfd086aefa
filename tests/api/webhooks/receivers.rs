//! Receivers that fail in every way, one attempt each.

use std::path::PathBuf;

use serde_json::{Value, json};
use test_support::certificates::{Authority, Files};

use super::receiver::{Behavior, Receiver};
use super::{SENDS, create};
use crate::helpers::TestApp;

/// How long receivers have to respond.
const IMPATIENT: [&str; 2] = ["--webhook-timeout", "2s"];

async fn test(app: &TestApp, id: &str) -> Value {
    app.post(&format!("/v1/webhooks/{id}/test"), &json!({}), 200).await
}

#[tokio::test]
async fn only_a_success_in_time_is_a_success() {
    let app = TestApp::start_with(&[&SENDS[..], &IMPATIENT].concat()).await;
    let receiver = Receiver::start().await;
    let (id, secret) = create(&app, &receiver, json!({})).await;
    let location = receiver.url.clone();
    for (behavior, delivered, status) in [
        (Behavior::Status(200), true, json!(200)),
        (Behavior::Status(204), true, json!(204)),
        (Behavior::Old, true, json!(200)),
        (Behavior::Slow, true, json!(204)),
        // The receiver has answered: how it goes on does not matter.
        (Behavior::NoBody, true, json!(200)),
        (Behavior::Endless, true, json!(200)),
        (Behavior::Status(400), false, json!(400)),
        (Behavior::Status(404), false, json!(404)),
        (Behavior::Status(410), false, json!(410)),
        (Behavior::Status(500), false, json!(500)),
        (Behavior::With(302, "Location", location.clone()), false, json!(302)),
        (Behavior::With(307, "Location", location), false, json!(307)),
        (Behavior::With(429, "Retry-After", "120".to_owned()), false, json!(429)),
        (Behavior::Stall, false, Value::Null),
        (Behavior::Drip, false, Value::Null),
        (Behavior::Reset, false, Value::Null),
    ] {
        let before = receiver.requests().len();
        receiver.behave(behavior.clone());
        let result = test(&app, &id).await;
        assert_eq!((&result["delivered"], &result["status"]), (&json!(delivered), &status), "{behavior:?}: {result}");
        assert_eq!(result["error"].is_null(), !status.is_null(), "{behavior:?}: {result}");
        let requests = receiver.requests();
        assert_eq!(requests.len(), before + 1, "{behavior:?}");
        assert!(requests[before].is_signed_by(&secret));
        assert_eq!(requests[before].json()["type"], "webhook.test");
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_listen_is_reported() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, _) = create(&app, &receiver, json!({})).await;
    drop(receiver);
    let result = test(&app, &id).await;
    assert_eq!(result["delivered"], false);
    let error = result["error"].as_str().unwrap();
    assert!(error.starts_with("cannot connect") && !error.contains("of-a-test"), "{error}");
}

#[tokio::test]
async fn a_certificate_must_be_valid() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    // Any service is a receiver that answers.
    let settings = files.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let receiver = TestApp::start_trusting(authority.client(), &settings).await;
    let url = receiver.address.replace("http://", "https://");
    let trusted: PathBuf = files.path().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();

    let settings = json!({ "name": "tls", "url": format!("{url}/nowhere") });
    let distrustful = TestApp::start_with(&SENDS).await;
    let created = distrustful.post("/v1/webhooks", &settings, 201).await;
    let result = test(&distrustful, created["webhook_id"].as_str().unwrap()).await;
    assert!(result["error"].as_str().unwrap().contains("certificate"), "{result}");

    let trusting = TestApp::start_with(&[&SENDS[..], &["--webhook-ca-file", trusted.to_str().unwrap()]].concat()).await;
    let created = trusting.post("/v1/webhooks", &settings, 201).await;
    let result = test(&trusting, created["webhook_id"].as_str().unwrap()).await;
    assert_eq!(result["status"], 404, "{result}");
}
