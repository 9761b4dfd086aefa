//! Pushes for which no callback was received, and ends that differ, by the provider's history.

use chrono::{DateTime, TimeDelta};
use fake_live_api::Server;
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler::infer::{InferencePolicy, infer};
use streamtally::reconciler::rebuild::Purpose;
use test_support::messages::{DOMAIN, Push};

use super::ASKS;
use super::lists::{self, poll, provider};
use crate::folding::rebuild::{self, sql};
use crate::helpers::{TestApp, until};

/// A domain that was registered long ago, so that the callbacks of these pushes were expected.
async fn registered_long_ago() -> TestApp {
    let app = TestApp::start_with(&ASKS).await;
    sql(&app, "update ingest_domain set created_at = created_at - interval '30 days'").await;
    app
}

/// The session of a push that is not one of them.
const ROOM: &str = "domain=push.example.com&app=live&stream=room";

/// The app of the pushes whose callbacks came.
const HEARD: &str = "heard";

/// A provider of these pushes, and of ten others, which began when their callbacks say.
async fn provider_of(app: &TestApp, pushes: &[(&str, i64, Option<i64>)]) -> Server {
    let server = provider(pushes);
    for number in 0..10 {
        let push = Push { app: HEARD.to_owned(), ..Push::of(&format!("room{number}"), 9_000) };
        app.callback(&push.start(), 200).await;
        let started_at = DateTime::from_timestamp(push.publish_timestamp, 0).unwrap();
        let heard = fake_live_api::Push::new(DOMAIN, HEARD, &push.stream, started_at);
        server.api().world.add_push(heard.ending(started_at + TimeDelta::minutes(30)));
    }
    until(async || app.list(&format!("/v1/sessions?domain={DOMAIN}&app={HEARD}")).await.len() == 10).await;
    server
}

/// The sessions of the other pushes.
async fn sessions(app: &TestApp) -> Vec<Value> {
    app.list(&format!("/v1/sessions?domain={DOMAIN}&app=live")).await
}

/// Their differences.
async fn differences(app: &TestApp) -> Vec<Value> {
    let mut found = lists::differences(app).await;
    found.retain(|difference| difference["app"] != HEARD);
    found
}

async fn rebuild_differences(app: &TestApp) -> usize {
    rebuild::differences(app, Purpose::Verify).await.len()
}

/// The confirmed seconds of the pushes, as known at a time.
async fn confirmed_seconds(app: &TestApp, as_of: &str) -> Value {
    let (from, to) = (clock::now() - TimeDelta::days(2), clock::now());
    let period = [from, to].map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let path = format!("/v1/reports/push-duration?domain={DOMAIN}&app=live&from={}&to={}{as_of}", period[0], period[1]);
    app.get(&path, 200).await["data"][0]["confirmed_seconds"].clone()
}

#[tokio::test]
async fn a_push_that_only_the_history_knows_becomes_a_session_that_counts() {
    let app = registered_long_ago().await;
    let provider = provider_of(&app, &[("room", 9_000, Some(7_200)), ("recent", 9_000, Some(1_800))]).await;
    poll(&app, &provider, "repair").await;
    until(async || !sessions(&app).await.is_empty()).await;
    assert_eq!(sessions(&app).await.len(), 1, "of the other, callbacks may come yet");
    let session = app.session(ROOM).await;
    assert_eq!((&session["flags"], &session["status"]), (&json!(["start_listed"]), &json!("ended")));
    assert_eq!(
        (&session["ended_at_source"], &session["duration_seconds"]),
        (&json!("provider_history"), &json!(1_800))
    );
    assert_eq!((&session["start_received_at"], &session["end_received_at"]), (&Value::Null, &Value::Null));
    assert_eq!(confirmed_seconds(&app, "").await, 1_800);
    until(async || !differences(&app).await.is_empty()).await;
    let difference = differences(&app).await.remove(0);
    assert_eq!((&difference["kind"], &difference["repaired"]), (&json!("missed_push"), &json!(true)));
    assert_eq!(difference["session_id"], session["session_id"]);
    assert_eq!(rebuild_differences(&app).await, 0);
}

