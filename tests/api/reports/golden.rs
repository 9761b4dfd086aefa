//! Reports whose answers were computed by hand.

use chrono::{DateTime, SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use streamtally::platform::clock;
use streamtally::session::SessionKey;
use test_support::messages::{DOMAIN, Push};

use super::ledger::{Ledger, Say, push};
use crate::helpers::TestApp;

fn at(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).unwrap().timestamp()
}

/// A push of the only stream.
fn room(started: &str) -> SessionKey {
    push(DOMAIN, "live", "room", at(started))
}

/// What is said of pushes, one entry after the other.
async fn said<'a>(app: &'a TestApp, entries: &[(SessionKey, Say)]) -> Ledger<'a> {
    let mut ledger = Ledger::new(app);
    ledger.say_each(entries).await;
    ledger
}

/// Pushes that started and ended.
async fn pushes<'a>(app: &'a TestApp, times: &[(&str, &str)]) -> Ledger<'a> {
    let entries: Vec<_> = times
        .iter()
        .flat_map(|(started, ended)| [(room(started), Say::Start), (room(started), Say::End(at(ended)))])
        .collect();
    said(app, &entries).await
}

/// The members of each row that a test names.
async fn rows(app: &TestApp, query: &str, members: &[&str]) -> Value {
    let report = app.get(&format!("/v1/reports/push-duration?{query}&limit=500"), 200).await;
    assert_eq!(report["next_cursor"], Value::Null);
    let row = |row: &Value| members.iter().map(|member| row[member].clone()).collect::<Vec<_>>();
    json!(report["data"].as_array().unwrap().iter().map(row).collect::<Vec<_>>())
}

const WINDOW: [&str; 3] = ["window_start", "window_end", "push_seconds"];

#[tokio::test]
async fn a_push_across_midnight_counts_on_both_days() {
    let app = TestApp::start().await;
    pushes(&app, &[("2026-01-10T23:30:00Z", "2026-01-11T00:45:00Z")]).await;
    let days = rows(&app, "from=2026-01-10&to=2026-01-12&window=day", &WINDOW).await;
    assert_eq!(
        days,
        json!([
            ["2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z", 1_800],
            ["2026-01-11T00:00:00Z", "2026-01-12T00:00:00Z", 2_700],
        ])
    );
    // In Kathmandu it was a quarter past five in the morning.
    let days = rows(&app, "from=2026-01-10&to=2026-01-12&window=day&time_zone=Asia/Kathmandu", &WINDOW).await;
    assert_eq!(days, json!([["2026-01-10T18:15:00Z", "2026-01-11T18:15:00Z", 4_500]]));
}

#[tokio::test]
async fn a_push_of_forty_days_counts_in_each_month_and_on_the_leap_day() {
    let app = TestApp::start().await;
    pushes(&app, &[("2024-01-25T12:00:00Z", "2024-03-05T12:00:00Z")]).await;
    let months = rows(&app, "from=2024-01-01&to=2024-04-01&window=month", &WINDOW).await;
    assert_eq!(
        months,
        json!([
            ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", 561_600],
            ["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", 2_505_600],
            ["2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z", 388_800],
        ])
    );
    let leap_day = rows(&app, "from=2024-02-29&to=2024-03-01&window=day", &WINDOW).await;
    assert_eq!(leap_day, json!([["2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z", 86_400]]));
    let counts = rows(&app, "from=2024-02-01&to=2024-03-01", &["sessions", "sessions_started", "push_seconds"]).await;
    assert_eq!(counts, json!([[1, 0, 2_505_600]]));
}

#[tokio::test]
async fn days_on_which_clocks_change_have_23_and_25_hours() {
    let app = TestApp::start().await;
    pushes(&app, &[("2026-03-01T00:00:00Z", "2026-11-30T00:00:00Z")]).await;
    let seconds = async |zone: &str, day: &str, next: &str| {
        let query = format!("from={day}&to={next}&window=day&time_zone={zone}");
        rows(&app, &query, &["push_seconds"]).await[0][0].as_i64().unwrap()
    };
    assert_eq!(seconds("Europe/Berlin", "2026-03-29", "2026-03-30").await, 23 * 3_600);
    assert_eq!(seconds("Europe/Berlin", "2026-10-25", "2026-10-26").await, 25 * 3_600);
    assert_eq!(seconds("America/New_York", "2026-03-08", "2026-03-09").await, 23 * 3_600);
    assert_eq!(seconds("America/New_York", "2026-11-01", "2026-11-02").await, 25 * 3_600);
    // By half an hour.
    assert_eq!(seconds("Australia/Lord_Howe", "2026-04-05", "2026-04-06").await, 24 * 3_600 + 1_800);
    assert_eq!(seconds("Australia/Lord_Howe", "2026-10-04", "2026-10-05").await, 23 * 3_600 + 1_800);
    // October in Berlin is an hour longer than its days.
    assert_eq!(seconds("Europe/Berlin", "2026-10-01", "2026-10-02").await, 24 * 3_600);
    let october = rows(&app, "from=2026-10-01&to=2026-11-01&time_zone=Europe/Berlin", &["push_seconds"]).await;
    assert_eq!(october, json!([[31 * 86_400 + 3_600]]));
    // The hour that comes twice is two windows.
    let hours = "from=2026-10-25T00:00:00Z&to=2026-10-25T03:00:00Z&window=hour&time_zone=Europe/Berlin";
    assert_eq!(rows(&app, hours, &["push_seconds"]).await, json!([[3_600], [3_600], [3_600]]));
}

