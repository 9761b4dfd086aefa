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
async fn a_step_is_in_whole_seconds_and_makes_no_endless_report() {
    let app = TestApp::start().await;
    for (step, expected) in [
        ("30s", 200),
        ("90s", 200),
        ("1m", 200),
        ("24h", 200),
        ("7d", 200),
        ("31d", 200),
        ("500ms", 400),
        ("1500ms", 400),
        ("32d", 400),
        ("0s", 400),
        ("5", 400),
    ] {
        app.get(&format!("/v1/reports/concurrency?from=2026-01-10&to=2026-01-11&step={step}"), expected).await;
    }
    // 11,000 points, and one more.
    app.get("/v1/reports/concurrency?from=2026-01-10T00:00:00Z&to=2026-01-10T03:03:20Z&step=1s", 200).await;
    let refused =
        app.get("/v1/reports/concurrency?from=2026-01-10T00:00:00Z&to=2026-01-10T03:03:21Z&step=1s", 400).await;
    assert_eq!(refused["invalid_parameters"][0]["name"], "step");
    let reason = refused["invalid_parameters"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("makes 11001 points of this period, more than 11000"), "{reason}");
    app.get("/v1/reports/concurrency?from=2026-01-01&to=2026-02-01", 400).await;
}

#[tokio::test]
async fn a_chart_takes_the_bounds_that_grafana_sends() {
    let app = TestApp::start().await;
    let path = |from: &str, to: &str| format!("/v1/reports/concurrency?from={from}&to={to}&step=10m");
    for (from, to) in [
        ("1768046400000", "1768047600000"),
        ("1768046400999", "1768047600123"),
        ("2026-01-10T12:00:00.123Z", "2026-01-10T13:20:00.9%2B01:00"),
    ] {
        let report = app.get(&path(from, to), 200).await;
        assert_eq!(report["parameters"]["from"], "2026-01-10T12:00:00Z");
        assert_eq!(report["parameters"]["to"], "2026-01-10T12:20:00Z");
        let at: Vec<&Value> = report["data"].as_array().unwrap().iter().map(|point| &point["at"]).collect();
        assert_eq!(at, ["2026-01-10T12:00:00Z", "2026-01-10T12:10:00Z"]);
    }
    for (from, to, name) in [
        ("1768046400000", "1768046400999", "to"),
        ("-1", "1768046400999", "from"),
        ("1768046400000.5", "1768047600000", "from"),
        ("99999999999999999999", "1768047600000", "from"),
        ("2026-01-10T12:00:00", "1768047600000", "from"),
    ] {
        let refused = app.get(&path(from, to), 400).await;
        assert_eq!(refused["invalid_parameters"][0]["name"], name, "{refused}");
    }
    // A bill is of whole seconds.
    app.get("/v1/reports/push-duration?from=1768046400000&to=1768047600000", 400).await;
    app.get("/v1/reports/push-duration?from=2026-01-10T12:00:00.5Z&to=2026-01-11", 400).await;
}

#[tokio::test]
async fn each_domain_or_app_can_be_a_series_and_the_peak_is_of_all() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    for (own_app, started, ended) in [("one", 0, 600), ("two", 300, 900), ("two", 200, 400)] {
        let key = push(DOMAIN, own_app, "stream", NOON + started);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + ended))]).await;
    }
    let path = "/v1/reports/concurrency?from=2026-01-10T12:00:00Z&to=2026-01-10T12:10:00Z&step=5m";
    let by_app = app.get(&format!("{path}&group_by=domain,app"), 200).await;
    let point = |at: &str, app: &str, sessions: i64, streams: i64| {
        json!({
            "at": format!("2026-01-10T{at}Z"), "domain": DOMAIN, "app": app, "live_sessions": sessions,
            "live_streams": streams
        })
    };
    assert_eq!(
        by_app["data"],
        json!([
            point("12:00:00", "one", 1, 1),
            point("12:00:00", "two", 0, 0),
            point("12:05:00", "one", 1, 1),
            point("12:05:00", "two", 2, 1),
        ])
    );
    assert_eq!(by_app["parameters"]["group_by"], "domain,app");
    let by_domain = app.get(&format!("{path}&group_by=domain"), 200).await;
    assert_eq!(by_domain["data"][1]["live_sessions"], 3);
    let whole = app.get(path, 200).await;
    assert_eq!((&whole["peak"], &by_domain["peak"]), (&by_app["peak"], &by_app["peak"]));
    assert_eq!(whole["data"][1]["live_sessions"], 3);
    assert_eq!(whole["data"][1].get("domain"), None);
    assert_eq!(app.get(&format!("{path}&group_by=stream"), 400).await["invalid_parameters"][0]["name"], "group_by");
}

#[tokio::test]
async fn too_many_series_are_an_error_and_not_a_part_of_the_answer() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    for number in 0..6 {
        let key = push(DOMAIN, &format!("app{number}"), "stream", NOON);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + 60))]).await;
    }
    // 10,000 points each.
    let path = "/v1/reports/concurrency?from=2026-01-10T12:00:00Z&to=2026-01-10T14:46:40Z&step=1s&group_by=domain,app";
    let refused = app.get(path, 400).await;
    assert_eq!(refused["invalid_parameters"][0]["name"], "step");
    let of_five = app.get(&format!("{path}&app=app1"), 200).await;
    assert_eq!(of_five["data"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn who_may_read_or_bill_may_see_concurrency() {
    let app = TestApp::start().await;
    let path = "/v1/reports/concurrency?from=2026-01-10&to=2026-01-11&step=1d";
    for scope in ["read", "billing"] {
        let token = app.make_token(&[scope], None).await;
        app.with_token(&token).get(path, 200).await;
    }
    let personal = app.make_token(&["personal"], None).await;
    app.with_token(&personal).get(path, 403).await;
}