#[tokio::test]
async fn in_observe_and_before_the_domain_was_registered_a_missed_push_makes_no_session() {
    let app = TestApp::start_with(&ASKS).await;
    let provider = provider_of(&app, &[("room", 9_000, Some(7_200))]).await;
    poll(&app, &provider, "repair").await;
    until(async || !provider.api().requests().is_empty()).await;
    app.put(super::DOMAIN_PATH, &json!({ "poll_mode": "off" }), 200).await;
    sql(&app, "update ingest_domain set created_at = created_at - interval '30 days'").await;
    let account = app.list("/v1/provider-accounts").await[0]["account_id"].clone();
    app.put(super::DOMAIN_PATH, &json!({ "poll_mode": "observe", "provider_account": account }), 200).await;
    until(async || !differences(&app).await.is_empty()).await;
    let difference = differences(&app).await.remove(0);
    assert_eq!((&difference["kind"], &difference["repaired"]), (&json!("missed_push"), &json!(false)));
    assert_eq!(difference["session_id"], Value::Null);
    assert_eq!(sessions(&app).await, [] as [Value; 0]);
    assert_eq!(app.list("/v1/events?event=HISTORY").await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_late_callback_of_the_same_second_is_of_the_same_session() {
    let app = registered_long_ago().await;
    let push = Push::of("room", 9_000);
    let started = clock::now().timestamp() - push.publish_timestamp;
    let provider = provider_of(&app, &[("room", started, Some(7_200))]).await;
    poll(&app, &provider, "repair").await;
    until(async || !sessions(&app).await.is_empty()).await;
    app.callback(&push.start(), 200).await;
    until(async || app.session(ROOM).await["flags"] == json!([])).await;
    let session = app.session(ROOM).await;
    assert_eq!((&session["ended_at_source"], &session["status"]), (&json!("provider_history"), &json!("ended")));
    assert_eq!(rebuild_differences(&app).await, 0);
}

/// The start in the history is near that of the callbacks, and not the same.
#[tokio::test]
async fn a_session_of_the_history_gives_way_to_that_of_late_callbacks() {
    let app = registered_long_ago().await;
    let provider = provider_of(&app, &[("room", 9_000, Some(7_200))]).await;
    poll(&app, &provider, "repair").await;
    until(async || !sessions(&app).await.is_empty()).await;
    let of_history = app.session(ROOM).await;
    let before = clock::now().format("&as_of=%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let started = of_history["publish_timestamp"].as_i64().unwrap() + 3;
    let push = Push { publish_timestamp: started, ..Push::of("room", 0) };
    app.receive(&[push.start(), push.end()]).await;
    until(async || sessions(&app).await.len() == 2).await;
    let rules = InferencePolicy { supersede_after: TimeDelta::minutes(5), close_unconfirmed_after: None };
    // The service may infer, too: what it has in hand is passed over here.
    until(async || {
        infer(&app.pool, &rules, clock::now()).await.unwrap();
        app.fold().await;
        sessions(&app).await.len() == 1
    })
    .await;
    let session = app.session(ROOM).await;
    assert_eq!(session["publish_timestamp"], started);
    let path = format!("/v1/sessions/{}", of_history["session_id"].as_str().unwrap());
    app.get(&path, 404).await;
    assert_eq!(confirmed_seconds(&app, "").await, session["duration_seconds"]);
    assert_eq!(confirmed_seconds(&app, &before).await, 1_800, "what a bill said then is said again");
    assert_eq!(app.list("/v1/events?event=REPLACED").await[0]["session_id"], of_history["session_id"]);
    assert_eq!(rebuild_differences(&app).await, 0);
}

#[tokio::test]
async fn an_end_that_differs_is_shown_and_does_not_count() {
    let app = registered_long_ago().await;
    let push = Push::of("room", 9_000);
    let started = clock::now().timestamp() - push.publish_timestamp;
    let provider = provider_of(&app, &[("room", started, Some(7_200))]).await;
    app.receive(&[push.start(), push.end()]).await;
    until(async || sessions(&app).await.iter().any(|session| session["status"] == "ended")).await;
    let before = app.session(ROOM).await;
    poll(&app, &provider, "repair").await;
    until(async || !differences(&app).await.is_empty()).await;
    let difference = differences(&app).await.remove(0);
    assert_eq!((&difference["kind"], &difference["repaired"]), (&json!("end_differs"), &json!(true)));
    assert_eq!(difference["session_id"], before["session_id"]);
    until(async || app.list(&format!("/v1/events?domain={DOMAIN}&app=live&event=HISTORY")).await.len() == 1).await;
    let session = app.session(ROOM).await;
    assert_eq!((&session["ended_at"], &session["ended_at_source"]), (&before["ended_at"], &json!("notification")));
    assert_eq!(sessions(&app).await.len(), 1);
}

/// The provider may mean something else by the start of a push.
#[tokio::test]
async fn a_missed_push_is_only_shown_until_enough_starts_agree() {
    let app = registered_long_ago().await;
    let provider = provider(&[("room", 9_000, Some(7_200))]);
    poll(&app, &provider, "repair").await;
    until(async || !differences(&app).await.is_empty()).await;
    let difference = differences(&app).await.remove(0);
    assert_eq!((&difference["kind"], &difference["repaired"]), (&json!("missed_push"), &json!(false)));
    assert_eq!(sessions(&app).await, [] as [Value; 0]);
}

#[tokio::test]
async fn of_an_app_that_is_not_accepted_nothing_is_missed() {
    let app = registered_long_ago().await;
    app.put(super::DOMAIN_PATH, &json!({ "apps": [HEARD] }), 200).await;
    let provider = provider_of(&app, &[("room", 9_000, Some(7_200)), ("on air", 600, None)]).await;
    let id = super::create(&app, "main", &provider.url()).await;
    let settings = json!({ "apps": [HEARD], "poll_mode": "repair", "provider_account": id });
    app.put(super::DOMAIN_PATH, &settings, 200).await;
    // Those of the heard pushes are found in the same comparison.
    until(async || app.list("/v1/events?event=HISTORY").await.len() == 10).await;
    until(async || !app.list(&format!("{}/polls", super::DOMAIN_PATH)).await.is_empty()).await;
    assert_eq!(differences(&app).await, [] as [Value; 0]);
    assert_eq!(sessions(&app).await, [] as [Value; 0]);
}