#[tokio::test]
async fn a_push_of_no_second_counts_as_one_and_makes_no_row_by_itself() {
    let app = TestApp::start().await;
    pushes(&app, &[("2026-01-10T10:00:00Z", "2026-01-10T10:00:00Z")]).await;
    let counts = ["sessions", "sessions_started", "push_seconds", "peak_live_sessions"];
    assert_eq!(rows(&app, "from=2026-01-10&to=2026-01-11", &counts).await, json!([]));
    pushes(&app, &[("2026-01-10T11:00:00Z", "2026-01-10T11:00:05Z")]).await;
    assert_eq!(rows(&app, "from=2026-01-10&to=2026-01-11", &counts).await, json!([[2, 2, 5, 1]]));
}

#[tokio::test]
async fn an_end_before_its_start_counts_for_nothing() {
    let app = TestApp::start().await;
    said(
        &app,
        &[
            (room("2026-01-10T10:00:00Z"), Say::Start),
            (room("2026-01-10T10:00:00Z"), Say::End(at("2026-01-10T09:59:00Z"))),
        ],
    )
    .await;
    let sessions = app.get("/v1/reports/push-duration/sessions?from=2026-01-10&to=2026-01-11", 200).await;
    let session = &sessions["data"][0];
    assert_eq!(session["counted_seconds"], 0);
    assert_eq!(session["ended_at"], "2026-01-10T10:00:00Z");
    assert_eq!(rows(&app, "from=2026-01-10&to=2026-01-11", &WINDOW).await, json!([]));
}

#[tokio::test]
async fn where_two_pushes_of_a_stream_overlap_it_is_on_air_once() {
    let app = TestApp::start().await;
    pushes(
        &app,
        &[
            ("2026-01-10T10:00:00Z", "2026-01-10T11:00:00Z"),
            ("2026-01-10T10:30:00Z", "2026-01-10T12:00:00Z"),
            // One ends as the next begins: never two at an instant.
            ("2026-01-10T12:00:00Z", "2026-01-10T12:10:00Z"),
        ],
    )
    .await;
    let counts = ["sessions", "push_seconds", "on_air_seconds", "peak_live_sessions"];
    assert_eq!(rows(&app, "from=2026-01-10&to=2026-01-11", &counts).await, json!([[3, 9_600, 7_800, 2]]));
    let hours = rows(&app, "from=2026-01-10T10:00:00Z&to=2026-01-10T13:00:00Z&window=hour", &counts).await;
    assert_eq!(hours, json!([[2, 5_400, 3_600, 2], [1, 3_600, 3_600, 1], [1, 600, 600, 1]]));
}

#[tokio::test]
async fn what_is_confirmed_estimated_and_open_is_told_apart() {
    let app = TestApp::start().await;
    let key = |stream: &str| push(DOMAIN, "live", stream, at("2026-01-10T10:00:00Z"));
    let end = |hours: i64| at("2026-01-10T10:00:00Z") + hours * 3_600;
    said(
        &app,
        &[
            (key("only-end"), Say::End(end(1))),
            (key("superseded"), Say::Start),
            (key("superseded"), Say::Superseded(end(2))),
            (key("timed-out"), Say::Start),
            (key("timed-out"), Say::TimedOut(end(3))),
            (key("operator"), Say::Start),
            (key("operator"), Say::OperatorEnd(end(4))),
            (key("live"), Say::Start),
            (key("late-end"), Say::Start),
            (key("late-end"), Say::Superseded(end(5))),
            (key("late-end"), Say::End(end(6))),
            (key("withdrawn"), Say::Start),
            (key("withdrawn"), Say::OperatorEnd(end(7))),
            (key("withdrawn"), Say::Withdrawn),
            (key("quarantined"), Say::Quarantined),
        ],
    )
    .await;
    let query = "from=2026-01-10T10:00:00Z&to=2026-01-10T20:00:00Z&group_by=stream";
    let kinds = ["stream", "confirmed_seconds", "estimated_seconds", "open_seconds"];
    assert_eq!(
        rows(&app, query, &kinds).await,
        json!([
            ["late-end", 6 * 3_600, 0, 0],
            ["live", 0, 0, 10 * 3_600],
            ["only-end", 3_600, 0, 0],
            ["operator", 4 * 3_600, 0, 0],
            ["superseded", 0, 2 * 3_600, 0],
            ["timed-out", 0, 3 * 3_600, 0],
            ["withdrawn", 0, 0, 10 * 3_600],
        ])
    );
}

