//! All callbacks that were quarantined for one reason are released together.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::{ADMIN_TOKEN, HOLD_LOG, TestApp};

const PATH: &str = "/v1/events/release";

/// A start that is too late to count by itself.
fn late(stream: &str) -> Value {
    Push::of(stream, 1_000).message("PUBLISH", clock::now().timestamp() - 700)
}

/// Sends late starts of streams with this prefix.
async fn quarantine(app: &TestApp, prefix: &str, number: usize) {
    for one in 0..number {
        app.callback(&late(&format!("{prefix}-{one}")), 200).await;
    }
}

/// Everything that expired of the domain, whenever it was received.
fn expired() -> Value {
    json!({ "domain": DOMAIN, "reason": "expired", "from": "2026-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z" })
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

async fn releases(app: &TestApp) -> Vec<Value> {
    app.list("/v1/events?disposition=released&limit=500").await
}

fn counts(answer: &Value) -> (bool, i64, i64) {
    (answer["dry_run"].as_bool().unwrap(), answer["matching"].as_i64().unwrap(), answer["released"].as_i64().unwrap())
}

#[tokio::test]
async fn a_bulk_release_releases_what_was_quarantined_for_its_reason_in_its_period_and_nothing_else() {
    let app = TestApp::start().await;
    let other_domain = "push.other.example.com";
    app.put(&format!("/v1/domains/{other_domain}"), &json!({ "signature": "none" }), 201).await;
    let path = app.post(&format!("/v1/domains/{other_domain}/callback-token"), &json!({}), 201).await;
    quarantine(&app, "before", 1).await;
    quarantine(&app, "room", 20).await;
    let far = Push::of("far", 200_000).message("PUBLISH", clock::now().timestamp() + 60);
    app.callback(&far, 200).await;
    let old = Push { domain: other_domain.to_owned(), ..Push::of("old", 90 * 86_400) }.end();
    app.callback_to(path["callback_path"].as_str().unwrap(), old.to_string(), 200).await;
    app.callback(&Push::of("counts", 5).start(), 200).await;
    app.fold().await;
    let quarantined = app.list("/v1/events?reason=expired&limit=500").await;
    let (before, rest) = quarantined.split_last().unwrap();
    let single = format!("/v1/events/{}/release", rest[0]["event_id"].as_str().unwrap());
    app.post(&single, &json!({}), 200).await;

    let asked =
        with(with(expired(), "from", rest.last().unwrap()["received_at"].clone()), "note", "our clock was wrong");
    let answer = app.post(PATH, &with(asked.clone(), "dry_run", true), 200).await;
    assert_eq!(counts(&answer), (true, 19, 0));
    assert_eq!(releases(&app).await.len(), 1);
    let acts = app.list("/v1/audit").await;
    let answer = app.post(PATH, &asked, 200).await;
    assert_eq!(counts(&answer), (false, 19, 19));
    let answer = app.post(PATH, &asked, 200).await;
    assert_eq!(counts(&answer), (false, 0, 0));
    assert_eq!(app.list("/v1/audit").await.len(), acts.len() + 1, "what releases nothing is no act");

    let released = releases(&app).await;
    assert_eq!(released.len(), 20);
    for release in released.iter().filter(|release| release["original_event_id"] != rest[0]["event_id"]) {
        assert_eq!((&release["event"], &release["reason"]), (&json!("RELEASED"), &json!("expired")));
        assert_eq!((&release["actor"], &release["note"]), (&json!("administrator"), &json!("our clock was wrong")));
    }
    let waiting = app.list("/v1/events?disposition=quarantined&limit=500").await;
    let waiting: Vec<_> = waiting.iter().filter(|event| event["released_at"].is_null()).collect();
    assert_eq!(waiting.len(), 3);
    assert!(waiting.iter().any(|event| event["event_id"] == before["event_id"]));
    app.fold().await;
    assert_eq!(app.list("/v1/sessions?limit=500&status=live").await.len(), 21);
    let session = app.session("stream=room-0").await;
    let original = rest.last().unwrap();
    assert_eq!(session["start_received_at"], original["received_at"]);
}

#[tokio::test]
async fn a_bulk_release_keeps_the_order_of_receipt_within_a_shard() {
    let app = TestApp::start().await;
    quarantine(&app, "room", 120).await;
    app.post(PATH, &expired(), 200).await;
    let rows: Vec<(i16, i64, chrono::DateTime<chrono::Utc>)> = sqlx::query_as(
        "select shard, position, original_received_at from log_entry where event = 'RELEASED' order by shard, position",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), 120);
    for pair in rows.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        assert!(pair[0].2 < pair[1].2, "{pair:?}");
        assert_eq!(pair[0].1 + 1, pair[1].1);
    }
}

