//! What the provider's lists change, and what they do not.

use std::sync::Arc;

use chrono::TimeDelta;
use fake_live_api::{Account, FakeApi, Server, Settings};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler::infer::{InferencePolicy, infer};
use test_support::messages::{DOMAIN, Push};

use super::{ACCESS_KEY, ASKS, DOMAIN_PATH, SECRET_KEY, create};
use crate::helpers::{TestApp, until};

/// A provider that lists pushes: their streams, how many seconds ago they started, and ended.
pub fn provider(pushes: &[(&str, i64, Option<i64>)]) -> Server {
    let account = Account {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        project_id: "0123456789abcdef0123456789abcdef".to_owned(),
        security_token: None,
        host: None,
    };
    let mut api = FakeApi::new(1, account, Settings::default());
    api.world.add_domain(DOMAIN);
    for (stream, started, ended) in pushes {
        let at = |seconds: i64| clock::now() - TimeDelta::seconds(seconds);
        let push = fake_live_api::Push { ended_at: ended.map(at), ..push_at(stream, *started) };
        api.world.add_push(push);
    }
    Server::start(api, Arc::new(clock::now)).unwrap()
}

fn push_at(stream: &str, seconds: i64) -> fake_live_api::Push {
    fake_live_api::Push::new(DOMAIN, "live", stream, clock::now() - TimeDelta::seconds(seconds))
}

/// A service that is to poll.
pub async fn poll(app: &TestApp, provider: &Server, mode: &str) {
    let id = create(app, "main", &provider.url()).await;
    app.put(DOMAIN_PATH, &json!({ "poll_mode": mode, "provider_account": id }), 200).await;
}

async fn polls(app: &TestApp) -> Vec<Value> {
    app.list(&format!("{DOMAIN_PATH}/polls")).await
}

pub async fn differences(app: &TestApp) -> Vec<Value> {
    app.list(&format!("{DOMAIN_PATH}/provider-differences")).await
}

/// Ends what has been live for an hour.
async fn time_out(app: &TestApp) {
    until(async || app.list("/v1/sessions?stream=room").await.len() == 1).await;
    let rules =
        InferencePolicy { supersede_after: TimeDelta::minutes(5), close_unconfirmed_after: Some(TimeDelta::hours(1)) };
    assert!(infer(&app.pool, &rules, clock::now()).await.unwrap() > 0);
    until(async || app.session("stream=room").await["status"] == "ended").await;
}

