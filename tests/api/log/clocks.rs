//! A database whose clock is wrong, or was: callbacks are stored, and nothing that relies on the log's times goes on.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use streamtally::access::Actor;
use streamtally::platform::clock;
use streamtally::reconciler::clock_repair::{RepairError, find_ahead, repair};
use streamtally::reconciler::infer::{Covered, InferencePolicy};
use streamtally::reconciler::rebuild::Purpose;
use streamtally::reconciler::retention::{self, Left, drop_unused_months};
use streamtally::reconciler::run::{infer_now, retain_now};
use streamtally::store;
use streamtally::store::inference::HeadsRow;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::folding::rebuild::{differences, eventful};
use crate::helpers::{TestApp, until};
use crate::server::{TestDatabase, skipped_on_citus};

const NO_CLUSTER: &str = "an append reads the clock of its node";

/// Functions that are found before the server's own, as the search path has that of all sessions to come.
const CLOCK_OF_THE_TEST: &str = "
    create table clock_offset (ahead interval not null);
    insert into clock_offset values ('0');
    create function clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() + ahead from clock_offset';
    create function now() returns timestamptz language sql stable
        as 'select pg_catalog.now() + ahead from clock_offset';
    do $$ begin
        execute format('alter database %I set search_path = public, pg_catalog', current_database());
    end $$";

fn tolerance() -> TimeDelta {
    TimeDelta::minutes(1)
}

/// A service whose database has a clock that [`move_clock`] moves. Folds only when the test says so.
async fn start() -> TestApp {
    let database = TestDatabase::create().await;
    let mut connection = PgConnection::connect_with(&database.options).await.unwrap();
    sqlx::raw_sql(CLOCK_OF_THE_TEST).execute(&mut connection).await.unwrap();
    let app = TestApp::start_empty(database, &["--roles", "receiver,api"]).await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({}), 201).await;
    app.post(&format!("/v1/domains/{DOMAIN}/keys"), &json!({ "key": KEY }), 201).await;
    app
}

/// Makes the database's clock so many days ahead.
async fn move_clock(app: &TestApp, days: i32) {
    let ahead = "update clock_offset set ahead = make_interval(days => $1)";
    sqlx::query(ahead).bind(days).execute(&app.pool).await.unwrap();
}

