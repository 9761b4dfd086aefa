//! How long the log is kept; and that all else goes on as if nothing had gone.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, FromRow};
use streamtally::platform::clock;
use streamtally::reconciler::rebuild::Purpose;
use streamtally::reconciler::retention::{Left, Retained, RetentionPolicy, retain};
use streamtally::reconciler::{self, StepResult};
use streamtally::store;
use streamtally::store::retention::HorizonRow;
use test_support::messages::Push;

use crate::folding::rebuild::{differences, eventful, sql};
use crate::helpers::{TestApp, until};
use crate::server::shards_a_transaction;

const KEEP_31_DAYS: RetentionPolicy = RetentionPolicy { keep_events: Some(TimeDelta::days(31)), keep_personal: None };

/// Makes all that was recorded so many days older.
pub async fn age(app: &TestApp, days: i64) {
    let oldest: Option<DateTime<Utc>> = value(app, "select min(recorded_at) from log_entry").await;
    let mut month = first_of_month(oldest.unwrap_or_else(clock::now) - TimeDelta::days(days));
    while month <= clock::now().date_naive() {
        let mut connection = app.pool.acquire().await.unwrap();
        if !store::partition::has_log_partition(&mut *connection, month).await.unwrap() {
            store::partition::create_log_partition(&mut connection, month).await.unwrap();
        }
        month = month + Months::new(1);
    }
    for (table, columns) in [
        ("log_entry", &["recorded_at"] as &[_]),
        ("shard_head", &["recorded_at"]),
        ("fold_progress", &["recorded_at"]),
        ("log_horizon", &["recorded_at"]),
        ("stream_session", &["last_recorded_at", "seen_at", "outcome_at"]),
        ("session_outcome", &["known_from", "known_until"]),
    ] {
        // In a zone of its own: a cluster refuses what its nodes could understand differently.
        let earlier =
            |column| format!("{column} = ({column} at time zone 'UTC' - interval '{days} days') at time zone 'UTC'");
        let earlier: Vec<_> = columns.iter().map(earlier).collect();
        sql(app, &format!("update {table} set {} where {} > 'epoch'", earlier.join(", "), columns[0])).await;
    }
}

fn first_of_month(time: DateTime<Utc>) -> NaiveDate {
    NaiveDate::from_ymd_opt(time.year(), time.month(), 1).unwrap()
}

pub async fn retain_now(app: &TestApp, rules: RetentionPolicy) -> Retained {
    let now = store::partition::get_database_time(&app.pool).await.unwrap();
    retain(&app.pool, &rules, now).await.unwrap()
}

pub async fn value<T>(app: &TestApp, query: &str) -> T
where
    (T,): for<'r> FromRow<'r, sqlx::postgres::PgRow>,
    T: Send + Unpin,
{
    sqlx::query_as::<_, (T,)>(AssertSqlSafe(query)).fetch_one(&app.pool).await.unwrap().0
}

pub async fn entries(app: &TestApp) -> i64 {
    value(app, "select count(*) from log_entry").await
}

pub async fn horizons(app: &TestApp) -> Vec<HorizonRow> {
    store::retention::list_horizons(&app.pool).await.unwrap()
}

async fn months(app: &TestApp) -> Vec<NaiveDate> {
    store::partition::list_log_months(&app.pool).await.unwrap()
}

/// All that is in the tables that retention may change.
pub async fn everything(app: &TestApp) -> Value {
    value(
        app,
        "select jsonb_build_array(
             (select jsonb_agg(e order by shard, position) from log_entry e),
             (select jsonb_agg(s order by session_id) from stream_session s),
             (select jsonb_agg(h order by shard) from log_horizon h))",
    )
    .await
}

/// Sessions and streams as callers see them, but for what grows with the time of asking and for what is personal.
pub async fn shown(app: &TestApp) -> (Vec<Value>, Vec<Value>) {
    let mut sessions = app.list("/v1/sessions?limit=500").await;
    for session in &mut sessions {
        for member in ["duration_seconds", "client_ip", "node_ip", "user_args"] {
            session.as_object_mut().unwrap().remove(member);
        }
    }
    (sessions, app.list("/v1/streams?limit=500").await)
}

/// A message that is quarantined, because its signature expired long ago.
pub fn late(push: &Push) -> Value {
    push.message("PUBLISH", clock::now().timestamp() - 700 - push.publish_timestamp % 1_000)
}

pub async fn release_all(app: &TestApp) {
    for event in app.list("/v1/events?disposition=quarantined&limit=500").await {
        if event["released_at"].is_null() {
            app.post(&format!("/v1/events/{}/release", event["event_id"].as_str().unwrap()), &json!({}), 200).await;
        }
    }
}