#[tokio::test]
async fn a_session_that_is_on_air_is_live_again_in_repair() {
    let app = TestApp::start_with(&ASKS).await;
    let provider = provider(&[("room", 7_200, None)]);
    app.callback(&Push::of("room", 7_200).start(), 200).await;
    time_out(&app).await;
    poll(&app, &provider, "repair").await;
    until(async || app.session("stream=room").await["status"] == "live").await;
    let session = app.session("stream=room").await;
    assert_eq!(session["unconfirmed"], false);
    let events = app.list("/v1/events?event=LISTED").await;
    assert_eq!((events.len(), &events[0]["session_id"]), (1, &session["session_id"]));
    until(async || !differences(&app).await.is_empty()).await;
    let difference = differences(&app).await.remove(0);
    assert_eq!((&difference["kind"], &difference["repaired"]), (&json!("listed"), &json!(true)));
    assert_eq!(difference["session_id"], session["session_id"]);
    let poll = polls(&app).await.remove(0);
    assert_eq!((&poll["outcome"], &poll["listed"], &poll["matched"]), (&json!("complete"), &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_session_that_is_listed_is_confirmed_before_it_is_unconfirmed() {
    let app = TestApp::start_with(&ASKS).await;
    // One would be unconfirmed in some hours, the other is so already.
    let provider = provider(&[("young", 7 * 3_600, None), ("old", 13 * 3_600, None)]);
    for (stream, hours) in [("young", 7), ("old", 13)] {
        app.callback(&Push::of(stream, hours * 3_600).start(), 200).await;
    }
    until(async || app.list("/v1/sessions?unconfirmed=true").await.len() == 1).await;
    poll(&app, &provider, "repair").await;
    until(async || app.list("/v1/events?event=LISTED").await.len() == 2).await;
    until(async || app.list("/v1/sessions?unconfirmed=true").await.is_empty()).await;
    assert_eq!(app.get("/v1/live", 200).await["unconfirmed_sessions"], 0);
    let session = app.session("stream=old").await;
    let session = app.get(&format!("/v1/sessions/{}", session["session_id"].as_str().unwrap()), 200).await;
    assert!(session["last_listed_at"].as_str() >= session["confirmed_at"].as_str(), "{session}");
}

#[tokio::test]
async fn to_observe_changes_nothing() {
    let app = TestApp::start_with(&ASKS).await;
    let provider = provider(&[("room", 7_200, None), ("unheard", 600, None), ("odd\0name", 600, None)]);
    app.callback(&Push::of("room", 7_200).start(), 200).await;
    time_out(&app).await;
    let before = app.session("stream=room").await;
    poll(&app, &provider, "observe").await;
    until(async || differences(&app).await.len() == 2).await;
    let mut found = differences(&app).await;
    found.sort_by_key(|difference| difference["kind"].to_string());
    assert_eq!((&found[0]["kind"], &found[0]["repaired"]), (&json!("listed"), &json!(false)));
    assert_eq!((&found[1]["kind"], &found[1]["stream"]), (&json!("unknown_push"), &json!("unheard")));
    assert_eq!(found[1]["session_id"], Value::Null);
    assert_eq!(app.session("stream=room").await, before);
    assert_eq!(app.list("/v1/events?event=LISTED").await, [] as [Value; 0]);
}

/// It stays listed for some minutes.
#[tokio::test]
async fn a_push_whose_callbacks_came_is_no_difference_when_it_has_ended() {
    let app = TestApp::start_with(&ASKS).await;
    let push = Push::of("room", 600);
    app.receive(&[push.start(), push.end()]).await;
    until(async || app.list("/v1/sessions?status=ended").await.len() == 1).await;
    let provider = provider(&[("room", 600, None), ("unheard", 600, None)]);
    poll(&app, &provider, "observe").await;
    until(async || !differences(&app).await.is_empty()).await;
    let found = differences(&app).await;
    assert_eq!((found.len(), &found[0]["stream"]), (1, &json!("unheard")));
    assert_eq!(app.get("/v1/live", 200).await["listed_only_streams"], 1);
}

#[tokio::test]
async fn the_history_has_the_end_of_a_session_that_timed_out() {
    let app = TestApp::start_with(&ASKS).await;
    let provider = provider(&[("room", 7_200, Some(5_400))]);
    let push = Push::of("room", 7_200);
    app.callback(&push.start(), 200).await;
    time_out(&app).await;
    poll(&app, &provider, "repair").await;
    until(async || app.session("stream=room").await["ended_at_source"] == "provider_history").await;
    let session = app.session("stream=room").await;
    let seconds = session["duration_seconds"].as_i64().unwrap();
    assert!((1_795..=1_805).contains(&seconds), "{session}");
    // Its end callback comes after all, and counts.
    app.callback(&push.end(), 200).await;
    until(async || app.session("stream=room").await["ended_at_source"] == "notification").await;
}

#[tokio::test]
async fn a_key_that_the_provider_refuses_is_not_used_on() {
    let app = TestApp::start_with(&ASKS).await;
    let provider = provider(&[]);
    provider.api().account.secret_key = "another key".to_owned();
    poll(&app, &provider, "repair").await;
    until(async || !polls(&app).await.is_empty()).await;
    let poll = polls(&app).await.remove(0);
    let refused = (&json!("refused"), &json!("APIGW.0301"));
    // If the history was asked for first, requests with the account are paused already.
    let resting = (&json!("resting"), &Value::Null);
    assert!([refused, resting].contains(&(&poll["outcome"], &poll["error_code"])), "{poll}");
    assert_eq!(provider.api().requests().len(), 1);
}

#[tokio::test]
async fn a_bound_token_sees_the_lists_of_its_domains_alone() {
    let app = TestApp::start().await;
    let other = app.make_token(&["read"], Some(&["other.example.com"])).await;
    for list in ["polls", "provider-differences"] {
        let path = format!("{DOMAIN_PATH}/{list}");
        assert_eq!(app.list(&path).await, [] as [Value; 0]);
        let answer = app.client.get(format!("{}{path}", app.address)).bearer_auth(&other).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
}
