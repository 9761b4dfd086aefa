//! Periods and windows as people name them: months and weeks.

use chrono::{DateTime, Datelike, Months, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::messages::DOMAIN;

use super::ledger::{Ledger, Say, push};
use crate::helpers::TestApp;

/// The bounds of a report, from its parameters.
fn bounds(report: &Value) -> (&str, &str) {
    (report["parameters"]["from"].as_str().unwrap(), report["parameters"]["to"].as_str().unwrap())
}

#[tokio::test]
async fn a_month_is_that_of_the_time_zone_in_every_report() {
    let app = TestApp::start().await;
    let expected = ("2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z");
    let query = "month=2026-02&time_zone=Asia/Shanghai";
    for path in ["push-duration?", "push-duration/sessions?", "concurrency?step=1d&"] {
        let report = app.get(&format!("/v1/reports/{path}{query}"), 200).await;
        assert_eq!(bounds(&report), expected, "{path}");
    }
    let sealed = json!({ "month": "2026-02", "time_zone": "Asia/Shanghai" });
    let sealed = app.post("/v1/sealed-reports", &sealed, 201).await;
    assert_eq!(bounds(&sealed), expected);
}

#[tokio::test]
async fn last_month_is_the_one_before_that_of_as_of() {
    let app = TestApp::start().await;
    // At this moment, February has begun in Shanghai.
    let path = "/v1/reports/push-duration?month=last_month&as_of=2026-01-31T16:00:00Z";
    let report = app.get(path, 200).await;
    assert_eq!(bounds(&report), ("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"));
    let report = app.get(&format!("{path}&time_zone=Asia/Shanghai"), 200).await;
    assert_eq!(bounds(&report), ("2025-12-31T16:00:00Z", "2026-01-31T16:00:00Z"));

    let before = clock::now();
    let report = app.get("/v1/reports/push-duration?month=last_month", 200).await;
    let last = |now: DateTime<Utc>| {
        let first = now.date_naive().with_day(1).unwrap();
        (first.checked_sub_months(Months::new(1)).unwrap().to_string(), first.to_string())
    };
    let (from, to) = bounds(&report);
    let asked = (from[..10].to_owned(), to[..10].to_owned());
    // A month can end meanwhile.
    assert!([last(before), last(clock::now())].contains(&asked), "{asked:?}");
}

#[tokio::test]
async fn a_month_is_written_as_such_and_replaces_the_bounds() {
    let app = TestApp::start().await;
    for month in ["2026-13", "2026-1", "2026", "1969-12", "2100-01", "november", "Last_Month", "2026-02-01", "+026-01"]
    {
        let refused = app.get(&format!("/v1/reports/push-duration?month={}", month.replace('+', "%2B")), 400).await;
        assert_eq!(refused["invalid_parameters"][0]["name"], "month", "{month}");
    }
    let refused = app.get("/v1/reports/push-duration?month=2026-02&from=2026-02-01&to=2026-03-01", 400).await;
    let names: Vec<_> = refused["invalid_parameters"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["from", "to"]);
    let refused = app.get("/v1/reports/push-duration", 400).await;
    assert_eq!(refused["invalid_parameters"][0], json!({ "name": "from", "reason": "is missing" }));
    let first = app.get("/v1/reports/push-duration?month=1970-01", 200).await;
    assert_eq!(bounds(&first).0, "1970-01-01T00:00:00Z");
    app.get("/v1/reports/push-duration?month=2099-12&time_zone=Pacific/Kiritimati", 200).await;
}

#[tokio::test]
async fn weeks_begin_on_monday_in_the_time_zone_and_add_up() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    // From Sunday, 18 January 2026, 22:30 UTC, which is 23:30 in Berlin, for two hours.
    let key = push(DOMAIN, "live", "night", 1_768_775_400);
    ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(1_768_775_400 + 7_200))]).await;
    let zone = Tz::Europe__Berlin.name();
    let report = app.get(&format!("/v1/reports/push-duration?month=2026-01&time_zone={zone}&window=week"), 200).await;
    let rows: Vec<_> = report["data"].as_array().unwrap().iter().collect();
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("window_start"), text("window_end"), row["push_seconds"].as_i64().unwrap())
    };
    let of = |from: &str, to: &str, seconds: i64| (format!("{from}T23:00:00Z"), format!("{to}T23:00:00Z"), seconds);
    let expected = [of("2026-01-11", "2026-01-18", 1_800), of("2026-01-18", "2026-01-25", 5_400)];
    assert_eq!(rows.into_iter().map(row).collect::<Vec<_>>(), expected);
    assert_eq!(report["totals"]["push_seconds"], 7_200);
    assert_eq!(report["parameters"]["window"], "week");
}
