//! What is personal goes when it is old, from the log and from sessions.

use chrono::TimeDelta;
use serde_json::{Value, json};
use streamtally::reconciler::rebuild::Purpose;
use streamtally::reconciler::retention::{Retained, RetentionPolicy};
use test_support::messages::Push;

use super::retention::{age, everything, late, release_all, retain_now, shown, value};
use crate::folding::rebuild::{differences, sql};
use crate::helpers::TestApp;

const KEEP_1_DAY: RetentionPolicy = RetentionPolicy { keep_events: None, keep_personal: Some(TimeDelta::days(1)) };

#[tokio::test]
async fn what_is_personal_goes_from_the_log_and_from_sessions_when_it_is_old() {
    let app = TestApp::start().await;
    let mut extended = Push::of("room", 900).start();
    extended["encoder"] = "of somebody".into();
    app.receive(&[extended, Push::of("room", 800).start(), late(&Push::of("late", 900))]).await;
    age(&app, 2).await;
    app.receive(&[Push::of("new", 900).start()]).await;
    app.callback(&Push::of("room", 700).start(), 200).await;
    let before = shown(&app).await;
    let retained = retain_now(&app, KEEP_1_DAY).await;
    assert_eq!(retained, Retained { redacted: 3, ..Retained::default() });

    let token = app.make_token(&["read", "personal"], None).await;
    let caller = app.with_token(&token);
    let (mut old, mut new) = (0, 0);
    for path in ["/v1/events", "/v1/sessions"] {
        for row in caller.get(path, 200).await["data"].as_array().unwrap() {
            let personal: Vec<_> = ["client_ip", "node_ip", "source_ip", "user_args"]
                .into_iter()
                .filter_map(|member| row.get(member))
                .collect();
            assert!(personal.len() >= 3);
            if personal.iter().all(|value| value.is_null()) {
                old += 1;
            } else {
                assert!(personal.iter().all(|value| value.is_string()), "{row}");
                new += 1;
            }
        }
    }
    // Three entries and two sessions, beside two entries and one session. What waits to be folded waits to be blanked.
    assert_eq!((old, new), (5, 3));
    let found = caller.get("/v1/sessions?client_ip=203.0.113.7", 200).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let left: bool = value(&app, "select bool_or(extra is not null) from log_entry").await;
    assert!(!left);
    assert_eq!(shown(&app).await, before);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    app.fold().await;
    assert_eq!(differences(&app, Purpose::Replace).await, []);
}

#[tokio::test]
async fn what_is_not_folded_is_not_blanked() {
    let app = TestApp::start().await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    age(&app, 70).await;
    assert_eq!(retain_now(&app, KEEP_1_DAY).await.redacted, 0);
    app.fold().await;
    assert_eq!(app.session("").await["client_ip"], "203.0.113.7");
    assert_eq!(retain_now(&app, KEEP_1_DAY).await.redacted, 1);
    assert_eq!(app.session("").await["client_ip"], Value::Null);
}

#[tokio::test]
async fn what_is_personal_is_kept_no_longer_than_events() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 40).await;
    let keep_personal_longer =
        RetentionPolicy { keep_events: Some(TimeDelta::days(31)), keep_personal: Some(TimeDelta::days(100)) };
    assert_eq!(retain_now(&app, keep_personal_longer).await.redacted, 1);
    assert_eq!(app.session("").await["user_args"], Value::Null);
}

#[tokio::test]
async fn what_was_blanked_conflicts_with_nothing_that_comes_later() {
    let app = TestApp::start().await;
    let (push, unseen) = (Push::of("room", 900), Push::of("unseen", 900));
    let conflicting = Push::of("conflict", 900);
    let elsewhere = Push { client_ip: "203.0.113.9".to_owned(), ..conflicting.clone() };
    app.receive(&[push.start(), late(&unseen), conflicting.start(), elsewhere.start()]).await;
    age(&app, 2).await;
    assert_eq!(retain_now(&app, KEEP_1_DAY).await.redacted, 4);
    app.receive(&[push.start(), unseen.start()]).await;
    release_all(&app).await;
    app.fold().await;
    for (stream, flags) in [("room", json!([])), ("unseen", json!([])), ("conflict", json!(["key_conflict"]))] {
        assert_eq!(app.session(&format!("stream={stream}")).await["flags"], flags);
    }
    // The first start's are shown, or none.
    assert_eq!(app.session("stream=room").await["client_ip"], Value::Null);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    assert_eq!(differences(&app, Purpose::Replace).await, []);
}

#[tokio::test]
async fn of_a_blanked_session_all_is_put_right_but_what_was_blanked_and_what_came_of_it() {
    let app = TestApp::start().await;
    let push = Push::of("room", 900);
    let elsewhere = Push { client_ip: "203.0.113.9".to_owned(), ..push.clone() };
    app.receive(&[push.end(), push.start(), elsewhere.start(), late(&push)]).await;
    let (end_only, start) = (Push::of("late start", 900), Push::of("late start", 900));
    app.receive(&[end_only.end()]).await;
    age(&app, 2).await;
    app.receive(&[start.start(), Push::of("new", 60).start()]).await;
    assert_eq!(retain_now(&app, KEEP_1_DAY).await.redacted, 5);
    let before = everything(&app).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    for tampering in [
        "start_deliveries = 9",
        "flags = '{key_conflict,start_missing}'",
        "flags = '{quarantined_messages}'",
        "flags = '{}'",
        "ended_at = (ended_at at time zone 'UTC' + interval '1 hour') at time zone 'UTC'",
    ] {
        assert_eq!(sql(&app, &format!("update stream_session set {tampering} where stream = 'room'")).await, 1);
        assert_eq!(differences(&app, Purpose::Verify).await.len(), 1, "{tampering}");
        assert_eq!(differences(&app, Purpose::Replace).await.len(), 1, "{tampering}");
        assert_eq!(everything(&app).await, before, "{tampering}");
    }
    // What the log alone cannot tell is as the live row says.
    let kept = "update stream_session set client_ip = 'kept', blanked = false where stream in ('room', 'late start')";
    assert_eq!(sql(&app, kept).await, 2);
    sql(&app, "update stream_session set end_deliveries = 9 where stream = 'room'").await;
    assert_eq!(differences(&app, Purpose::Replace).await.len(), 1);
    assert_eq!(app.session("stream=room").await["client_ip"], "kept");
    assert_eq!(app.session("stream=room").await["flags"], json!(["key_conflict", "quarantined_messages"]));
    // A lost row comes back without it.
    sql(&app, "delete from stream_session").await;
    assert_eq!(differences(&app, Purpose::Replace).await.len(), 3);
    assert_eq!(app.session("stream=room").await["client_ip"], Value::Null);
    assert_eq!(app.session("stream=new").await["client_ip"], "203.0.113.7");
    assert_eq!(differences(&app, Purpose::Verify).await, []);
}

#[tokio::test]
async fn many_entries_are_blanked_batch_by_batch() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&[push.start()]).await;
    let copy = "with copied as (
             insert into log_entry select (jsonb_populate_record(e, jsonb_build_object(
                 'position', number, 'event_id', gen_random_uuid()))).*
             from log_entry e, generate_series(2, 12001) number returning 1)
         update shard_head set position = 12001 where position = 1";
    sql(&app, copy).await;
    app.fold().await;
    age(&app, 2).await;
    assert_eq!(retain_now(&app, KEEP_1_DAY).await.redacted, 12_001);
    let left: i64 = value(&app, "select count(*) from log_entry where num_nonnulls(client_ip, source_ip) > 0").await;
    assert_eq!(left, 0);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
}