async fn readiness(app: &TestApp) -> (u16, Value) {
    let answer = app.client.get(format!("{}/readyz", app.address)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn part(app: &TestApp, name: &str) -> Value {
    let (_, readiness) = readiness(app).await;
    readiness["parts"].as_array().unwrap().iter().find(|part| part["name"] == name).unwrap().clone()
}

/// A report of everything, or the reason why there is none.
async fn report(app: &TestApp, as_of: Option<&Value>, expected: u16) -> Value {
    let as_of = as_of.map(|as_of| format!("&as_of={}", as_of.as_str().unwrap())).unwrap_or_default();
    let period = "from=2020-01-01&to=2100-01-01&group_by=stream";
    app.get(&format!("/v1/reports/push-duration?{period}{as_of}"), expected).await
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {what}"))).fetch_one(pool).await.unwrap()
}

async fn partitions(app: &TestApp) -> i64 {
    count(&app.pool, "pg_inherits where inhparent = 'log_entry'::regclass").await
}

/// Nothing that relies on the log's times is done.
async fn assert_nothing_goes_on(app: &TestApp) {
    let heads = "select array_agg(recorded_at order by shard) from shard_head";
    let before: Vec<DateTime<Utc>> = sqlx::query_scalar(heads).fetch_one(&app.pool).await.unwrap();
    let (status, readiness) = readiness(app).await;
    assert_eq!(status, 503, "{readiness}");
    report(app, None, 503).await;
    let in_the_future = json!((clock::now() + TimeDelta::days(30)).format("%Y-%m-%dT%H:%M:%SZ").to_string());
    report(app, Some(&in_the_future), 503).await;
    app.post("/v1/sealed-reports", &json!({ "from": "2026-01-01", "to": "2026-02-01" }), 503).await;
    let rules =
        retention::RetentionPolicy { keep_events: Some(TimeDelta::days(31)), keep_personal: Some(TimeDelta::days(1)) };
    let retained = retain_now(&app.pool, &rules, tolerance()).await.unwrap();
    assert!(matches!(retained.left, Some(Left::WrongClock(_))), "{retained:?}");
    assert_eq!(count(&app.pool, "log_entry where blanked").await, 0);
    let rules = InferencePolicy {
        supersede_after: TimeDelta::seconds(1),
        close_unconfirmed_after: Some(TimeDelta::seconds(1)),
    };
    let mut found = HeadsRow::default();
    let mut covered = Covered::default();
    let inferred = infer_now(&app.pool, &rules, tolerance(), &mut found, &mut covered, clock::now()).await.unwrap();
    assert_eq!(inferred, 0);
    let after: Vec<DateTime<Utc>> = sqlx::query_scalar(heads).fetch_one(&app.pool).await.unwrap();
    assert_eq!(after, before, "no moment is closed");
    app.get("/v1/live", 200).await;
    app.get("/v1/sessions", 200).await;
}

#[tokio::test]
async fn while_the_databases_clock_is_in_a_month_without_a_partition_callbacks_wait_in_the_spool() {
    if skipped_on_citus(NO_CLUSTER) {
        return;
    }
    let app = start().await;
    let [before, meanwhile] = [("before", 600), ("meanwhile", 300)].map(|(stream, ago)| Push::of(stream, ago));
    app.receive(&[before.start()]).await;
    let earlier = report(&app, None, 200).await;
    let partitions_before = partitions(&app).await;

    move_clock(&app, 100).await;
    for message in [meanwhile.start(), before.end(), meanwhile.start()] {
        app.callback(&message, 200).await;
    }
    assert_eq!(part(&app, "clock").await["ready"], false);
    let state = part(&app, "clock").await["state"].as_str().unwrap().to_owned();
    assert!(state.contains("days ahead of the service's"), "{state}");
    assert!(part(&app, "spool").await["state"].as_str().unwrap().starts_with("in use: 3 callbacks"));
    assert_nothing_goes_on(&app).await;
    assert_eq!(report(&app, Some(&earlier["as_of"]), 200).await, earlier);
    assert_eq!(partitions(&app).await, partitions_before);

    move_clock(&app, 0).await;
    until(async || part(&app, "spool").await["state"] == "empty").await;
    assert_eq!(readiness(&app).await.0, 200);
    assert_eq!(count(&app.pool, "log_entry").await, 4);
    app.fold().await;
    let counted = report(&app, None, 200).await;
    let seconds = counted["totals"]["push_seconds"].as_i64().unwrap();
    assert!((900..1_000).contains(&seconds), "{counted}");
    assert_eq!(report(&app, Some(&earlier["as_of"]), 200).await, earlier);
}

#[tokio::test]
async fn a_clock_that_is_behind_removes_nothing_and_closes_no_moment() {
    if skipped_on_citus(NO_CLUSTER) {
        return;
    }
    let app = start().await;
    app.receive(&[Push::of("room", 600).start()]).await;
    move_clock(&app, -10).await;
    app.receive(&[Push::of("room", 300).start()]).await;
    let state = part(&app, "clock").await["state"].as_str().unwrap().to_owned();
    assert!(state.contains("behind"), "{state}");
    assert_nothing_goes_on(&app).await;
    move_clock(&app, 0).await;
    assert_eq!(readiness(&app).await.0, 200);
    report(&app, None, 200).await;
}

#[tokio::test]
async fn heads_that_a_wrong_clock_left_in_a_month_without_a_partition_do_not_stop_callbacks() {
    let app = TestApp::start().await;
    let ahead = clock::now() + TimeDelta::days(400);
    sqlx::query("update shard_head set recorded_at = $1").bind(ahead).execute(&app.pool).await.unwrap();
    let before = partitions(&app).await;
    for number in 0..20 {
        app.callback(&Push::of(&format!("room{number}"), 60 + number).start(), 200).await;
    }
    // On a cluster, a partition takes so long to create that callbacks wait in the spool.
    until(async || count(&app.pool, "log_entry").await == 20).await;
    assert_eq!(partitions(&app).await, before + 1);
    app.fold().await;
    let state = part(&app, "clock").await["state"].as_str().unwrap().to_owned();
    assert!(state.starts_with("the log reaches 399 days") && state.contains("repair-clock"), "{state}");
    assert_nothing_goes_on(&app).await;
    assert_eq!(app.list("/v1/sessions?limit=500").await.len(), 20);

    repair_clock(&app).await;
    assert_eq!(partitions(&app).await, before, "the empty month is dropped");
    assert_eq!(readiness(&app).await.0, 200);
}

/// Repairs as the command does; how many events were moved.
async fn repair_clock(app: &TestApp) -> i64 {
    let actor = Actor { name: "an operator".to_owned(), token_id: None };
    let ahead = repair(&app.pool, &actor, tolerance()).await.unwrap().expect("something lies ahead");
    // Of sessions that began before the log does, this is all that is done.
    assert_nothing_lies_ahead(app).await;
    drop_unused_months(&app.pool, clock::now()).await.unwrap();
    app.fold().await;
    differences(app, Purpose::Replace).await;
    let acts = app.list("/v1/audit").await;
    assert_eq!((&acts[0]["act"], &acts[0]["actor"]), (&json!("clock_repaired"), &json!("an operator")));
    assert_eq!(acts[0]["details"]["events"], ahead.events.events);
    ahead.events.events
}

/// Neither in the log nor in what is folded of it.
async fn assert_nothing_lies_ahead(app: &TestApp) {
    for ahead in [
        "log_entry where recorded_at > now()",
        "shard_head where recorded_at > now()",
        "fold_progress where recorded_at > now()",
        "stream_session where greatest(seen_at, outcome_at, last_recorded_at) > now()",
        "session_outcome where known_until > now()",
        "(select recorded_at < lag(recorded_at) over (partition by shard order by position) as back from log_entry) steps
         where back",
    ] {
        assert_eq!(count(&app.pool, ahead).await, 0, "{ahead}");
    }
}

/// Each event by its place in the log.
async fn places(app: &TestApp) -> Vec<(i16, i64, uuid::Uuid)> {
    let select = "select shard, position, event_id from log_entry order by shard, position";
    sqlx::query_as(select).fetch_all(&app.pool).await.unwrap()
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_recorded_is_moved_to_the_present() {
    if skipped_on_citus(NO_CLUSTER) {
        return;
    }
    let app = start().await;
    eventful(&app).await;
    let [kept, ended] = [("kept", 700), ("ended", 650)].map(|(stream, ago)| Push::of(stream, ago));
    app.receive(&[kept.start(), ended.start()]).await;
    let earlier = report(&app, None, 200).await;

    move_clock(&app, 40).await;
    // Every kind of event again, about sessions that are there and new ones.
    app.receive(&[ended.end(), Push::of("new", 600).start(), ended.end()]).await;
    app.callback(&Push::of("late", 500).message("PUBLISH", clock::now().timestamp() - 700), 200).await;
    let session = app.session("stream=kept").await["session_id"].as_str().unwrap().to_owned();
    let end = json!({ "ended_at": app.session("stream=kept").await["started_at"], "reason": "seen" });
    app.post(&format!("/v1/sessions/{session}/end"), &end, 200).await;
    let mut connection = app.pool.acquire().await.unwrap();
    let differs = find_ahead(&mut connection, tolerance()).await;
    assert!(matches!(differs, Err(RepairError::WrongClock(_))), "the present is not known");

    move_clock(&app, 0).await;
    app.receive(&[Push::of("kept", 100).start()]).await;
    assert_nothing_goes_on(&app).await;
    assert_eq!(report(&app, Some(&earlier["as_of"]), 200).await, earlier);
    let sessions = app.list("/v1/sessions?limit=500").await.len();
    assert_eq!(paged_sessions(&app, "").await, sessions);
    assert_eq!(paged_sessions(&app, "&min_duration_seconds=0").await, sessions);
    // Not all of it is folded.
    app.callback(&Push::of("ended", 90).start(), 200).await;
    let before = places(&app).await;
    let ahead = find_ahead(&mut connection, tolerance()).await.unwrap().unwrap();
    assert_eq!(ahead.events.events, count(&app.pool, "log_entry where recorded_at > now()").await);

    assert!(repair_clock(&app).await >= 5);
    assert_eq!(find_ahead(&mut connection, tolerance()).await.unwrap(), None);
    assert_eq!(places(&app).await, before);
    assert_nothing_lies_ahead(&app).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    assert_eq!(readiness(&app).await.0, 200);
    assert_eq!(report(&app, Some(&earlier["as_of"]), 200).await, earlier);

    // And all goes on.
    app.receive(&[Push::of("after", 60).start(), Push::of("new", 600).end()]).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    let counted = report(&app, None, 200).await;
    let most = counted["data"].as_array().unwrap().iter().map(|row| row["push_seconds"].as_i64().unwrap()).max();
    assert!(most < Some(3_000), "{counted}");
    assert_eq!(paged_sessions(&app, "").await, app.list("/v1/sessions?limit=500").await.len());
}

/// How many sessions there are when they are listed one a page.
async fn paged_sessions(app: &TestApp, filters: &str) -> usize {
    let (mut sessions, mut cursor) = (0, String::new());
    loop {
        let page = app.get(&format!("/v1/sessions?limit=1{filters}{cursor}"), 200).await;
        sessions += page["data"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return sessions,
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_right_leaves_nothing_to_repair() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 600).start()]).await;
    let actor = Actor { name: "an operator".to_owned(), token_id: None };
    assert_eq!(repair(&app.pool, &actor, tolerance()).await.unwrap(), None);
    assert!(app.list("/v1/audit").await.iter().all(|act| act["act"] != "clock_repaired"));
}

#[tokio::test]
async fn what_lacks_a_partition_is_no_bad_value_and_what_breaks_a_check_is() {
    let app = TestApp::start().await;
    let insert = |recorded_at: &str, publish_timestamp: i64| {
        let statement = format!(
            "insert into log_entry (shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream,
                 publish_timestamp, origin, event, disposition)
             values (0, 1, {recorded_at}, now(), gen_random_uuid(), gen_random_uuid(), '', '', '', {publish_timestamp},
                 'operator', 'X', 'accepted')"
        );
        let pool = app.pool.clone();
        async move { sqlx::query(AssertSqlSafe(statement)).execute(&pool).await.unwrap_err() }
    };
    let error = insert("now() + interval '10 years'", 1).await;
    assert!(store::lacks_partition(&error) && store::is_transient(&error) && !store::is_data_error(&error), "{error}");
    let error = insert("now()", -1).await;
    assert!(!store::lacks_partition(&error) && !store::is_transient(&error) && store::is_data_error(&error), "{error}");
}
