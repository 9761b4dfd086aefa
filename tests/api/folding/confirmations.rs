//! An operator's word that a session is still live.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler::infer::{InferencePolicy, infer};
use test_support::messages::Push;

use crate::folding::rebuild::{differences, sql};
use crate::helpers::TestApp;

/// Sessions are unconfirmed after ten minutes.
const SETTINGS: [&str; 4] = ["--roles", "receiver,api", "--unconfirmed-after", "10m"];

const POLICY: InferencePolicy =
    InferencePolicy { supersede_after: TimeDelta::minutes(5), close_unconfirmed_after: Some(TimeDelta::hours(1)) };

fn path_of(session: &Value) -> String {
    format!("/v1/sessions/{}/confirm", session["session_id"].as_str().unwrap())
}

fn reason() -> Value {
    json!({ "reason": "the encoder is still sending" })
}

/// Infers `after` from now, and folds.
async fn infer_in(app: &TestApp, after: TimeDelta) -> usize {
    let findings = infer(&app.pool, &POLICY, clock::now() + after).await.unwrap();
    app.fold().await;
    findings
}

async fn counts(app: &TestApp) -> [Value; 3] {
    let live = app.get("/v1/live", 200).await;
    let listed = app.list("/v1/sessions?unconfirmed=true").await.len();
    let others = app.list("/v1/sessions?unconfirmed=false").await.len();
    [live["unconfirmed_sessions"].clone(), json!(listed), json!(others)]
}

#[tokio::test]
async fn a_confirmed_session_is_unconfirmed_only_when_that_is_long_ago_too() {
    let app = TestApp::start_with(&SETTINGS).await;
    app.receive(&[Push::of("room", 3_000).start()]).await;
    let session = app.session("").await;
    assert_eq!((&session["unconfirmed"], &session["confirmed_at"]), (&json!(true), &Value::Null));
    assert_eq!(counts(&app).await, [1, 1, 0]);

    let event = app.post(&path_of(&session), &reason(), 200).await;
    assert_eq!((&event["event"], &event["actor"]), (&json!("OPERATOR_CONFIRMED"), &json!("administrator")));
    assert_eq!((&event["note"], &event["signature"]), (&json!("the encoder is still sending"), &Value::Null));
    app.fold().await;
    let confirmed = app.session("").await;
    assert_eq!((&confirmed["unconfirmed"], &confirmed["status"]), (&json!(false), &json!("live")));
    assert_eq!(confirmed["confirmed_at"], event["received_at"]);
    assert_eq!(counts(&app).await, [0, 0, 1]);
    let act = app.list("/v1/audit").await[0].clone();
    assert_eq!((&act["act"], &act["subject_id"]), (&json!("session_confirmed"), &session["session_id"]));
    assert_eq!(act["details"], reason());

    let earlier = (clock::now() - TimeDelta::minutes(11)).to_rfc3339();
    assert_eq!(sql(&app, &format!("update stream_session set confirmed_at = '{earlier}'")).await, 1);
    assert_eq!(app.session("").await["unconfirmed"], true);
    assert_eq!(counts(&app).await, [1, 1, 0]);
    let again = app.post(&path_of(&session), &reason(), 200).await;
    app.fold().await;
    assert_eq!(app.session("").await["confirmed_at"], again["received_at"], "the latest is kept");
    let found = app.list("/v1/events?event=OPERATOR_CONFIRMED").await;
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_session_times_out_by_the_latest_confirmation() {
    let app = TestApp::start_with(&SETTINGS).await;
    app.receive(&[Push::of("room", 3_000).start()]).await;
    let event = app.post(&path_of(&app.session("").await), &reason(), 200).await;
    app.fold().await;
    assert_eq!(infer_in(&app, TimeDelta::minutes(59)).await, 0);
    assert_eq!(infer_in(&app, TimeDelta::minutes(61)).await, 1);
    let session = app.session("").await;
    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(session["ended_at_source"], "timed_out");
    let expected = time(&event["received_at"]).timestamp() + 3_600;
    assert_eq!(time(&session["ended_at"]), DateTime::from_timestamp(expected, 0).unwrap());
    assert_eq!(infer_in(&app, TimeDelta::minutes(70)).await, 0);
    assert_eq!(differences(&app, streamtally::reconciler::rebuild::Purpose::Verify).await, []);
}

#[tokio::test]
async fn a_session_that_has_timed_out_is_live_again_when_it_is_confirmed() {
    let app = TestApp::start_with(&SETTINGS).await;
    app.receive(&[Push::of("room", 7_200).start()]).await;
    assert_eq!(infer_in(&app, TimeDelta::zero()).await, 1);
    let session = app.session("").await;
    assert_eq!(session["ended_at_source"], "timed_out");
    // The same end is found once more before the confirmation is folded.
    app.post(&path_of(&session), &reason(), 200).await;
    sql(
        &app,
        "insert into log_entry select (jsonb_populate_record(timed_out, jsonb_build_object(
             'position', head.position + 1, 'recorded_at', head.recorded_at, 'event_id', gen_random_uuid()))).*
         from log_entry timed_out join shard_head head using (shard) where event = 'TIMED_OUT'",
    )
    .await;
    sql(&app, "update shard_head set position = position + 1 where shard in (select shard from log_entry)").await;
    app.fold().await;
    let session = app.session("").await;
    assert_eq!((&session["status"], &session["ended_at"]), (&json!("live"), &Value::Null));
    assert_eq!((&session["unconfirmed"], &session["ended_at_source"]), (&json!(false), &Value::Null));
    assert_eq!(infer_in(&app, TimeDelta::minutes(59)).await, 0);
    assert_eq!(differences(&app, streamtally::reconciler::rebuild::Purpose::Verify).await, []);
    // A report as of the time between still knows the end.
    let stream = app.list("/v1/streams").await[0].clone();
    assert_eq!(stream["status"], "live");
}

