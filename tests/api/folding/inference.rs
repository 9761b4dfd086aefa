//! Ends that never come: what is found in their place, and what overrules it.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::reconciler::infer::{Covered, InferencePolicy, infer, infer_further};
use streamtally::reconciler::slewed_clock::SlewedClock;
use test_support::messages::Push;

use crate::helpers::{TestApp, until};

fn rules() -> InferencePolicy {
    InferencePolicy { supersede_after: TimeDelta::seconds(300), close_unconfirmed_after: None }
}

/// Infers, `seconds` from now, and folds what is found: the number of findings.
async fn infer_in(app: &TestApp, rules: InferencePolicy, seconds: i64) -> usize {
    let findings = infer(&app.pool, &rules, clock::now() + TimeDelta::seconds(seconds)).await.unwrap();
    app.fold().await;
    findings
}

async fn session_of(app: &TestApp, push: &Push) -> Value {
    app.session(&format!("stream={}&publish_timestamp={}", push.stream, push.publish_timestamp)).await
}

fn time(publish_timestamp: i64) -> Value {
    json!(DateTime::<Utc>::from_timestamp(publish_timestamp, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[tokio::test]
async fn a_session_ends_when_the_next_one_of_its_stream_began_but_not_too_soon() {
    let app = TestApp::start().await;
    let [first, second, third] = [900, 600, 500].map(|seconds_ago| Push::of("room", seconds_ago));
    let other = Push::of("other", 800);
    app.receive(&[third.start(), first.start(), second.start(), third.end(), other.start()]).await;
    assert_eq!(infer_in(&app, rules(), 200).await, 0);
    assert_eq!(infer_in(&app, rules(), 301).await, 2);
    for (push, next) in [(&first, &second), (&second, &third)] {
        let session = session_of(&app, push).await;
        assert_eq!((&session["status"], &session["ended_at_source"]), (&json!("ended"), &json!("superseded")));
        assert_eq!(session["ended_at"], time(next.publish_timestamp));
    }
    assert_eq!(session_of(&app, &third).await["ended_at_source"], "notification");
    assert_eq!(session_of(&app, &other).await["status"], "live");
    assert_eq!(infer_in(&app, rules(), 400).await, 0);
    let found = app.list("/v1/events?event=SUPERSEDED").await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|event| event["signature"].is_null() && event["disposition"] == "accepted"));

    // A real end overrules it, whenever it arrives.
    app.receive(&[first.end()]).await;
    let session = session_of(&app, &first).await;
    assert_eq!(session["ended_at_source"], "notification");
    assert_ne!(session["ended_at"], time(second.publish_timestamp));
}

#[tokio::test]
async fn to_find_the_same_twice_changes_nothing() {
    let app = TestApp::start().await;
    let (first, second) = (Push::of("room", 900), Push::of("room", 600));
    app.receive(&[first.start(), second.start()]).await;
    let now = clock::now() + TimeDelta::seconds(400);
    for _ in 0..3 {
        assert_eq!(infer(&app.pool, &rules(), now).await.unwrap(), 1, "nothing is folded in between");
    }
    app.fold().await;
    assert_eq!(session_of(&app, &first).await["ended_at"], time(second.publish_timestamp));
    // What was found stays found, also when a session in between is heard of late.
    let between = Push::of("room", 700);
    app.receive(&[between.start()]).await;
    assert_eq!(infer_in(&app, rules(), 400).await, 1);
    assert_eq!(session_of(&app, &between).await["ended_at"], time(second.publish_timestamp));
    assert_eq!(session_of(&app, &first).await["ended_at"], time(second.publish_timestamp));
}

#[tokio::test]
async fn only_a_start_that_was_believed_supersedes_and_not_where_pushes_are_concurrent() {
    let app = TestApp::start().await;
    let first = Push::of("room", 900);
    let expired = Push::of("room", 600).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[first.start(), Push::of("room", 700).end(), expired]).await;
    assert_eq!(infer_in(&app, rules(), 1_000).await, 0);
    app.receive(&[Push::of("room", 500).start()]).await;
    app.put("/v1/domains/push.example.com", &json!({ "concurrent_pushes": true }), 200).await;
    assert_eq!(infer_in(&app, rules(), 1_000).await, 0);
    app.put("/v1/domains/push.example.com", &json!({}), 200).await;
    assert_eq!(infer_in(&app, rules(), 1_000).await, 1);
    assert_eq!(session_of(&app, &first).await["status"], "ended");
}

#[tokio::test]
async fn a_search_of_new_events_finds_what_they_change_and_the_rest_is_found_within_the_hour() {
    let app = TestApp::start().await;
    let mut covered = Covered::default();
    let mut search = async |seconds: i64| {
        let now = clock::now() + TimeDelta::seconds(seconds);
        let found = infer_further(&app.pool, &rules(), &mut covered, now).await.unwrap();
        app.fold().await;
        found
    };
    let [first, second, third] = [900, 600, 500].map(|seconds_ago| Push::of("room", seconds_ago));
    app.receive(&[first.start()]).await;
    assert_eq!(search(0).await, 0);
    app.receive(&[second.start()]).await;
    assert_eq!(search(200).await, 0, "it may still end");
    assert_eq!(search(310).await, 1);
    // Not yet folded events are not covered.
    app.callback(&third.start(), 200).await;
    assert_eq!(infer_further(&app.pool, &rules(), &mut Covered::default(), clock::now()).await.unwrap(), 0);
    assert_eq!(search(620).await, 0);
    assert_eq!(search(640).await, 1);
    // A domain's settings are no event.
    app.put("/v1/domains/push.example.com", &json!({ "concurrent_pushes": true }), 200).await;
    app.receive(&[Push::of("room", 400).start()]).await;
    assert_eq!(search(1_000).await, 0);
    app.put("/v1/domains/push.example.com", &json!({}), 200).await;
    assert_eq!(search(1_400).await, 0);
    assert_eq!(search(3_601).await, 1);
}