#[tokio::test]
async fn at_each_moment_a_report_says_what_the_log_said_then() {
    let app = TestApp::start().await;
    let key = room("2026-01-10T10:00:00Z");
    let end = |hours: i64| at("2026-01-10T10:00:00Z") + hours * 3_600;
    let ledger = said(
        &app,
        &[
            (key.clone(), Say::Start),
            (key.clone(), Say::Superseded(end(2))),
            (key.clone(), Say::End(end(5))),
            (key.clone(), Say::OperatorEnd(end(3))),
            (key.clone(), Say::Withdrawn),
        ],
    )
    .await;
    let kinds = ["confirmed_seconds", "estimated_seconds", "open_seconds"];
    let seen = async |as_of: DateTime<chrono::Utc>| {
        let as_of = as_of.to_rfc3339_opts(SecondsFormat::Micros, true);
        rows(&app, &format!("from=2026-01-10&to=2026-01-11&as_of={as_of}"), &kinds).await
    };
    let hour = 3_600;
    let expected = [
        json!([[0, 0, 14 * hour]]),
        json!([[0, 2 * hour, 0]]),
        json!([[5 * hour, 0, 0]]),
        json!([[3 * hour, 0, 0]]),
        json!([[5 * hour, 0, 0]]),
    ];
    for (said, expected) in ledger.said.iter().zip(&expected) {
        assert_eq!(seen(said.recorded_at).await, *expected, "{:?}", said.what);
    }
    let before = ledger.said[0].recorded_at - TimeDelta::microseconds(1);
    assert_eq!(seen(before).await, json!([]));
    for (said, expected) in ledger.said[1..].iter().zip(&expected) {
        assert_eq!(seen(said.recorded_at - TimeDelta::microseconds(1)).await, *expected, "before {:?}", said.what);
    }
}

#[tokio::test]
async fn what_is_live_counts_until_the_moment_of_the_report() {
    let app = TestApp::start().await;
    let push = Push::of("room", 90);
    app.receive(&[push.start()]).await;
    let from = DateTime::from_timestamp(push.publish_timestamp, 0).unwrap();
    let to = (clock::now() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let from = from.to_rfc3339_opts(SecondsFormat::Secs, true);
    let report = app.get(&format!("/v1/reports/push-duration?from={from}&to={to}"), 200).await;
    let as_of: DateTime<chrono::Utc> = report["as_of"].as_str().unwrap().parse().unwrap();
    assert_eq!(report["data"][0]["open_seconds"], as_of.timestamp() - push.publish_timestamp);
    assert_eq!(report["totals"]["push_seconds"], report["data"][0]["push_seconds"]);
}

#[tokio::test]
async fn renditions_are_left_out_unless_asked_for() {
    let app = TestApp::start().await;
    let key = |stream: &str| push(DOMAIN, "live", stream, at("2026-01-10T10:00:00Z"));
    let end = Say::End(at("2026-01-10T11:00:00Z"));
    let mut ledger = Ledger::new(&app);
    ledger
        .say(&[
            (key("room"), Say::Start, None),
            (key("room"), end, None),
            (key("room_lud"), Say::Start, Some("lud")),
            (key("room_lud"), end, Some("lud")),
        ])
        .await;
    let seconds = async |renditions: &str| {
        rows(&app, &format!("from=2026-01-10&to=2026-01-11{renditions}"), &["push_seconds", "on_air_seconds"]).await
    };
    assert_eq!(seconds("").await, json!([[3_600, 3_600]]));
    assert_eq!(seconds("&renditions=include").await, json!([[7_200, 7_200]]));
    assert_eq!(seconds("&renditions=only").await, json!([[3_600, 3_600]]));
}