async fn shard_of(app: &TestApp, stream: &str) -> i16 {
    value(app, &format!("select shard from log_entry where stream = '{stream}' limit 1")).await
}

#[tokio::test]
async fn old_months_are_dropped_and_the_horizon_is_where_they_ended() {
    let app = TestApp::start().await;
    eventful(&app).await;
    app.fold().await;
    let old = entries(&app).await;
    let ended: Vec<(i16, i64)> =
        sqlx::query_as("select shard, max(position) from log_entry group by shard order by shard")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    age(&app, 70).await;
    let old_months = months(&app).await.into_iter().filter(|month| *month < first_of_month(clock::now()));
    let old_months = old_months.collect::<Vec<_>>();
    app.receive(&[Push::of("room1", 50).start()]).await;
    let retained = retain_now(&app, KEEP_31_DAYS).await;
    assert_eq!((retained.redacted, retained.left), (old, None));
    assert_eq!(retained.dropped[..], old_months[..retained.dropped.len()]);
    assert!(retained.dropped.contains(&first_of_month(clock::now() - TimeDelta::days(70))));
    assert!(
        retained
            .dropped
            .iter()
            .all(|month| *month + Months::new(1) <= (clock::now() - TimeDelta::days(31)).date_naive())
    );
    assert!(months(&app).await.iter().all(|month| !retained.dropped.contains(month)));
    assert_eq!(entries(&app).await, 1);
    let horizons: Vec<(i16, i64)> = horizons(&app)
        .await
        .iter()
        .inspect(|horizon| assert_eq!(horizon.position, horizon.personal_position))
        .filter(|horizon| horizon.position > 0)
        .map(|horizon| (horizon.shard, horizon.position))
        .collect();
    assert_eq!(horizons, ended);
}

#[tokio::test]
async fn the_newest_month_that_holds_anything_is_never_dropped_nor_are_those_after_it() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 70).await;
    let in_ten_years = clock::now() + TimeDelta::days(3_650);
    let before = months(&app).await;
    for now in [clock::now(), in_ten_years] {
        assert_eq!(retain(&app.pool, &KEEP_31_DAYS, now).await.unwrap().dropped, []);
    }
    assert_eq!(months(&app).await, before);
    assert_eq!(entries(&app).await, 1);
    app.receive(&[Push::of("room", 50).start()]).await;
    let retained = retain(&app.pool, &KEEP_31_DAYS, in_ten_years).await.unwrap();
    assert_eq!(retained.dropped[0], before[0]);
    assert_eq!(months(&app).await[0], first_of_month(clock::now()));
    assert_eq!(entries(&app).await, 1);
}

#[tokio::test]
async fn an_empty_log_is_left_as_it_is() {
    let app = TestApp::start().await;
    age(&app, 100).await;
    let before = months(&app).await;
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await, Retained::default());
    assert_eq!(months(&app).await, before);
}

#[tokio::test]
async fn what_is_kept_for_ever_is_not_touched() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 3_000).await;
    app.receive(&[Push::of("room", 50).start()]).await;
    let before = everything(&app).await;
    assert!(RetentionPolicy::default().keep_all());
    assert_eq!(retain_now(&app, RetentionPolicy::default()).await, Retained::default());
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_month_that_is_not_folded_stays_and_so_do_all_after_it() {
    let app = TestApp::start().await;
    app.callback(&Push::of("unfolded", 60).start(), 200).await;
    let unfolded = shard_of(&app, "unfolded").await;
    age(&app, 40).await;
    for number in 0..20 {
        app.callback(&Push::of(&format!("room{number}"), 60).start(), 200).await;
    }
    age(&app, 70).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    let others: Vec<i16> = (0..16).filter(|shard| *shard != unfolded).collect();
    for shards in others.chunks(shards_a_transaction()) {
        while reconciler::step(&app.pool, shards, 100).await.unwrap() != StepResult::default() {}
    }
    let retained = retain_now(&app, KEEP_31_DAYS).await;
    assert_eq!(retained.left, Some(Left::NotFolded));
    // Nothing is in the months before it.
    assert!(retained.dropped.iter().all(|month| *month < first_of_month(clock::now() - TimeDelta::days(110))));
    assert_eq!(entries(&app).await, 22);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    app.fold().await;
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await.left, None);
    assert_eq!(entries(&app).await, 1);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
}