#[tokio::test]
async fn only_a_session_that_may_be_live_is_confirmed_by_administrators_with_a_reason() {
    let app = TestApp::start().await;
    let ended = Push::of("ended", 900);
    let superseded = Push::of("superseded", 900);
    app.receive(&[ended.start(), ended.end(), superseded.start(), Push::of("superseded", 600).start()]).await;
    assert_eq!(infer_in(&app, TimeDelta::seconds(400)).await, 1);
    for stream in ["ended", "superseded&ended_at_source=superseded"] {
        let session = app.session(&format!("stream={stream}")).await;
        app.post(&path_of(&session), &reason(), 409).await;
    }
    let live = app.session("status=live").await;
    let end = format!("/v1/sessions/{}/end", live["session_id"].as_str().unwrap());
    let withdrawal = json!({ "ended_at": null, "reason": "mistaken" });
    app.post(&path_of(&live), &reason(), 200).await;
    app.post(&end, &withdrawal, 409).await;
    app.post(&end, &json!({ "ended_at": live["started_at"], "reason": "seen" }), 200).await;
    app.fold().await;
    app.post(&path_of(&live), &reason(), 409).await;
    app.post(&end, &withdrawal, 200).await;
    app.post("/v1/sessions/00000000-0000-0000-0000-000000000000/confirm", &reason(), 404).await;
    app.post("/v1/sessions/nothing/confirm", &reason(), 404).await;
    for body in [
        json!({}),
        json!({ "reason": "" }),
        json!({ "reason": "x".repeat(501) }),
        json!({ "reason": "a\nb" }),
        json!({ "reason": "a", "why": "b" }),
    ] {
        app.post(&path_of(&live), &body, 400).await;
    }
    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    app.with_token(&reader).send(reqwest::Method::POST, &path_of(&live), Some(&reason()), 403).await;
    assert_eq!(app.list("/v1/events?event=OPERATOR_CONFIRMED").await.len(), 1);
}
