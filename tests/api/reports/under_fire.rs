//! Reports of one moment, taken again and again while everything that can change goes on changing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::model::event::{Origin, Signature};
use streamtally::platform::clock;
use streamtally::store;
use test_support::messages::Push;

use crate::helpers::{TestApp, append_entries, until};

/// The bytes of an answer.
async fn bytes(app: &TestApp, token: &str, path: &str) -> Vec<u8> {
    let request = app.client.get(format!("{}{path}", app.address)).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

/// A path for each kind of report of a day, as of a moment.
fn paths(as_of: DateTime<Utc>) -> Vec<String> {
    let time = |time: DateTime<Utc>, format| time.to_rfc3339_opts(format, true);
    let (from, to) = (as_of - TimeDelta::days(1), as_of + TimeDelta::days(1));
    let period = format!("from={}&to={}", time(from, SecondsFormat::Secs), time(to, SecondsFormat::Secs));
    let period = format!("{period}&as_of={}", time(as_of, SecondsFormat::Micros));
    vec![
        format!("/v1/reports/push-duration?{period}&window=hour&group_by=domain,app,stream&limit=7"),
        format!("/v1/reports/push-duration?{period}&window=day&format=csv&group_by=stream&renditions=include"),
        format!("/v1/reports/push-duration/sessions?{period}&limit=500"),
        format!("/v1/reports/concurrency?{period}&step=1h"),
    ]
}

/// Sends starts, ends and late messages, sets and withdraws ends, releases quarantine.
async fn disturb(app: &TestApp, number: i64) {
    let push = Push::of(&format!("room{}", number % 7), 400 + number % 90);
    app.callback(&push.start(), 200).await;
    app.callback(&Push::of("late", 900 + number).message("PUBLISH", clock::now().timestamp() - 700), 200).await;
    if number % 2 == 0 {
        app.callback(&push.end(), 200).await;
    }
    let quarantined = app.get("/v1/events?disposition=quarantined&limit=3", 200).await;
    for event in quarantined["data"].as_array().unwrap().iter().filter(|event| event["released_at"].is_null()).take(1) {
        app.post(&format!("/v1/events/{}/release", event["event_id"].as_str().unwrap()), &json!({}), 200).await;
    }
    let sessions = app.get("/v1/sessions?limit=20", 200).await;
    let sessions = sessions["data"].as_array().unwrap();
    if let Some(session) = sessions.get(usize::try_from(number * 7 % 20).unwrap()) {
        let path = format!("/v1/sessions/{}/end", session["session_id"].as_str().unwrap());
        let ended_at = session["started_at"].as_str().unwrap();
        app.post(&path, &json!({ "ended_at": ended_at, "reason": "under fire" }), 200).await;
        if number % 3 == 0 {
            app.post(&path, &json!({ "ended_at": Value::Null, "reason": "under fire" }), 200).await;
        }
    }
}

#[tokio::test]
async fn a_report_of_one_moment_is_the_same_to_the_byte_whatever_comes_meanwhile() {
    let app = TestApp::start_with(&[]).await;
    let billing = app.make_token(&["billing"], None).await;
    for number in 0..20 {
        disturb(&app, number).await;
    }
    let (done, reports) = (AtomicBool::new(false), AtomicUsize::new(0));
    let writing = async {
        let mut number = 20;
        while number < 90 || reports.load(Ordering::Relaxed) < 20 {
            disturb(&app, number).await;
            number += 1;
        }
        done.store(true, Ordering::Relaxed);
    };
    let reporting = async {
        let mut taken: Vec<(String, Vec<u8>)> = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let first =
                app.with_token(&billing).get("/v1/reports/push-duration?from=2026-01-01&to=2026-01-02", 200).await;
            for path in paths(first["as_of"].as_str().unwrap().parse().unwrap()) {
                let body = bytes(&app, &billing, &path).await;
                taken.push((path, body));
                reports.fetch_add(1, Ordering::Relaxed);
            }
            for (path, body) in taken.iter().rev().step_by(3).take(8) {
                assert_eq!(bytes(&app, &billing, path).await, *body, "{path}");
            }
        }
        taken
    };
    let ((), taken) = tokio::join!(writing, reporting);
    let distinct: std::collections::BTreeSet<_> = taken.iter().map(|(_, body)| body).collect();
    assert!(distinct.len() * 2 > taken.len(), "reports of different moments differ");
    for (path, body) in &taken {
        assert_eq!(bytes(&app, &billing, path).await, *body, "{path}");
    }
}

#[tokio::test]
async fn a_report_waits_for_what_is_being_appended_and_for_its_folding() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&[push.start()]).await;
    let period = "from=2026-01-01&to=2099-01-01";
    let sessions = async |path: &str| {
        app.get(&format!("/v1/reports/push-duration?{path}"), 200).await["totals"]["sessions"].clone()
    };

    // A writer that has taken its place in the log, and does not commit.
    let key = super::ledger::push(&push.domain, "live", "slow", push.publish_timestamp);
    let shard = key.stream.shard(16);
    let row = store::log::NewEntryRow {
        signature: Some(Signature::Unsigned),
        ..store::log::NewEntryRow::internal(
            shard,
            key.id().0,
            key.stream,
            key.publish_timestamp,
            Origin::Provider,
            "PUBLISH",
            clock::now(),
        )
    };
    let mut slow = app.pool.begin().await.unwrap();
    append_entries(&mut *slow, &[row], clock::now()).await.unwrap();
    let report = sessions(period);
    let commit = async {
        app.wait_for_a_blocked_statement().await;
        slow.commit().await.unwrap();
        // The report has closed its moment now, and waits until this is folded.
        until(async || {
            let closed = "select (select min(recorded_at) from shard_head) > (select max(recorded_at) from log_entry)";
            sqlx::query_scalar(closed).fetch_one(&app.pool).await.unwrap()
        })
        .await;
        app.fold().await;
    };
    let (sessions, ()) = tokio::join!(report, commit);
    assert_eq!(sessions, 2);
}

#[tokio::test]
async fn nothing_is_recorded_at_a_closed_moment_whatever_the_clock_does() {
    let app = TestApp::start().await;
    let mut ledger = super::ledger::Ledger::new(&app);
    let key = super::ledger::push("push.example.com", "live", "room", 1_700_000_000);
    ledger.say_each(&[(key.clone(), super::ledger::Say::Start)]).await;
    // As if the database's clock had been ahead, by no more than is tolerated.
    let ahead = clock::now() + TimeDelta::seconds(50);
    sqlx::query("update shard_head set recorded_at = $1").bind(ahead).execute(&app.pool).await.unwrap();
    let period = "from=2023-11-14&to=2023-11-16&group_by=stream";
    let first = app.get(&format!("/v1/reports/push-duration?{period}"), 200).await;
    let as_of: DateTime<Utc> = first["as_of"].as_str().unwrap().parse().unwrap();
    assert!(as_of >= ahead - TimeDelta::seconds(1));
    ledger.say_each(&[(key, super::ledger::Say::End(1_700_000_100))]).await;
    assert!(ledger.said[1].recorded_at > as_of);
    let as_of = as_of.to_rfc3339_opts(SecondsFormat::Micros, true);
    let again = app.get(&format!("/v1/reports/push-duration?{period}&as_of={as_of}"), 200).await;
    assert_eq!(again, first);
    assert_ne!(app.get(&format!("/v1/reports/push-duration?{period}"), 200).await["data"], first["data"]);
}
