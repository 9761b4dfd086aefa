//! The retry of kept rejections: what was rejected by mistake counts as if there had been no mistake.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use streamtally::platform::clock;
use streamtally::reconciler::rebuild::Purpose;
use test_support::messages::{DOMAIN, KEY, Push};
use uuid::Uuid;

use crate::folding::rebuild::differences;
use crate::helpers::{TestApp, until};
use crate::server::TestDatabase;

const OTHER_KEY: &str = "the key that was registered by mistake";

pub(super) fn domain_path(domain: &str) -> String {
    format!("/v1/domains/{domain}")
}

/// A service whose domain has another key than the provider.
pub(super) async fn start_with_wrong_key() -> TestApp {
    let app = TestApp::start_empty(TestDatabase::create().await, &["--roles", "receiver,api"]).await;
    app.put(&domain_path(DOMAIN), &json!({}), 201).await;
    app.post(&format!("{}/keys", domain_path(DOMAIN)), &json!({ "key": OTHER_KEY }), 201).await;
    app
}

async fn add_key(app: &TestApp) {
    app.post(&format!("{}/keys", domain_path(DOMAIN)), &json!({ "key": KEY }), 201).await;
}

/// The kept rejections when there are this many, newest first: they are written each second.
pub(super) async fn kept(app: &TestApp, number: usize) -> Vec<Value> {
    kept_at("/v1/rejections/kept?limit=500", app, number).await
}

/// Those of the list at this path.
async fn kept_at(path: &str, app: &TestApp, number: usize) -> Vec<Value> {
    until(async || app.list(path).await.len() == number).await;
    app.list(path).await
}

pub(super) fn of_all_time(domain: &str) -> Value {
    json!({ "domain": domain, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" })
}

async fn retry(app: &TestApp, domain: &str) -> Value {
    app.post("/v1/rejections/retry", &of_all_time(domain), 200).await
}

async fn dry_run(app: &TestApp, domain: &str) -> Value {
    let mut request = of_all_time(domain);
    request["dry_run"] = true.into();
    app.post("/v1/rejections/retry", &request, 200).await
}

fn counts(result: &Value) -> [i64; 4] {
    ["accepted", "quarantined", "rejected", "unusable"].map(|outcome| result[outcome].as_i64().unwrap())
}

pub(super) async fn run_sql(app: &TestApp, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&app.pool).await.unwrap();
}

/// Callbacks of many pushes as the provider sends them (late, repeated, out of order), and forgeries of them.
fn history(seed: u64) -> Vec<Value> {
    let mut rng = StdRng::seed_from_u64(seed);
    let now = clock::now().timestamp();
    let mut messages = Vec::new();
    for number in 0..40 {
        let push = Push::of(&format!("room{}", number % 25), rng.random_range(5..4_000));
        let expiry =
            if rng.random_bool(0.2) { now - rng.random_range(700..1_000) } else { now + rng.random_range(10..900) };
        messages.push(push.message("PUBLISH", expiry));
        if rng.random_bool(0.7) {
            messages.push(push.message("PUBLISH_DONE", expiry + rng.random_range(0..40)));
        }
        if rng.random_bool(0.1) {
            messages.push(push.message("RECORD", expiry));
        }
    }
    for _ in 0..60 {
        let mut forged = messages.choose(&mut rng).unwrap().clone();
        let text = |member: &str| forged[member].as_str().unwrap().to_owned();
        match rng.random_range(0..7) {
            0 => {}
            1 => forged["publish_timestamp"] = (now - rng.random_range(0..5_000)).to_string().into(),
            2 => {
                // A part of the stream's name becomes the end of the app's.
                let (app, stream) = (text("app"), text("stream"));
                forged["app"] = format!("{app}{}", &stream[..1]).into();
                forged["stream"] = stream[1..].into();
            }
            3 => forged["stream"] = format!("{}1", text("stream")).into(),
            4 => forged["client_ip"] = "192.0.2.99".into(),
            5 => {
                forged["event"] = "PUBLISH".into();
                forged["domain"] = format!("_DONE{DOMAIN}").into();
            }
            _ => forged["auth_timestamp"] = (forged["auth_timestamp"].as_i64().unwrap() + 1).into(),
        }
        messages.push(forged);
    }
    messages.shuffle(&mut rng);
    messages
}

/// Sends each message to both services, which may accept or reject it.
async fn send_to_both(one: &TestApp, other: &TestApp, messages: &[Value]) {
    for message in messages {
        one.try_callback_at(&one.address, message).await;
        other.try_callback_at(&other.address, message).await;
    }
}

/// When callbacks of a domain were received, in their order.
async fn times_of_receipt(app: &TestApp, domain: &str, number: usize) -> Vec<DateTime<Utc>> {
    let times = "select received_at from (
                     select received_at, domain from log_entry
                     union all select received_at, claimed_domain from kept_rejection
                 ) received where domain = $1 order by received_at";
    let read = || sqlx::query_scalar(times).bind(domain).fetch_all(&app.pool);
    until(async || read().await.unwrap().len() == number).await;
    read().await.unwrap()
}

