//! How much was on air, and at most.

use serde_json::{Value, json};
use test_support::messages::DOMAIN;

use super::ledger::{Ledger, Say, push};
use crate::helpers::TestApp;

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

#[tokio::test]
async fn the_peak_is_exact_though_no_step_falls_on_it() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    for (stream, started, ended) in [
        ("one", 0, 600),
        ("one", 100, 200),
        ("two", 150, 160),
        ("three", 160, 170),
        ("four", 590, 600),
        ("five", 600, 700),
    ] {
        let key = push(DOMAIN, "live", stream, NOON + started);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + ended))]).await;
    }
    let path = "/v1/reports/concurrency?from=2026-01-10T12:00:00Z&to=2026-01-10T12:20:00Z&step=5m";
    let report = app.get(path, 200).await;
    let point = |at: &str, sessions: i64, streams: i64| json!({ "at": format!("2026-01-10T{at}Z"), "live_sessions": sessions, "live_streams": streams });
    assert_eq!(
        report["data"],
        json!([point("12:00:00", 1, 1), point("12:05:00", 1, 1), point("12:10:00", 1, 1), point("12:15:00", 0, 0)])
    );
    assert_eq!(report["peak"], point("12:02:30", 3, 2));
    assert_eq!(report["parameters"]["step_seconds"], 300);
}

#[tokio::test]
async fn where_nothing_was_on_air_there_is_no_peak() {
    let app = TestApp::start().await;
    let report = app.get("/v1/reports/concurrency?from=2026-01-10&to=2026-01-11&step=1d", 200).await;
    assert_eq!(report["peak"], Value::Null);
    assert_eq!(report["data"][0]["live_sessions"], 0);
}

#[tokio::test]
async fn a_step_is_in_whole_minutes_and_makes_no_endless_report() {
    let app = TestApp::start().await;
    for (step, expected) in
        [("1m", 200), ("90m", 200), ("1d", 200), ("24h", 200), ("59s", 400), ("90s", 400), ("2d", 400), ("5", 400)]
    {
        app.get(&format!("/v1/reports/concurrency?from=2026-01-10&to=2026-01-11&step={step}"), expected).await;
    }
    for (query, name) in [("from=2026-01-01&to=2027-01-01&step=1m", "step"), ("from=2026-01-01&to=2026-02-01", "step")]
    {
        let refusal = app.get(&format!("/v1/reports/concurrency?{query}"), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name);
    }
}
