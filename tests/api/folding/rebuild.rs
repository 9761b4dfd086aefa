//! All sessions anew from the log: nothing differs, and whatever does is found and put right.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use streamtally::model::event::OwnEvent;
use streamtally::platform::clock;
use streamtally::reconciler::infer::{InferencePolicy, infer};
use streamtally::reconciler::rebuild::{Purpose, RebuildError, rebuild};
use streamtally::store::rebuild::DifferenceRow;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::{TestApp, until};
use crate::polling::append;

pub async fn differences(app: &TestApp, purpose: Purpose) -> Vec<DifferenceRow> {
    let mut shown = Vec::new();
    let found = rebuild(&app.database.options, purpose, |_| {}, |row| shown.push(row)).await.unwrap();
    assert_eq!(usize::try_from(found).unwrap(), shown.len());
    shown
}

pub async fn sql(app: &TestApp, statement: &str) -> u64 {
    sqlx::query(AssertSqlSafe(statement)).execute(&app.pool).await.unwrap().rows_affected()
}

/// A log with entries of every kind.
pub async fn eventful(app: &TestApp) {
    let late = |push: &Push| push.message("PUBLISH", clock::now().timestamp() - 700);
    for number in 0..20 {
        let (first, second) = (Push::of(&format!("room{number}"), 900), Push::of(&format!("room{number}"), 600));
        app.receive(&[
            second.end(),
            first.start(),
            first.start(),
            second.start(),
            late(&Push::of(&format!("late{number}"), 1_000)),
        ])
        .await;
    }
    app.receive(&[Push::of("odd", 50).message("PAUSE", clock::now().timestamp())]).await;
    // Two encoders that stop together, and one that sends what cannot be kept as it is.
    let pair = [70, 40].map(|seconds_ago| Push::of("pair", seconds_ago));
    let mut odd = pair[0].start();
    (odd["user_args"], odd["client_ip"]) = ("a=1\tb".into(), "[2001:DB8::1]:80".into());
    app.receive(&[odd, pair[1].start()]).await;
    let expiry = clock::now().timestamp() + 60;
    app.receive(&pair.map(|push| push.message("PUBLISH_DONE", expiry))).await;
    // One that is rejected at first.
    let domain = format!("/v1/domains/{DOMAIN}");
    app.put(&domain, &json!({ "apps": ["other"] }), 200).await;
    app.callback(&Push::of("retried", 60).start(), 401).await;
    app.put(&domain, &json!({}), 200).await;
    until(async || app.list("/v1/rejections/kept").await.len() == 1).await;
    let period = json!({ "domain": DOMAIN, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    assert_eq!(app.post("/v1/rejections/retry", &period, 200).await["accepted"], 1);
    let quarantined = app.list("/v1/events?disposition=quarantined").await;
    for event in quarantined.iter().take(3) {
        app.post(&format!("/v1/events/{}/release", event["event_id"].as_str().unwrap()), &json!({}), 200).await;
    }
    let rules = InferencePolicy { supersede_after: chrono::TimeDelta::seconds(300), close_unconfirmed_after: None };
    let later = clock::now() + chrono::TimeDelta::seconds(400);
    // The service may fold, too: what it has in hand is passed over here.
    until(async || {
        infer(&app.pool, &rules, later).await.unwrap();
        app.fold().await;
        app.list("/v1/sessions?ended_at_source=superseded&limit=500").await.len() == 20
    })
    .await;
    let all_folded = "select not exists (select 1 from shard_head join fold_progress f using (shard)
                      where f.position < shard_head.position)";
    until(async || sqlx::query_scalar(all_folded).fetch_one(&app.pool).await.unwrap()).await;
    for session in app.list("/v1/sessions?stream=room7").await {
        let path = format!("/v1/sessions/{}/end", session["session_id"].as_str().unwrap());
        app.post(&path, &json!({ "ended_at": session["ended_at"], "reason": "seen" }), 200).await;
        app.post(&path, &json!({ "ended_at": null, "reason": "mistaken" }), 200).await;
    }
    // What the provider's lists and history say: of sessions, and of pushes that nobody else knows.
    for (number, event) in (10..).zip([OwnEvent::Listed, OwnEvent::Unlisted, OwnEvent::History]) {
        append(app, &Push::of(&format!("late{number}"), 1_000), event).await;
        append(app, &Push::of(&format!("unheard{number}"), 1_000), event).await;
    }
    let replaced = Push::of("replaced", 1_000);
    for event in [OwnEvent::History, OwnEvent::Replaced] {
        append(app, &replaced, event).await;
    }
    for session in app.list("/v1/sessions?status=live&stream_prefix=late&limit=500").await {
        let path = format!("/v1/sessions/{}/confirm", session["session_id"].as_str().unwrap());
        app.post(&path, &json!({ "reason": "seen" }), 200).await;
    }
}

#[tokio::test]
async fn folded_anew_the_log_gives_the_same_whatever_it_holds() {
    let app = TestApp::start().await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    eventful(&app).await;
    // Not all of it is folded yet: what is live is compared with as much of the log.
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    app.fold().await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    assert_eq!(differences(&app, Purpose::Replace).await, []);
}

#[tokio::test]
async fn each_row_that_differs_is_found_and_put_right_and_only_if_that_is_meant() {
    let app = TestApp::start().await;
    eventful(&app).await;
    app.fold().await;
    let before = app.list("/v1/sessions?limit=500").await;
    let tampered = [
        sql(&app, "update stream_session set start_deliveries = 9 where stream = 'room1' and status = 'live'").await
            + sql(&app, "update stream_session set client_ip = 'elsewhere' where stream = 'room2'").await,
        sql(&app, "delete from stream_session where stream = 'room3'").await,
        sql(&app, "delete from stream where stream = 'room4'").await,
        sql(&app, "delete from session_outcome where known_from = (select max(known_from) from session_outcome)").await,
        sql(
            &app,
            "insert into stream_session select (jsonb_populate_record(s, jsonb_build_object(
                 'session_id', gen_random_uuid(), 'stream', 'made up'))).* from stream_session s where stream = 'room5'",
        )
        .await,
    ];
    let total = usize::try_from(tampered.iter().sum::<u64>()).unwrap();
    assert!(tampered[1..].iter().all(|rows| *rows > 0), "{tampered:?}");
    for _ in 0..2 {
        let found = differences(&app, Purpose::Verify).await;
        assert_eq!(found.len(), total);
        let count = |shown: fn(&DifferenceRow) -> bool| found.iter().filter(|row| shown(row)).count() as u64;
        assert_eq!(count(|row| row.stored.is_none()), tampered[1..4].iter().sum::<u64>());
        assert_eq!(count(|row| row.rebuilt.is_none()), tampered[4]);
    }
    assert_eq!(differences(&app, Purpose::Replace).await.len(), total);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    let mut after = app.list("/v1/sessions?limit=500").await;
    for (row, earlier) in after.iter_mut().zip(&before) {
        row["duration_seconds"] = earlier["duration_seconds"].clone();
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_second_row_of_a_session_with_another_status_is_found_and_removed() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&[push.start(), push.end()]).await;
    app.fold().await;
    let doubled = "insert into stream_session select (jsonb_populate_record(s,
                       '{\"status\": \"live\", \"ended_at\": null, \"ended_at_source\": null}')).* from stream_session s";
    assert_eq!(sql(&app, doubled).await, 1);
    assert_eq!(differences(&app, Purpose::Verify).await.len(), 1);
    assert_eq!(differences(&app, Purpose::Replace).await.len(), 1);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    assert_eq!(app.session("").await["status"], "ended");
}

