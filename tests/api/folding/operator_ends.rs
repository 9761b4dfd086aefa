//! An operator's word on when a session ended, and taking it back.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::messages::Push;

use crate::helpers::TestApp;

fn time(seconds_ago: i64) -> String {
    (clock::now() - TimeDelta::seconds(seconds_ago)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn end(ended_at: impl Into<Value>) -> Value {
    json!({ "ended_at": ended_at.into(), "reason": "the encoder's log says so" })
}

/// A session of a push that began ten minutes ago, and where its end is set.
async fn live_session(app: &TestApp) -> (Push, String) {
    let push = Push::of("room", 600);
    app.receive(&[push.start()]).await;
    let path = format!("/v1/sessions/{}/end", app.session("").await["session_id"].as_str().unwrap());
    (push, path)
}

#[tokio::test]
async fn an_operators_end_beats_every_other_until_it_is_withdrawn() {
    let app = TestApp::start().await;
    let (push, path) = live_session(&app).await;
    let after = |seconds| DateTime::<Utc>::from_timestamp(push.publish_timestamp + seconds, 0).unwrap();
    let ended_at = after(300).to_rfc3339_opts(SecondsFormat::Secs, true);
    let event = app.post(&path, &end(ended_at.clone()), 200).await;
    assert_eq!((&event["event"], &event["actor"]), (&json!("OPERATOR_END"), &json!("administrator")));
    assert_eq!((&event["note"], &event["signature"]), (&json!("the encoder's log says so"), &Value::Null));
    app.fold().await;
    let ended = app.session("").await;
    assert_eq!((&ended["status"], &ended["ended_at_source"]), (&json!("ended"), &json!("operator")));
    assert_eq!((&ended["ended_at"], &ended["duration_seconds"]), (&json!(ended_at), &json!(300)));

    app.receive(&[push.end()]).await;
    assert_eq!(app.session("").await["ended_at"], ended_at);
    let corrected = after(400).to_rfc3339_opts(SecondsFormat::Secs, true);
    app.post(&path, &end(corrected.clone()), 200).await;
    app.fold().await;
    assert_eq!(app.session("").await["ended_at"], corrected);

    let event = app.post(&path, &end(Value::Null), 200).await;
    assert_eq!(event["event"], "OPERATOR_END_WITHDRAWN");
    app.fold().await;
    let session = app.session("").await;
    assert_eq!((&session["status"], &session["ended_at_source"]), (&json!("ended"), &json!("notification")));
    app.post(&path, &end(Value::Null), 409).await;
    let acts = app.list("/v1/audit").await;
    let acts: Vec<_> = acts.iter().take(3).map(|entry| entry["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["session_end_withdrawn", "session_ended", "session_ended"]);
}

#[tokio::test]
async fn withdrawn_without_another_end_a_session_is_live_again() {
    let app = TestApp::start().await;
    let (_, path) = live_session(&app).await;
    app.post(&path, &end(time(0)), 200).await;
    // Before it is folded, too: the log knows of it.
    app.post(&path, &end(Value::Null), 200).await;
    app.fold().await;
    assert_eq!(app.session("").await["status"], "live");
}

#[tokio::test]
async fn an_end_that_cannot_be_is_refused_and_says_nothing() {
    let app = TestApp::start().await;
    let (push, path) = live_session(&app).await;
    let started_at = DateTime::<Utc>::from_timestamp(push.publish_timestamp, 0).unwrap();
    for (body, name) in [
        (end((started_at - TimeDelta::seconds(1)).to_rfc3339()), "ended_at"),
        (end(time(-60)), "ended_at"),
        (end(format!("{}.5Z", time(60).trim_end_matches('Z'))), "ended_at"),
        (end("yesterday"), "ended_at"),
        (end(time(60).trim_end_matches('Z')), "ended_at"),
        (json!({ "ended_at": time(60), "reason": "" }), "reason"),
        (json!({ "ended_at": time(60), "reason": "x".repeat(501) }), "reason"),
        (json!({ "ended_at": time(60), "reason": "a", "why": "b" }), "why"),
    ] {
        let refusal = app.post(&path, &body, 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{body}");
    }
    // To leave the end out is not to withdraw it.
    for body in [json!({}), json!({ "reason": "a" }), json!({ "ended_at": time(60) })] {
        app.post(&path, &body, 400).await;
    }
    app.post(&path, &end(Value::Null), 409).await;
    app.post("/v1/sessions/00000000-0000-0000-0000-000000000000/end", &end(time(60)), 404).await;
    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    app.with_token(&reader).send(reqwest::Method::POST, &path, Some(&end(time(60))), 403).await;
    assert_eq!(app.list("/v1/events").await.len(), 1);
    app.post(&path, &end(started_at.to_rfc3339()), 200).await;
}
