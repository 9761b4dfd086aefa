//! While the database is away: what is received is durable on this machine's disk, and goes into the log when it is back.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::Value;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::helpers::{HOLD_LOG, TestApp, answer, serve, until};

const ROLES: [&str; 2] = ["--roles", "receiver,api"];

async fn readiness(app: &TestApp) -> (u16, Value) {
    let answer = app.client.get(format!("{}/readyz", app.address)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn spool_state(app: &TestApp) -> String {
    let (_, readiness) = readiness(app).await;
    let parts = readiness["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == "spool").unwrap()["state"].as_str().unwrap().to_owned()
}

async fn until_drained(app: &TestApp) {
    until(async || spool_state(app).await == "empty").await;
}

async fn column(app: &TestApp, of: &str) -> Vec<String> {
    let select = format!("select {of} from log_entry order by shard, position");
    sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_all(&app.pool).await.unwrap()
}

#[tokio::test]
async fn what_is_received_meanwhile_is_in_the_log_when_the_database_is_back() {
    let app = TestApp::start().await;
    app.database.take_away().await;
    let push = Push::of("room", 60);
    let sent = clock::now();
    app.callback(&push.start(), 200).await;
    app.callback(&push.end(), 200).await;
    app.callback(&push.end(), 200).await;
    assert!(spool_state(&app).await.starts_with("in use: 3 callbacks, 0.0 of 1024.0 MiB"));
    let answered = clock::now();
    assert_eq!(readiness(&app).await.0, 503);
    app.get("/v1/sessions", 503).await;

    app.database.bring_back().await;
    until_drained(&app).await;
    assert_eq!(readiness(&app).await.0, 200);
    assert_eq!(column(&app, "event").await, ["PUBLISH", "PUBLISH_DONE", "PUBLISH_DONE"]);
    let outside = "select count(*) from log_entry where received_at < $1 or received_at > $2 or recorded_at < $2";
    let outside: i64 = sqlx::query_scalar(outside).bind(sent).bind(answered).fetch_one(&app.pool).await.unwrap();
    assert_eq!(outside, 0, "each has the time of its receipt");
    app.fold().await;
    let session = app.session("stream=room").await;
    assert_eq!((&session["start_deliveries"], &session["end_deliveries"]), (&1.into(), &2.into()));
    assert_eq!(session["ended_at_source"], "notification");
}

#[tokio::test]
async fn what_the_database_does_not_confirm_in_time_is_at_worst_received_twice() {
    let app = TestApp::start().await;
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    app.callback(&Push::of("room", 60).start(), 200).await;
    assert!(spool_state(&app).await.starts_with("in use: 1 callbacks"));
    holder.rollback().await.unwrap();
    until_drained(&app).await;
    app.fold().await;
    assert!([1, 2].map(Value::from).contains(&app.session("stream=room").await["start_deliveries"]));
    app.callback(&Push::of("room", 60).end(), 200).await;
    assert_eq!(spool_state(&app).await, "empty", "the way to the log is open again");
}

#[tokio::test]
async fn what_the_database_fails_to_store_waits_too() {
    let app = TestApp::start().await;
    sqlx::query("alter table log_entry rename to hidden").execute(&app.pool).await.unwrap();
    app.callback(&Push::of("room", 60).start(), 200).await;
    sqlx::query("alter table hidden rename to log_entry").execute(&app.pool).await.unwrap();
    until_drained(&app).await;
    assert_eq!(column(&app, "event").await, ["PUBLISH"]);
}

#[tokio::test]
async fn a_signature_that_was_used_is_found_when_the_spool_is_drained() {
    let app = TestApp::start().await;
    let push = Push::of("room", 600);
    let end = push.end();
    app.database.take_away().await;
    app.callback(&end, 200).await;
    let mut replayed = end.clone();
    replayed["publish_timestamp"] = (push.publish_timestamp - 100).to_string().into();
    app.callback(&replayed, 200).await;
    app.callback(&end, 200).await;

    app.database.bring_back().await;
    until_drained(&app).await;
    // The replayed message comes before or behind the repeat, by how many are drained at once.
    let mut dispositions = column(&app, "disposition").await;
    dispositions.sort_unstable();
    assert_eq!(dispositions, ["accepted", "accepted", "quarantined"]);
    let quarantined = app.list("/v1/events?disposition=quarantined").await;
    assert_eq!(quarantined[0]["reason"], "signature_of_another_push");
    app.fold().await;
    assert_eq!(app.session("stream=room").await["publish_timestamp"], push.publish_timestamp);
}

#[tokio::test]
async fn what_waits_survives_a_restart_and_is_drained_by_the_next_process() {
    let mut app = TestApp::start().await;
    app.database.take_away().await;
    app.callback(&Push::of("room", 60).start(), 200).await;

    app.restart(&ROLES).await;
    assert!(spool_state(&app).await.starts_with("in use: 1 callbacks"));
    app.callback(&Push::of("hall", 60).start(), 200).await;
    app.database.bring_back().await;
    until_drained(&app).await;
    app.fold().await;
    assert_eq!(app.list("/v1/sessions?status=live").await.len(), 2);
}

#[tokio::test]
async fn a_process_that_starts_meanwhile_receives_with_the_registry_that_it_knew_last() {
    let mut app = TestApp::start().await;
    app.database.take_away().await;
    app.restart(&ROLES).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    let other_key = Push { key: "x".repeat(32), ..Push::of("room", 60) };
    app.callback(&other_key.start(), 401).await;
    app.get("/v1/sessions", 503).await;

    app.database.bring_back().await;
    until_drained(&app).await;
    app.fold().await;
    assert_eq!(app.session("").await["stream"], "room");
    // What is registered from here on is known again, and copied again.
    app.delete(&format!("/v1/domains/{DOMAIN}"), 204).await;
    app.callback(&Push::of("room", 60).end(), 401).await;
}

#[tokio::test]
async fn without_a_database_and_a_copy_of_its_registry_a_process_does_not_start() {
    let app = TestApp::start().await;
    app.database.take_away().await;
    let folder = tempfile::tempdir().unwrap();
    let error = serve(&app.database, folder.path(), &ROLES).await.err().unwrap();
    assert!(format!("{error:#}").contains("no cached registry"), "{error:#}");
}

#[tokio::test]
async fn a_full_spool_answers_503_until_it_is_drained() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--spool-capacity", "1"]).await;
    app.database.take_away().await;
    let mut stored = 0;
    let refusal = loop {
        let mut message = Push::of(&format!("room{stored}"), 60).start();
        message["user_args"] = "cdn=hw&".repeat(500).into();
        let request = app.client.post(format!("{}/callbacks/huawei", app.address)).body(message.to_string());
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            break response;
        }
        stored += 1;
    };
    assert_eq!(refusal.headers()["retry-after"], "2");
    answer(&Method::POST, "/callbacks/huawei", refusal, 503).await;
    assert_eq!(readiness(&app).await.0, 503);
    assert!((200..300).contains(&stored), "{stored} messages of some 4 KiB");

    app.database.bring_back().await;
    until_drained(&app).await;
    app.callback(&Push::of("afterwards", 60).start(), 200).await;
    assert_eq!(column(&app, "stream").await.len(), stored + 1);
}

#[tokio::test]
async fn what_waits_is_not_drained_into_another_installation() {
    let mut app = TestApp::start().await;
    app.database.take_away().await;
    app.callback(&Push::of("room", 60).start(), 200).await;
    app.stop().await;

    let other = TestApp::start().await;
    let error = serve(&other.database, app.data_dir.path(), &ROLES).await.err().unwrap();
    assert!(format!("{error:#}").contains("another installation"), "{error:#}");
}

#[tokio::test]
async fn a_data_folder_is_of_one_receiving_process() {
    let app = TestApp::start().await;
    let error = serve(&app.database, app.data_dir.path(), &ROLES).await.err().unwrap();
    assert!(format!("{error:#}").contains("in use by another process"), "{error:#}");
    serve(&app.database, app.data_dir.path(), &["--roles", "reconciler"]).await.unwrap();
}

#[tokio::test]
async fn the_local_store_holds_no_secret() {
    let app = TestApp::start().await;
    let token = app.make_token(&["read"], None).await;
    app.database.take_away().await;
    let mut message = Push::of("room", 60).start();
    message["user_args"] = "auth_key=of-the-encoder&cdn=hw".into();
    app.callback(&message, 200).await;
    let files = files_under(&app.data_dir.path().join("local-store"));
    let held: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let held = String::from_utf8_lossy(&held);
    assert!(held.contains("room") && held.contains(DOMAIN));
    for secret in [KEY, token.as_str(), "of-the-encoder"] {
        assert!(!held.contains(secret), "{secret}");
    }
}

/// Lets the database refuse a message, and one of the others not; true is when it is kept aside.
async fn app_with_a_refused_message() -> TestApp {
    let app = TestApp::start().await;
    let refuse = "alter table log_entry add constraint of_the_test check (stream not in ('hall', 'attic'))";
    sqlx::query(refuse).execute(&app.pool).await.unwrap();
    app.database.take_away().await;
    for stream in ["room", "hall", "yard", "attic"] {
        app.callback(&Push::of(stream, 60).start(), 200).await;
    }
    app.database.bring_back().await;
    until(async || spool_state(&app).await == "empty; 2 callbacks were rejected by the database and set aside").await;
    app
}

async fn streams(app: &TestApp) -> Vec<String> {
    let select = "select stream from log_entry order by recorded_at, shard, position";
    sqlx::query_scalar(select).fetch_all(&app.pool).await.unwrap()
}

#[tokio::test]
async fn what_the_database_refuses_when_it_is_drained_is_kept_aside() {
    let mut app = app_with_a_refused_message().await;
    let mut logged = streams(&app).await;
    logged.sort_unstable();
    assert_eq!(logged, ["room", "yard"]);
    // Tried again in vain, it is kept still: in another file.
    let folder = app.data_dir.path().join("local-store/rejected");
    let before = files_under(&folder);
    app.restart(&ROLES).await;
    until(async || files_under(&folder) != before).await;
    assert_eq!(spool_state(&app).await, "empty; 2 callbacks were rejected by the database and set aside");
    assert_eq!(streams(&app).await.len(), 2);
}

#[tokio::test]
async fn what_the_database_refused_goes_into_the_log_when_it_does_not_refuse_it_any_longer() {
    let mut app = app_with_a_refused_message().await;
    sqlx::query("alter table log_entry drop constraint of_the_test").execute(&app.pool).await.unwrap();
    app.restart(&ROLES).await;
    until_drained(&app).await;
    let mut logged = streams(&app).await;
    assert_eq!(logged.split_off(2).len(), 2);
    app.fold().await;
    for stream in ["room", "hall", "yard", "attic"] {
        assert_eq!(app.session(&format!("stream={stream}")).await["start_deliveries"], 1);
    }
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_under(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// What happens to a file of the local store while no process runs.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip,
    Zero,
    Truncate,
    Remove,
}

fn damage(file: &Path, kind: Damage) {
    let mut content = fs::read(file).unwrap();
    let middle = content.len() / 2;
    match kind {
        // Within a message: the end of a line would cost two of them.
        Damage::Flip => *content[middle..].iter_mut().find(|byte| **byte != b'\n').unwrap() ^= 4,
        Damage::Zero => content[middle..].fill(0),
        Damage::Truncate => content.truncate(middle),
        Damage::Remove => return fs::remove_file(file).unwrap(),
    }
    fs::write(file, content).unwrap();
}

/// Spools some messages, damages the files that fit, starts with the database there, and drains. Whatever the damage:
/// the process starts and receives, and what is not in the log is told. Gives the streams that are missing.
async fn drain_damaged(of: &str, kind: Damage) -> Vec<String> {
    let mut app = TestApp::start().await;
    app.database.take_away().await;
    let sent: Vec<_> = (0..8).map(|number| format!("room{number}")).collect();
    for stream in &sent {
        app.callback(&Push::of(stream, 60).start(), 200).await;
    }
    app.stop().await;
    let mut files = files_under(&app.data_dir.path().join("local-store"));
    files.retain(|file| file.to_string_lossy().contains(of));
    assert_eq!(files.len(), 1, "{files:?}");
    damage(&files[0], kind);
    app.database.bring_back().await;
    app.start_again(&ROLES).await;
    app.callback(&Push::of("afterwards", 60).start(), 200).await;
    until(async || spool_state(&app).await.starts_with("empty")).await;
    assert_eq!(readiness(&app).await.0, 200, "{of} {kind:?}");
    let logged = column(&app, "stream").await;
    assert!(logged.contains(&"afterwards".to_owned()));
    assert!(logged.iter().all(|stream| stream == "afterwards" || sent.contains(stream)), "{of} {kind:?}: {logged:?}");
    let missing: Vec<_> = sent.into_iter().filter(|stream| !logged.contains(stream)).collect();
    let told = format!("empty; damaged: {} callbacks lost, 1 files set aside", missing.len());
    assert_eq!(spool_state(&app).await, told, "{of} {kind:?}");
    let set_aside = files_under(&app.data_dir.path().join("local-store/damaged"));
    assert_eq!(set_aside.len(), 1, "{of} {kind:?}");
    // The next process tells it too, until somebody has cleared it away.
    app.restart(&ROLES).await;
    assert_eq!(spool_state(&app).await, told, "{of} {kind:?}");
    fs::remove_file(&set_aside[0]).unwrap();
    app.restart(&ROLES).await;
    assert_eq!(spool_state(&app).await, "empty", "{of} {kind:?}");
    missing
}

#[tokio::test]
async fn damage_to_spooled_messages_is_told_and_costs_no_others() {
    assert_eq!(drain_damaged("spool/0", Damage::Flip).await.len(), 1);
    for kind in [Damage::Zero, Damage::Truncate] {
        // The middle may lie within a message.
        let missing = drain_damaged("spool/0", kind).await;
        assert!(missing.ends_with(&["room4", "room5", "room6", "room7"].map(str::to_owned)), "{missing:?}");
        assert!(missing.len() <= 5, "{missing:?}");
    }
    assert_eq!(drain_damaged("spool/0", Damage::Remove).await.len(), 8);
}

#[tokio::test]
async fn damage_to_what_is_known_of_them_is_told_and_costs_nothing() {
    for kind in [Damage::Flip, Damage::Zero, Damage::Truncate, Damage::Remove] {
        assert!(drain_damaged("spool/mark", kind).await.is_empty(), "{kind:?}");
    }
    for kind in [Damage::Flip, Damage::Zero, Damage::Truncate] {
        assert!(drain_damaged("local-store/registry", kind).await.is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_damaged_copy_of_the_registry_is_not_used() {
    let mut app = TestApp::start().await;
    app.database.take_away().await;
    app.stop().await;
    damage(&app.data_dir.path().join("local-store/registry"), Damage::Flip);
    let error = serve(&app.database, app.data_dir.path(), &ROLES).await.err().unwrap();
    assert!(format!("{error:#}").contains("no cached registry"), "{error:#}");

    app.database.bring_back().await;
    app.start_again(&ROLES).await;
    app.database.take_away().await;
    app.restart(&ROLES).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
}

#[tokio::test]
async fn a_file_of_an_earlier_version_does_not_keep_a_process_from_starting() {
    let mut app = TestApp::start().await;
    app.stop().await;
    fs::write(app.data_dir.path().join("standby.sqlite"), "SQLite format 3\0").unwrap();
    app.start_again(&ROLES).await;
    app.callback(&Push::of("room", 60).start(), 200).await;
}