#[tokio::test]
async fn bulk_releases_and_single_ones_at_once_release_each_event_once() {
    let app = TestApp::start().await;
    quarantine(&app, "room", 60).await;
    let events = app.list("/v1/events?disposition=quarantined&limit=500").await;
    let url = |path: &str| format!("{}{path}", app.address);
    let bulk = (0..3).map(|_| {
        let request = app.client.post(url(PATH)).bearer_auth(ADMIN_TOKEN).body(expired().to_string());
        async move { request.send().await.unwrap().json::<Value>().await.unwrap()["released"].as_u64().unwrap() }
    });
    let single = events.iter().step_by(20).map(|event| {
        let path = format!("/v1/events/{}/release", event["event_id"].as_str().unwrap());
        let request = app.client.post(url(&path)).bearer_auth(ADMIN_TOKEN).body("{}");
        async move { u64::from(request.send().await.unwrap().status() == 200) }
    });
    let (bulk, single) = tokio::join!(join_all(bulk), join_all(single));
    assert_eq!(bulk.iter().chain(&single).sum::<u64>(), 60, "{bulk:?} {single:?}");
    assert_eq!(releases(&app).await.len(), 60);
    app.fold().await;
    let sessions = app.list("/v1/sessions?limit=500").await;
    assert_eq!(sessions.len(), 60);
    for session in sessions {
        assert_eq!((&session["start_deliveries"], &session["flags"]), (&json!(1), &json!([])));
    }
}

#[tokio::test]
async fn after_an_interrupted_bulk_release_another_releases_the_rest() {
    let app = TestApp::start().await;
    quarantine(&app, "room", 40).await;
    // The last shard is not free until the caller has left.
    let mut held = app.pool.begin().await.unwrap();
    let last = "select max(shard) from log_entry";
    let last: i16 = sqlx::query_scalar(last).fetch_one(&mut *held).await.unwrap();
    let statement = format!("set local idle_in_transaction_session_timeout = 0; {HOLD_LOG} where shard = {last}");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *held).await.unwrap();
    let body = expired().to_string();
    app.send_and_leave(Method::POST, PATH, &body, app.wait_for_a_blocked_statement()).await;
    let before = releases(&app).await.len();
    assert!((1..40).contains(&before), "{before}");
    held.rollback().await.unwrap();
    let answer = app.post(PATH, &expired(), 200).await;
    assert!(answer["matching"].as_u64().unwrap() <= 40 - before as u64, "{answer}");
    assert_eq!(releases(&app).await.len(), 40);
}

#[tokio::test]
async fn a_bulk_release_that_is_asked_for_wrongly_is_rejected_and_only_administrators_release() {
    let app = TestApp::start().await;
    quarantine(&app, "room", 2).await;
    for (body, name) in [
        (with(expired(), "reason", "late"), "reason"),
        (with(expired(), "from", "2026-01-01"), "from"),
        (with(expired(), "to", "2026-01-01T00:00:00Z"), "to"),
        (with(expired(), "note", "x".repeat(501)), "note"),
        (with(expired(), "note", "a\nb"), "note"),
        (with(expired(), "domain", ""), "domain"),
        (with(expired(), "domain", "a\0b"), "domain"),
        (with(expired(), "dry_run", "yes"), "dry_run"),
        (with(expired(), "colour", "red"), "colour"),
        (json!({ "domain": DOMAIN, "reason": "expired" }), "body"),
    ] {
        let problem = app.post(PATH, &body, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], name, "{body}");
    }
    let answer = app.post(PATH, &with(expired(), "domain", "nowhere.example.com"), 200).await;
    assert_eq!(counts(&answer), (false, 0, 0));
    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    app.with_token(&reader).send(Method::POST, PATH, Some(&expired()), 403).await;
    assert!(releases(&app).await.is_empty());
}
