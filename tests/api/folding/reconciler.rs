//! Folding: step by step, and by itself.

use serde_json::Value;
use streamtally::reconciler::{self, StepResult};
use test_support::messages::Push;

use crate::helpers::{TestApp, until};

async fn shard_of_the_only_stream(app: &TestApp) -> i16 {
    sqlx::query_scalar("select distinct shard from log_entry").fetch_one(&app.pool).await.unwrap()
}

#[tokio::test]
async fn a_step_folds_what_is_there_and_then_there_is_nothing() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    for message in [push.start(), push.start(), push.end()] {
        app.callback(&message, 200).await;
    }
    assert!(app.list("/v1/sessions").await.is_empty());
    let shard = shard_of_the_only_stream(&app).await;
    assert_eq!(reconciler::step(&app.pool, &[shard], 2).await.unwrap().entries, 2);
    assert_eq!(app.session("").await["status"], "live");
    assert_eq!(reconciler::step(&app.pool, &[shard], 2).await.unwrap().entries, 1);
    assert_eq!(app.session("").await["status"], "ended");
    assert_eq!(reconciler::step(&app.pool, &[shard], 2).await.unwrap(), StepResult::default());
}

#[tokio::test]
async fn a_shard_is_folded_by_one_at_a_time_and_free_again_when_that_one_is_gone() {
    let app = TestApp::start().await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    let shard = shard_of_the_only_stream(&app).await;
    let mut other = app.pool.begin().await.unwrap();
    sqlx::query("select * from fold_progress where shard = $1 for update")
        .bind(shard)
        .execute(&mut *other)
        .await
        .unwrap();
    let stepped = reconciler::step(&app.pool, &[shard], 10).await.unwrap();
    assert_eq!(stepped, StepResult { taken: vec![shard], ..StepResult::default() });
    // The other one dies: its connection is cut, not its transaction ended.
    // Locks are those of the whole server, and the table has the same number in each test's database.
    let cut = "select pg_terminate_backend(pid) from pg_locks join pg_database on pg_database.oid = database
               where datname = current_database() and relation = 'fold_progress'::regclass and pid <> pg_backend_pid()";
    sqlx::query(cut).execute(&app.pool).await.unwrap();
    until(async || reconciler::step(&app.pool, &[shard], 10).await.unwrap().entries == 1).await;
}

#[tokio::test]
async fn the_borders_of_batches_do_not_matter() {
    let (one, other) = (TestApp::start().await, TestApp::start().await);
    let (first, second) = (Push::of("room", 300), Push::of("room", 200));
    let other_address = Push { client_ip: "203.0.113.9".to_owned(), ..first.clone() };
    let messages =
        [first.end(), second.start(), first.start(), other_address.start(), second.end(), first.start(), second.end()];
    for message in &messages {
        one.callback(message, 200).await;
        other.callback(message, 200).await;
    }
    one.fold().await;
    let shard = shard_of_the_only_stream(&other).await;
    while reconciler::step(&other.pool, &[shard], 1).await.unwrap() != StepResult::default() {}
    let kept = |app: &TestApp| {
        let pool = app.pool.clone();
        async move {
            // What depends on the moment of receipt differs between the two.
            let rows: Vec<Value> = sqlx::query_scalar(
                "select to_jsonb(s) - array ['start_received_at', 'end_received_at', 'last_recorded_at', 'user_args',
                     'ended_at', 'end_noticed_at', 'seen_at', 'outcome_at'] from stream_session s order by session_id",
            )
            .fetch_all(&pool)
            .await
            .unwrap();
            rows
        }
    };
    let (one, other) = (kept(&one).await, kept(&other).await);
    assert_eq!(one, other);
    assert_eq!(one.len(), 2);
}

#[tokio::test]
async fn a_shard_that_cannot_be_folded_keeps_neither_the_others_waiting_nor_is_it_hidden() {
    let app = TestApp::start_with(&[]).await;
    let ready = async || app.client.get(format!("{}/readyz", app.address)).send().await.unwrap().status() == 200;
    let poison = "alter table stream_session add constraint poison check (stream <> 'poison')";
    sqlx::query(poison).execute(&app.pool).await.unwrap();
    app.callback(&Push::of("poison", 60).start(), 200).await;
    until(async || !ready().await).await;
    for number in 0..40 {
        app.callback(&Push::of(&format!("room{number}"), 60).start(), 200).await;
    }
    let shard: i16 =
        sqlx::query_scalar("select shard from log_entry where stream = 'poison'").fetch_one(&app.pool).await.unwrap();
    let elsewhere = "select count(*) from log_entry where shard <> $1";
    let elsewhere: i64 = sqlx::query_scalar(elsewhere).bind(shard).fetch_one(&app.pool).await.unwrap();
    let seen = async || app.get("/v1/sessions?include_total=true&limit=1", 200).await["total"] == elsewhere;
    until(async || seen().await).await;
    sqlx::query("alter table stream_session drop constraint poison").execute(&app.pool).await.unwrap();
    until(async || app.get("/v1/sessions?include_total=true&limit=1", 200).await["total"] == 41).await;
    until(ready).await;
}

#[tokio::test]
async fn in_life_a_message_is_seen_without_anyone_stepping() {
    let app = TestApp::start_with(&[]).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    wait_for_a_session(&app).await;
}

#[tokio::test]
async fn what_another_process_receives_is_folded_when_it_tells() {
    let app = TestApp::start().await;
    let _reconciler = app.start_another(&["--roles", "reconciler"]).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    wait_for_a_session(&app).await;
}

#[tokio::test]
async fn what_nobody_tells_of_is_found_by_looking() {
    let app = TestApp::start().await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    let _reconciler = app.start_another(&["--roles", "reconciler"]).await;
    wait_for_a_session(&app).await;
}

async fn wait_for_a_session(app: &TestApp) {
    until(async || !app.get("/v1/sessions", 200).await["data"].as_array().unwrap().is_empty()).await;
}