#[tokio::test]
async fn sessions_and_streams_outlive_their_events() {
    let app = TestApp::start().await;
    eventful(&app).await;
    app.fold().await;
    let before = shown(&app).await;
    age(&app, 70).await;
    app.receive(&[Push::of("another", 50).start()]).await;
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await.left, None);
    let (mut sessions, mut streams) = shown(&app).await;
    sessions.retain(|session| session["stream"] != "another");
    streams.retain(|stream| stream["stream"] != "another");
    assert_eq!((&sessions, &streams), (&before.0, &before.1));
    for session in sessions {
        let path = format!("/v1/sessions/{}", session["session_id"].as_str().unwrap());
        assert_eq!(app.get(&path, 200).await["status"], session["status"]);
        assert_eq!(app.list(&format!("{path}/events")).await, Vec::<Value>::new());
    }
    for stream in streams {
        app.get(&format!("/v1/streams/{}", stream["stream_id"].as_str().unwrap()), 200).await;
    }
}

#[tokio::test]
async fn what_comes_later_about_an_old_session_is_folded_into_it_and_differs_from_nothing() {
    let app = TestApp::start().await;
    let (push, other) = (Push::of("room", 900), Push::of("other", 900));
    app.receive(&[push.start(), other.start(), late(&Push::of("late", 900)), late(&other)]).await;
    // The release outlives the message that it lets count.
    age(&app, 40).await;
    release_all(&app).await;
    app.receive(&[]).await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 30).start()]).await;
    let keep = RetentionPolicy { keep_events: Some(TimeDelta::days(79)), keep_personal: None };
    assert_eq!(retain_now(&app, keep).await.left, None);
    assert_eq!(app.list("/v1/events").await.len(), 3);
    assert_eq!(differences(&app, Purpose::Verify).await, []);

    app.receive(&[push.end(), push.end(), other.start(), late(&push), Push::of("new", 60).start()]).await;
    release_all(&app).await;
    let path = format!("/v1/sessions/{}/end", app.session("stream=other").await["session_id"].as_str().unwrap());
    app.post(&path, &json!({ "ended_at": null, "reason": "of nothing" }), 409).await;
    let ended_at = DateTime::from_timestamp(other.publish_timestamp + 10, 0).unwrap();
    app.post(&path, &json!({ "ended_at": ended_at, "reason": "seen" }), 200).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    app.fold().await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    let before = shown(&app).await;
    assert_eq!(differences(&app, Purpose::Replace).await, []);
    assert_eq!(shown(&app).await, before);
    let session = app.session(&format!("stream=room&publish_timestamp={}", push.publish_timestamp)).await;
    assert_eq!((&session["status"], &session["end_deliveries"]), (&json!("ended"), &json!(2)));
    assert_eq!(app.session("stream=other").await["ended_at_source"], "operator");

    // Then all of that is old, too, up to the end of its month.
    age(&app, 79 + 31).await;
    app.receive(&[Push::of("room", 20).start()]).await;
    assert_eq!(retain_now(&app, keep).await.left, None);
    assert_eq!(app.list("/v1/events").await.len(), 1);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    // An operator can take back what the log no longer says.
    app.post(&path, &json!({ "ended_at": null, "reason": "mistaken" }), 200).await;
    app.fold().await;
    assert_eq!(app.session("stream=other").await["status"], "live");
    app.post(&path, &json!({ "ended_at": null, "reason": "again" }), 409).await;
    assert_eq!(differences(&app, Purpose::Verify).await, []);
}

#[tokio::test]
async fn what_the_log_still_says_is_put_right_and_the_rest_is_kept() {
    let app = TestApp::start().await;
    eventful(&app).await;
    app.fold().await;
    age(&app, 70).await;
    app.receive(&[Push::of("room1", 800).start(), Push::of("new", 60).start(), Push::of("newer", 60).start()]).await;
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await.left, None);
    release_all(&app).await;
    app.fold().await;
    let before = shown(&app).await;

    // What it says: new sessions, and the streams of all that there are.
    sql(&app, "update stream_session set start_deliveries = 9 where stream = 'new'").await;
    sql(&app, "delete from stream_session where stream = 'newer'").await;
    assert_eq!(sql(&app, "delete from stream where stream in ('new', 'newer', 'room2')").await, 3);
    assert_eq!(differences(&app, Purpose::Verify).await.len(), 5);
    assert_eq!(differences(&app, Purpose::Replace).await.len(), 5);
    assert_eq!(shown(&app).await, before);

    // What it does not say: anything else about old ones.
    let old = "stream = 'room3' and ended_at_source = 'superseded'";
    assert_eq!(sql(&app, &format!("update stream_session set start_deliveries = 9 where {old}")).await, 1);
    assert_eq!(differences(&app, Purpose::Replace).await, []);
    assert_eq!(app.session("stream=room3&ended_at_source=superseded").await["start_deliveries"], 9);
}

