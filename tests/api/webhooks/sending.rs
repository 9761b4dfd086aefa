//! What webhooks send, and when.

use serde_json::{Value, json};
use test_support::messages::Push;

use super::receiver::{Behavior, Receiver};
use super::{SENDS, create};
use crate::helpers::{TestApp, until};

#[tokio::test]
async fn a_session_is_told_from_its_start_to_its_end_and_corrected_afterwards() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (_, secret) = create(&app, &receiver, json!({})).await;
    let push = Push::of("room", 60);
    app.callback(&push.start(), 200).await;
    until(async || receiver.events().len() == 1).await;
    // A repeat is no news.
    app.callback(&push.start(), 200).await;
    app.callback(&push.end(), 200).await;
    until(async || receiver.events().len() == 2).await;
    let session = app.session("stream=room").await;
    let id = session["session_id"].as_str().unwrap();
    let end = json!({ "ended_at": session["started_at"], "reason": "it never worked" });
    app.post(&format!("/v1/sessions/{id}/end"), &end, 200).await;
    until(async || receiver.events().len() == 3).await;

    let requests = receiver.requests();
    let types: Vec<_> = receiver.events().into_iter().map(|(event_type, _)| event_type).collect();
    assert_eq!(types, ["session.started", "session.ended", "session.corrected"]);
    for request in &requests {
        assert!(request.is_signed_by(&secret));
        assert!(request.id().starts_with("evt_"));
        assert_eq!(request.headers["content-type"], "application/json");
        let text = String::from_utf8_lossy(&request.body).into_owned();
        for personal in ["client_ip", "node_ip", "user_args", "203.0.113.7"] {
            assert!(!text.contains(personal), "{text}");
        }
    }
    let corrected = requests[2].json();
    assert_eq!(corrected["data"]["reason"], "operator");
    assert_eq!(corrected["data"]["previous"]["ended_at"], session["ended_at"]);
    assert_eq!(corrected["data"]["previous"]["ended_at_source"], "notification");
    assert_eq!(corrected["data"]["session"]["ended_at"], session["started_at"]);
    let revisions: Vec<_> =
        requests.iter().map(|request| request.json()["data"]["revision"].as_i64().unwrap()).collect();
    assert!(revisions.is_sorted(), "{revisions:?}");
}

#[tokio::test]
async fn a_webhook_sends_only_what_it_selects() {
    let app = TestApp::start_with(&SENDS).await;
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    create(&app, &receivers[0], json!({ "name": "ends", "event_types": ["session.ended"] })).await;
    create(&app, &receivers[1], json!({ "name": "others", "domains": ["other.example.com"] })).await;
    create(&app, &receivers[2], json!({ "name": "personal", "personal": true })).await;
    let push = Push::of("room", 60);
    app.callback(&push.start(), 200).await;
    app.callback(&push.end(), 200).await;
    until(async || receivers[0].events().len() == 1 && receivers[2].events().len() == 2).await;
    assert_eq!(receivers[0].events(), [("session.ended".to_owned(), "room".to_owned())]);
    assert_eq!(receivers[1].events(), []);
    assert_eq!(receivers[2].requests()[0].json()["data"]["session"]["client_ip"], "203.0.113.7");
}

#[tokio::test]
async fn an_event_is_sent_again_with_the_same_id_and_the_same_bytes() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, _) = create(&app, &receiver, json!({})).await;
    receiver.behave(Behavior::Status(500));
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || !receiver.requests().is_empty()).await;
    until(async || !app.get(&format!("/v1/webhooks/{id}"), 200).await["failing_since"].is_null()).await;
    let failing = app.get(&format!("/v1/webhooks/{id}"), 200).await;
    assert_eq!(failing["last_error"], "status 500");
    receiver.behave(Behavior::Status(200));
    until(async || receiver.requests().len() >= 2).await;
    let requests = receiver.requests();
    assert_eq!((requests[0].id(), &requests[0].body), (requests[1].id(), &requests[1].body));
    until(async || app.get(&format!("/v1/webhooks/{id}"), 200).await["failing_since"].is_null()).await;
}

#[tokio::test]
async fn a_stopped_service_goes_on_where_it_was() {
    let mut app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    create(&app, &receiver, json!({})).await;
    app.callback(&Push::of("first", 60).start(), 200).await;
    until(async || receiver.events().len() == 1).await;
    app.restart(&["--roles", "receiver,api,reconciler"]).await;
    app.callback(&Push::of("second", 60).start(), 200).await;
    app.restart(&SENDS).await;
    until(async || receiver.events().len() == 2).await;
    assert_eq!(receiver.events()[1], ("session.started".to_owned(), "second".to_owned()));
}

#[tokio::test]
async fn a_receiver_that_is_gone_disables_its_webhook() {
    let app = TestApp::start_with(&SENDS).await;
    let receiver = Receiver::start().await;
    let (id, _) = create(&app, &receiver, json!({})).await;
    receiver.behave(Behavior::Status(410));
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || app.get(&format!("/v1/webhooks/{id}"), 200).await["state"] == "disabled").await;
    assert_eq!(app.get(&format!("/v1/webhooks/{id}"), 200).await["disabled_reason"], "gone");
    // Enabled again, it resumes where it was.
    receiver.behave(Behavior::Status(200));
    let settings = json!({ "name": "of a test", "url": receiver.url });
    assert_eq!(app.put(&format!("/v1/webhooks/{id}"), &settings, 200).await["state"], "enabled");
    let is_delivered = async || {
        let webhook = app.get(&format!("/v1/webhooks/{id}"), 200).await;
        webhook["last_success_at"] != Value::Null
    };
    until(is_delivered).await;
}

#[tokio::test]
async fn a_redirection_is_not_followed_and_an_endless_response_is_not_read() {
    let app = TestApp::start_with(&SENDS).await;
    let [target, receiver] = [Receiver::start().await, Receiver::start().await];
    let (id, _) = create(&app, &receiver, json!({})).await;
    receiver.behave(Behavior::With(302, "Location", target.url.clone()));
    app.callback(&Push::of("room", 60).start(), 200).await;
    until(async || app.get(&format!("/v1/webhooks/{id}"), 200).await["last_error"] == "status 302").await;
    receiver.behave(Behavior::Endless);
    until(async || app.get(&format!("/v1/webhooks/{id}"), 200).await["last_error"].is_null()).await;
    assert_eq!(target.requests().len(), 0);
}
