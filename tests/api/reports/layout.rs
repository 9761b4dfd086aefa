//! The forms that reports come in, and what they are refused for.

use reqwest::Response;
use serde_json::{Value, json};
use test_support::messages::DOMAIN;

use super::ledger::{Ledger, Say, push};
use crate::helpers::{ADMIN_TOKEN, TestApp};

const PERIOD: &str = "from=2026-01-01&to=2026-02-01";

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

async fn some_pushes(app: &TestApp) {
    let mut ledger = Ledger::new(app);
    for stream in ["=cmd|' /C calc'!A0", "a, \"b\"", "room"] {
        let key = push(DOMAIN, "live", stream, NOON);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + 60))]).await;
    }
}

async fn ask(app: &TestApp, path: &str, accept: &str) -> Response {
    let request = app.client.get(format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
    request.header("accept", accept).send().await.unwrap()
}

#[tokio::test]
async fn csv_has_the_same_columns_always_and_no_formula() {
    let app = TestApp::start().await;
    some_pushes(&app).await;
    let header = "domain,app,stream,window_start,window_end,sessions,sessions_started,push_seconds,confirmed_seconds,\
                  estimated_seconds,open_seconds,on_air_seconds,peak_live_sessions,window_start_local,time_zone,\
                  push_hours\r\n";
    let row = |names: &str, counts: &str, hours: &str| {
        let window = "2026-01-01T00:00:00Z,2026-02-01T00:00:00Z";
        format!("{names},{window},{counts},2026-01-01 00:00:00,UTC,{hours}\r\n")
    };
    let by_domain = ask(&app, &format!("/v1/reports/push-duration?{PERIOD}&format=csv"), "*/*").await;
    assert_eq!(by_domain.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    let disposition = "attachment; filename=\"push-hours-2026-01-UTC-by-domain.csv\"";
    assert_eq!(by_domain.headers()["content-disposition"], disposition);
    let text = by_domain.text().await.unwrap();
    assert_eq!(text, format!("{header}{}", row("push.example.com,,", "3,3,180,180,0,0,180,3", "0.05")));

    let by_stream = ask(&app, &format!("/v1/reports/push-duration?{PERIOD}&group_by=app,stream"), "text/csv").await;
    let each = "1,1,60,60,0,0,60,1";
    let expected = [
        header.to_owned(),
        row(",live,'=cmd|' /C calc'!A0", each, "0.02"),
        row(",live,\"a, \"\"b\"\"\"", each, "0.02"),
        row(",live,room", each, "0.02"),
    ];
    assert_eq!(by_stream.text().await.unwrap(), expected.concat());
    let nothing = ask(&app, "/v1/reports/push-duration?from=2025-01-01&to=2025-02-01&format=csv", "*/*").await;
    assert_eq!(nothing.text().await.unwrap(), header);
}

#[tokio::test]
async fn the_form_is_what_is_asked_for_or_else_accepted_best() {
    let app = TestApp::start().await;
    let path = format!("/v1/reports/push-duration?{PERIOD}");
    for (query, accept, kind) in [
        ("", "*/*", "application/json"),
        ("", "text/csv", "text/csv; charset=utf-8; header=present"),
        ("", "application/json, text/csv;q=0.5", "application/json"),
        ("", "application/json;q=0.2, text/csv;q=0.5", "text/csv; charset=utf-8; header=present"),
        ("&format=json", "text/csv", "application/json"),
        ("&limit=5", "text/csv", "application/json"),
    ] {
        let answer = ask(&app, &format!("{path}{query}"), accept).await;
        assert_eq!(answer.headers()["content-type"], kind, "{query} {accept}");
    }
}

#[tokio::test]
async fn every_report_echoes_what_it_was_asked_and_where_it_will_be_for_ever() {
    let app = TestApp::start().await;
    some_pushes(&app).await;
    let query = "from=2026-01-01&to=2026-02-01&time_zone=Europe/Berlin&window=day&stream=a,%20%22b%22";
    let answer = ask(&app, &format!("/v1/reports/push-duration?{query}"), "*/*").await;
    let location = answer.headers()["content-location"].to_str().unwrap().to_owned();
    let report: Value = answer.json().await.unwrap();
    assert_eq!(
        report["parameters"],
        json!({
            "from": "2025-12-31T23:00:00Z",
            "to": "2026-01-31T23:00:00Z",
            "time_zone": "Europe/Berlin",
            "window": "day",
            "group_by": "domain",
            "domain": null,
            "app": null,
            "stream": "a, \"b\"",
            "renditions": "exclude",
            "as_of": report["as_of"],
        })
    );
    assert_eq!(report["data"].as_array().unwrap().len(), 1);
    let csv = ask(&app, &format!("/v1/reports/push-duration?{query}&format=csv"), "*/*").await;
    let location_of_csv = csv.headers()["content-location"].to_str().unwrap().to_owned();
    let csv = csv.text().await.unwrap();
    some_pushes(&app).await;
    assert_eq!(app.get(&location, 200).await, report);
    assert_eq!(ask(&app, &location_of_csv, "*/*").await.text().await.unwrap(), csv);
}

#[tokio::test]
async fn what_cannot_be_reported_is_refused_and_named() {
    let app = TestApp::start().await;
    for (query, name) in [
        ("to=2026-02-01", "from"),
        ("from=2026-01-01", "to"),
        ("from=2026-01-01T00:00:00&to=2026-02-01", "from"),
        ("from=2026-01-01T00:00:00.5Z&to=2026-02-01", "from"),
        ("from=2026-1-1&to=2026-02-01", "from"),
        ("from=2026-01-01T00:00:60Z&to=2026-02-01", "from"),
        ("from=2026-01-01&to=2026-02-01&as_of=2026-02-01T00:00:60Z", "as_of"),
        ("from=1960-01-01&to=2026-02-01", "from"),
        ("from=2026-01-01&to=2101-01-01", "to"),
        ("from=2026-01-01&to=2026-01-01", "to"),
        ("from=2026-01-01&to=2026-02-01&time_zone=Mars/Olympus", "time_zone"),
        ("from=2026-01-01&to=2026-02-01&window=fortnight", "window"),
        ("from=2026-01-01&to=2026-02-01&group_by=domain,domain", "group_by"),
        ("from=2026-01-01&to=2026-02-01&group_by=", "group_by"),
        ("from=2026-01-01&to=2026-02-01&as_of=2099-01-01T00:00:00Z", "as_of"),
        ("from=2026-01-01&to=2026-02-01&format=xml", "format"),
        ("from=2026-01-01&to=2026-02-01&format=csv&limit=5", "format"),
        ("from=2026-01-01&to=2026-02-01&colour=red", "colour"),
    ] {
        let refusal = app.get(&format!("/v1/reports/push-duration?{query}"), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{query}");
    }
}

#[tokio::test]
async fn a_cursor_is_of_its_report_alone() {
    let app = TestApp::start().await;
    some_pushes(&app).await;
    let path = format!("/v1/reports/push-duration?{PERIOD}&group_by=stream&limit=1");
    let first = app.get(&path, 200).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("{path}&cursor={cursor}"), 200).await;
    assert_eq!(second["totals"], first["totals"]);
    assert_eq!(second["as_of"], first["as_of"]);
    app.get(&format!("{path}&window=day&cursor={cursor}"), 400).await;
    // Its totals are of what whoever was given it sees.
    let bound = app.make_token(&["billing"], Some(&[DOMAIN])).await;
    app.with_token(&bound).get(&format!("{path}&cursor={cursor}"), 400).await;
    app.get(&format!("/v1/reports/push-duration/sessions?{PERIOD}&group_by=stream&limit=1&cursor={cursor}"), 400).await;
}