/// Pretends that callbacks arrived at the same times as at another service.
async fn received_at_the_same_times(app: &TestApp, other: &TestApp, domain: &str, number: usize) {
    let (here, there) = (times_of_receipt(app, domain, number).await, times_of_receipt(other, domain, number).await);
    sqlx::query(
        "update kept_rejection kept set received_at = times.there
         from unnest($1::timestamptz[], $2::timestamptz[]) as times (here, there) where kept.received_at = times.here",
    )
    .bind(here)
    .bind(there)
    .execute(&app.pool)
    .await
    .unwrap();
}

fn day(from_today: i64) -> NaiveDate {
    (clock::now() + TimeDelta::days(from_today)).date_naive()
}

/// What callers see, apart from when events were recorded. `as_of` is after all of them.
async fn seen_by_callers(app: &TestApp, as_of: &str) -> Value {
    app.fold().await;
    let mut seen = json!({});
    for path in ["/v1/sessions?limit=500", "/v1/streams?limit=500"] {
        let mut rows = app.list(path).await;
        // The length of a live session depends on when it is read.
        rows.iter_mut().filter(|row| row["status"] == "live").for_each(|row| row["duration_seconds"] = Value::Null);
        seen[path] = rows.into();
    }
    for grouping in ["domain,app,stream", "domain"] {
        let path = format!("/v1/reports/push-duration?group_by={grouping}&window=hour&limit=500&as_of={as_of}");
        let path = format!("{path}&from={}T00:00:00Z&to={}T00:00:00Z", day(-1), day(2));
        seen[grouping] = app.get(&path, 200).await;
    }
    let mut events = app.list("/v1/events?limit=500").await;
    for event in &mut events {
        for member in ["event_id", "recorded_at", "retried", "key_id"] {
            event[member] = Value::Null;
        }
    }
    events.sort_by_key(|event| (event["received_at"].as_str().unwrap().to_owned(), event.to_string()));
    seen["events"] = events.into();
    seen
}

/// Compares what callers see of both, and each with a rebuild.
async fn assert_equal(mistaken: &TestApp, reference: &TestApp) {
    assert_equal_apart_from(&[], mistaken, reference).await;
}

async fn assert_equal_apart_from(different: &[&str], mistaken: &TestApp, reference: &TestApp) {
    let as_of = clock::now().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let (seen, expected) = (seen_by_callers(mistaken, &as_of).await, seen_by_callers(reference, &as_of).await);
    let members = expected.as_object().unwrap().iter();
    for (member, expected) in members.filter(|(member, _)| !different.contains(&member.as_str())) {
        if let (Some(seen), Some(expected)) = (seen[member].as_array(), expected.as_array()) {
            seen.iter().zip(expected).for_each(|(seen, expected)| assert_eq!(seen, expected));
        }
        assert_eq!(&seen[member], expected, "{member}");
    }
    assert!(!expected["/v1/sessions?limit=500"].as_array().unwrap().is_empty());
    for app in [mistaken, reference] {
        assert!(differences(app, Purpose::Verify).await.is_empty());
    }
}

#[tokio::test]
async fn after_a_wrong_key_everything_is_as_if_it_had_been_right() {
    let (mistaken, reference) = tokio::join!(start_with_wrong_key(), TestApp::start());
    let messages = history(1);
    send_to_both(&mistaken, &reference, &messages).await;
    let of_domain = messages.iter().filter(|message| message["domain"] == DOMAIN);
    // Those that the reference rejects are kept there, too.
    let number = of_domain.count();
    received_at_the_same_times(&mistaken, &reference, DOMAIN, number).await;
    assert_eq!(counts(&dry_run(&mistaken, DOMAIN).await)[..2], [0, 0]);
    add_key(&mistaken).await;
    let expected = dry_run(&mistaken, DOMAIN).await;
    assert!(mistaken.list("/v1/events").await.is_empty(), "a dry run admits none");
    let result = retry(&mistaken, DOMAIN).await;
    assert_eq!(counts(&result).iter().sum::<i64>(), i64::try_from(number).unwrap());
    assert_eq!(result["rejected"], expected["rejected"]);
    assert!(result["quarantined"].as_i64() > expected["quarantined"].as_i64(), "the log quarantines some: {result}");
    assert_equal(&mistaken, &reference).await;
    let events = mistaken.list("/v1/events?limit=500").await;
    assert!(!events.is_empty() && events.iter().all(|event| event["retried"] == true));
    let log = reference.list("/v1/events?limit=500").await;
    assert!(log.iter().all(|event| event["retried"] == false));
    kept_at(&format!("/v1/rejections/kept?limit=500&domain={DOMAIN}"), &mistaken, number - events.len()).await;
    assert_eq!(counts(&retry(&mistaken, DOMAIN).await)[..2], [0, 0], "none is admitted twice");
    assert_equal(&mistaken, &reference).await;
}