#[tokio::test]
async fn long_silence_ends_a_session_where_that_is_asked_for() {
    let app = TestApp::start().await;
    let long = Push::of("long", 7_200);
    let short = Push::of("short", 3_000);
    app.receive(&[long.start(), short.start()]).await;
    assert_eq!(infer_in(&app, rules(), 100_000).await, 0);
    let rules = InferencePolicy { close_unconfirmed_after: Some(TimeDelta::hours(1)), ..rules() };
    assert_eq!(infer_in(&app, rules, 0).await, 1);
    let session = session_of(&app, &long).await;
    assert_eq!((&session["ended_at_source"], &session["duration_seconds"]), (&json!("timed_out"), &json!(3_600)));
    assert_eq!(session_of(&app, &short).await["status"], "live");
    assert_eq!(infer_in(&app, rules, 0).await, 0);
    app.receive(&[long.end()]).await;
    assert_eq!(session_of(&app, &long).await["ended_at_source"], "notification");
}

#[tokio::test]
async fn a_domain_may_have_its_own_rule_for_sessions_without_an_end() {
    let app = TestApp::start().await;
    let path = "/v1/domains/push.example.com";
    let long = Push::of("long", 7_200);
    let short = Push::of("short", 3_000);
    app.receive(&[long.start(), short.start()]).await;
    app.put(path, &json!({ "close_unconfirmed_after": "off" }), 200).await;
    let service = InferencePolicy { close_unconfirmed_after: Some(TimeDelta::hours(1)), ..rules() };
    assert_eq!(infer_in(&app, service, 100_000).await, 0, "the domain's rule is: never");
    app.put(path, &json!({ "close_unconfirmed_after": "110m" }), 200).await;
    assert_eq!(infer_in(&app, rules(), 0).await, 1, "although the service has no rule");
    let session = session_of(&app, &long).await;
    assert_eq!((&session["ended_at_source"], &session["duration_seconds"]), (&json!("timed_out"), &json!(6_600)));
    assert_eq!(infer_in(&app, service, 1_000).await, 0, "the domain's rule is longer");
    app.put(path, &json!({}), 200).await;
    assert_eq!(infer_in(&app, service, 1_000).await, 1, "the service's rule");
    assert_eq!(session_of(&app, &short).await["duration_seconds"], 3_600);
    let other = "push.other.example.com";
    app.put(&format!("/v1/domains/{other}"), &json!({ "close_unconfirmed_after": "1s" }), 201).await;
    app.receive(&[Push::of("stays", 600).start()]).await;
    assert_eq!(infer_in(&app, rules(), 100).await, 0, "the rule of another domain");
}

#[tokio::test]
async fn an_operators_end_that_is_withdrawn_leaves_what_was_found() {
    let app = TestApp::start().await;
    let (first, second) = (Push::of("room", 900), Push::of("room", 600));
    app.receive(&[first.start(), second.start()]).await;
    assert_eq!(infer_in(&app, rules(), 400).await, 1);
    let path = format!("/v1/sessions/{}/end", session_of(&app, &first).await["session_id"].as_str().unwrap());
    let ended_at = time(first.publish_timestamp + 10);
    app.post(&path, &json!({ "ended_at": ended_at, "reason": "seen" }), 200).await;
    app.fold().await;
    assert_eq!(session_of(&app, &first).await["ended_at"], ended_at);
    app.post(&path, &json!({ "ended_at": null, "reason": "mistaken" }), 200).await;
    app.fold().await;
    assert_eq!(session_of(&app, &first).await["ended_at_source"], "superseded");
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_a_day_and_back_ends_nothing() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 900).start(), Push::of("room", 600).start(), Push::of("other", 600).start()]).await;
    let rules = InferencePolicy { close_unconfirmed_after: Some(TimeDelta::hours(1)), ..rules() };
    let begin = Instant::now();
    let mut clock = SlewedClock::new(clock::now(), begin);
    let day = TimeDelta::days(1);
    for (seconds, off) in [(10, TimeDelta::zero()), (20, day), (80, day), (100, TimeDelta::zero())] {
        let now = clock.read(
            clock::now() + TimeDelta::seconds(seconds) + off,
            begin + Duration::from_secs(seconds.unsigned_abs()),
        );
        assert_eq!(infer(&app.pool, &rules, now).await.unwrap(), 0, "after {seconds} s");
    }
    assert_eq!(app.get("/v1/live", 200).await["live_sessions"], 3);
    let now = clock.read(clock::now() + TimeDelta::seconds(400), begin + Duration::from_secs(400));
    assert_eq!(infer(&app.pool, &rules, now).await.unwrap(), 1, "what is really silent is found");
}

#[tokio::test]
async fn one_process_infers_at_a_time_and_the_service_does_so_by_itself() {
    let app = TestApp::start_with(&["--supersede-after", "1s"]).await;
    let mut other = app.pool.begin().await.unwrap();
    assert!(streamtally::store::inference::try_lock_inference(&mut *other).await.unwrap());
    for push in [Push::of("room", 900), Push::of("room", 600)] {
        app.callback(&push.start(), 200).await;
    }
    assert_eq!(infer(&app.pool, &rules(), clock::now() + TimeDelta::days(1)).await.unwrap(), 0);
    other.rollback().await.unwrap();
    until(async || app.list("/v1/sessions?ended_at_source=superseded").await.len() == 1).await;
}