#[tokio::test]
async fn of_an_old_session_that_was_lost_the_log_gives_what_it_has() {
    let app = TestApp::start().await;
    let (released, pushed) = (Push::of("released", 900), Push::of("pushed", 900));
    app.receive(&[late(&released), late(&released), pushed.start()]).await;
    age(&app, 40).await;
    release_all(&app).await;
    app.receive(&[pushed.end()]).await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 30).start()]).await;
    let keep = RetentionPolicy { keep_events: Some(TimeDelta::days(79)), keep_personal: None };
    assert_eq!(retain_now(&app, keep).await.left, None);
    sql(&app, "delete from stream_session where stream in ('released', 'pushed')").await;
    assert_eq!(differences(&app, Purpose::Replace).await.len(), 2);
    assert_eq!(differences(&app, Purpose::Verify).await, []);
    let released = app.session("stream=released").await;
    assert_eq!((&released["start_deliveries"], &released["flags"]), (&json!(2), &json!([])));
    assert_eq!(app.session("stream=pushed").await["flags"], json!(["start_missing"]));
}

#[tokio::test]
async fn to_do_it_again_changes_nothing() {
    let app = TestApp::start().await;
    eventful(&app).await;
    app.fold().await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 900).start(), late(&Push::of("room", 800))]).await;
    age(&app, 10).await;
    app.receive(&[Push::of("new", 60).start()]).await;
    let keep = RetentionPolicy { keep_events: Some(TimeDelta::days(40)), keep_personal: Some(TimeDelta::days(2)) };
    let first = retain_now(&app, keep).await;
    assert!(first.redacted > 0 && !first.dropped.is_empty() && first.left.is_none(), "{first:?}");
    let after = everything(&app).await;
    assert_eq!(retain_now(&app, keep).await, Retained::default());
    assert_eq!(everything(&app).await, after);
}

#[tokio::test]
async fn nothing_goes_while_a_rebuild_or_another_process_is_at_it() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 50).start()]).await;
    let before = everything(&app).await;
    let busy = Retained { left: Some(Left::Busy), ..Retained::default() };
    let mut rebuilding = app.pool.acquire().await.unwrap();
    store::retention::lock_retention(&mut *rebuilding).await.unwrap();
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await, busy);
    store::retention::unlock_retention(&mut *rebuilding).await.unwrap();
    let mut other = app.pool.begin().await.unwrap();
    assert!(store::retention::try_lock_retention(&mut *other).await.unwrap());
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await, busy);
    assert_eq!(everything(&app).await, before);
    // A rebuild waits for what is going just now.
    let rebuilding = differences(&app, Purpose::Verify);
    let going = async {
        app.wait_for_a_blocked_statement().await;
        other.commit().await.unwrap();
    };
    let (found, ()) = tokio::join!(rebuilding, going);
    assert_eq!(found, []);
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await.left, None);
    assert_eq!(entries(&app).await, 1);
}

#[tokio::test]
async fn whoever_reads_for_long_keeps_a_month_but_keeps_no_append_waiting() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 50).start()]).await;
    let everything = "select count(*) from log_entry";
    let only_what_is_new = "select count(*) from log_entry where recorded_at > current_date - 7";
    let month = first_of_month(clock::now() - TimeDelta::days(70)).format("%Y_%m");
    let as_vacuum_does = format!("lock table log_entry_{month} in share update exclusive mode");
    for reading in [everything, only_what_is_new, as_vacuum_does.as_str()] {
        let mut reader = app.pool.begin().await.unwrap();
        sqlx::query(AssertSqlSafe(reading)).execute(&mut *reader).await.unwrap();
        // The reader reads on: that each of these ends shows that none waits for it.
        let dropping = retain_now(&app, KEEP_31_DAYS);
        let appending = async {
            for number in 0..20 {
                app.callback(&Push::of(&format!("meanwhile{number}"), 60).start(), 200).await;
            }
        };
        let (retained, ()) = tokio::join!(dropping, appending);
        assert_eq!(retained.left, Some(Left::InUse));
        reader.rollback().await.unwrap();
    }
    assert!(horizons(&app).await.iter().all(|horizon| horizon.position == 0));
    assert_eq!(entries(&app).await, 62);
    assert_eq!(retain_now(&app, KEEP_31_DAYS).await.left, None);
    assert_eq!(entries(&app).await, 61);
}

#[tokio::test]
async fn in_life_the_service_does_it_by_itself_when_it_starts() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    age(&app, 70).await;
    app.receive(&[Push::of("room", 50).start()]).await;
    // Not for processes that do not fold.
    let (_, _stop) = app.start_another(&["--roles", "receiver,api", "--keep-events", "31d"]).await;
    let (_, _stop) = app.start_another(&["--roles", "reconciler", "--keep-events", "31d"]).await;
    until(async || entries(&app).await == 1).await;
}