#[tokio::test]
async fn a_mistake_in_between_is_repaired_whatever_was_accepted_before_and_after() {
    let (mistaken, reference) = tokio::join!(TestApp::start(), TestApp::start());
    let keys = mistaken.get(&domain_path(DOMAIN), 200).await["keys"].clone();
    let key_path = format!("{}/keys/{}", domain_path(DOMAIN), keys[0]["key_id"].as_str().unwrap());
    let pushes: Vec<_> = (0..12).map(|number| Push::of(&format!("room{}", number % 8), 3_000 - number * 200)).collect();
    let starts: Vec<_> = pushes.iter().map(Push::start).collect();
    let ends: Vec<_> = pushes.iter().map(Push::end).collect();
    let before = [&starts[..6], &ends[..2]].concat();
    let meanwhile = [&starts[6..10], &ends[2..8], &starts[..3]].concat();
    let after = [&starts[10..], &ends[8..11], &ends[..2]].concat();
    // The times of receipt differ, so only what does not depend on them is compared.
    send_to_both(&mistaken, &reference, &before).await;
    mistaken.delete(&key_path, 204).await;
    send_to_both(&mistaken, &reference, &meanwhile).await;
    add_key(&mistaken).await;
    send_to_both(&mistaken, &reference, &after).await;
    kept(&mistaken, meanwhile.len()).await;
    let result = retry(&mistaken, DOMAIN).await;
    assert_eq!(counts(&result), [i64::try_from(meanwhile.len()).unwrap(), 0, 0, 0], "{result}");
    let facts = async |app: &TestApp| {
        app.fold().await;
        let sessions = app.list("/v1/sessions?limit=500").await;
        let fact = |session: &Value| {
            ["stream", "status", "started_at", "ended_at_source", "start_deliveries", "end_deliveries", "flags"]
                .map(|member| session[member].clone())
        };
        sessions.iter().map(fact).collect::<Vec<_>>()
    };
    assert_eq!(facts(&mistaken).await, facts(&reference).await);
}

#[tokio::test]
async fn an_unregistered_domain_gets_its_callbacks_when_it_is_registered() {
    let empty = TestApp::start_empty(TestDatabase::create().await, &["--roles", "receiver,api"]);
    let (mistaken, reference) = tokio::join!(empty, TestApp::start());
    let messages = history(2);
    send_to_both(&mistaken, &reference, &messages).await;
    let number = messages.iter().filter(|message| message["domain"] == DOMAIN).count();
    received_at_the_same_times(&mistaken, &reference, DOMAIN, number).await;
    assert_eq!(counts(&retry(&mistaken, DOMAIN).await)[..3], [0, 0, i64::try_from(number).unwrap()]);
    mistaken.put(&domain_path(DOMAIN), &json!({}), 201).await;
    add_key(&mistaken).await;
    retry(&mistaken, DOMAIN).await;
    assert_equal(&mistaken, &reference).await;
}

#[tokio::test]
async fn ends_that_expired_and_are_released_at_once_count_as_if_they_had_been_accepted() {
    let start = async |grace| TestApp::start_with(&["--roles", "receiver,api", "--signature-grace", grace]).await;
    let (mistaken, reference) = (start("1m").await, start("2h").await);
    let now = clock::now().timestamp();
    let pushes: Vec<_> = (0..60).map(|number| Push::of(&format!("room{}", number % 40), 7_200 - number * 10)).collect();
    let starts: Vec<_> = pushes.iter().map(Push::start).collect();
    let ends = pushes.iter().zip(0..).map(|(push, number)| push.message("PUBLISH_DONE", now - 3_600 + number * 50));
    send_to_both(&mistaken, &reference, &[starts, ends.collect()].concat()).await;
    let received: Vec<(Uuid, String, DateTime<Utc>)> =
        sqlx::query_as("select session_id, event, received_at from log_entry")
            .fetch_all(&reference.pool)
            .await
            .unwrap();
    for (session_id, event, received_at) in received {
        let same = sqlx::query("update log_entry set received_at = $3 where session_id = $1 and event = $2");
        same.bind(session_id).bind(event).bind(received_at).execute(&mistaken.pool).await.unwrap();
    }
    mistaken.fold().await;
    let mut request = of_all_time(DOMAIN);
    request["reason"] = "expired".into();
    let result = mistaken.post("/v1/events/release", &request, 200).await;
    assert_eq!((&result["matching"], &result["released"]), (&json!(60), &json!(60)));
    // The log of one has the quarantined ends and their releases, that of the other accepted ends.
    assert_equal_apart_from(&["events"], &mistaken, &reference).await;
    let releases = mistaken.list("/v1/audit?limit=500").await;
    assert_eq!(releases.iter().filter(|row| row["act"] == "events_released").count(), 1);
}