#[tokio::test]
async fn messages_keep_coming_while_all_is_made_anew() {
    let app = TestApp::start_with(&[]).await;
    eventful(&app).await;
    sql(&app, "update stream_session set end_deliveries = end_deliveries + 1 where end_deliveries > 0").await;
    let sending = async {
        for number in 0..200 {
            app.callback(&Push::of(&format!("meanwhile{number}"), 60).start(), 200).await;
        }
    };
    let rebuilding = async {
        for _ in 0..5 {
            differences(&app, Purpose::Replace).await;
        }
    };
    tokio::join!(sending, rebuilding);
    until(async || app.list("/v1/sessions?stream_prefix=meanwhile&limit=500").await.len() == 200).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    let left: Value =
        sqlx::query_scalar("select to_jsonb(count(*)) from pg_namespace where nspname like 'streamtally%'")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn one_rebuild_runs_at_a_time() {
    let app = TestApp::start().await;
    let mut other = app.pool.acquire().await.unwrap();
    assert!(streamtally::store::rebuild::try_lock_rebuild(&mut *other).await.unwrap());
    let refused = rebuild(&app.database.options, Purpose::Verify, |_| {}, |_| {}).await;
    assert!(matches!(refused, Err(RebuildError::Busy)), "{refused:?}");
    other.detach();
}