#[tokio::test]
async fn only_what_matches_is_retried_and_counted_by_outcome() {
    let app = start_with_wrong_key().await;
    app.put(&domain_path("apps.example.com"), &json!({ "apps": ["vod"] }), 201).await;
    app.post("/v1/domains/apps.example.com/keys", &json!({ "key": "a".repeat(32) }), 201).await;
    app.callback(&Push::of("room", 50).start(), 401).await;
    app.callback(&Push::of("late", 50).message("PUBLISH", clock::now().timestamp() - 700), 401).await;
    app.callback(&Push { key: "w".repeat(32), ..Push::of("forged", 50) }.start(), 401).await;
    let of_app = Push { domain: "apps.example.com".to_owned(), key: "a".repeat(32), ..Push::of("room", 50) };
    app.callback(&of_app.start(), 401).await;
    let rows = kept(&app, 4).await;
    add_key(&app).await;

    let result = dry_run(&app, DOMAIN).await;
    assert_eq!((counts(&result), &result["dry_run"]), ([1, 1, 1, 0], &json!(true)));
    let reasons = json!([{ "reason": "expired", "count": 1 }, { "reason": "signature_mismatch", "count": 1 }]);
    assert_eq!(result["reasons"], reasons);
    let request = |changes: Value| {
        let mut request = of_all_time(DOMAIN);
        request.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        request
    };
    let other_reason = request(json!({ "reason": "unknown_domain" }));
    assert_eq!(counts(&app.post("/v1/rejections/retry", &other_reason, 200).await), [0; 4]);
    let newest = rows.iter().find(|row| row["domain"] == DOMAIN).unwrap()["received_at"].clone();
    let before = request(json!({ "to": newest }));
    assert_eq!(counts(&app.post("/v1/rejections/retry", &before, 200).await), [1, 1, 0, 0]);
    assert_eq!(counts(&retry(&app, "apps.example.com").await), [0, 0, 1, 0]);
    app.put(&domain_path("apps.example.com"), &json!({}), 200).await;
    let with_reason = json!({ "domain": "apps.example.com", "reason": "app_not_allowed" });
    assert_eq!(counts(&app.post("/v1/rejections/retry", &request(with_reason), 200).await), [1, 0, 0, 0]);
    assert_eq!(kept(&app, 1).await[0]["cause"], "signature_mismatch");

    let audited = app.list("/v1/audit?limit=500").await;
    let retries: Vec<_> = audited.iter().filter(|row| row["act"] == "rejections_retried").collect();
    assert_eq!(retries.len(), 4, "a dry run changes nothing");
    assert_eq!(retries[0]["details"]["reason"], "app_not_allowed");
    for wrong in [
        json!({ "to": "2020-01-01T00:00:00Z" }),
        json!({ "reason": "none" }),
        json!({ "domain": "" }),
        json!({ "domain": "push\u{0}example" }),
        json!({ "from": "yesterday" }),
        json!({ "colour": "red" }),
    ] {
        app.post("/v1/rejections/retry", &request(wrong), 400).await;
    }
    app.post("/v1/rejections/retry", &json!({ "domain": DOMAIN }), 400).await;
}

#[tokio::test]
async fn retries_at_once_and_interrupted_ones_admit_each_callback_once() {
    let app = start_with_wrong_key().await;
    for number in 0..30 {
        app.callback(&Push::of(&format!("room{number}"), 50).start(), 401).await;
    }
    kept(&app, 30).await;
    add_key(&app).await;
    run_sql(&app, "create table copied as select * from kept_rejection").await;
    let results = join_all((0..4).map(|_| retry(&app, DOMAIN))).await;
    let accepted: i64 = results.iter().map(|result| counts(result)[0]).sum();
    assert_eq!(accepted, 30);
    // As if the service had been killed between the append and the removal.
    run_sql(&app, "insert into kept_rejection select * from copied").await;
    assert_eq!(counts(&retry(&app, DOMAIN).await), [0; 4]);
    kept(&app, 0).await;
    app.fold().await;
    let sessions = app.list("/v1/sessions?limit=500").await;
    assert_eq!(sessions.len(), 30);
    assert!(sessions.iter().all(|session| session["start_deliveries"] == 1));
}
