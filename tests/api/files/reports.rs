//! Files of reports.

use calamine::Data;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use test_support::messages::DOMAIN;

use super::reading::{XLSX, about, ask, assert_same_rows, csv_rows, download, sheet, shown, text};
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::reports::ledger::{Ledger, Say, push};

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

const JANUARY: &str = "from=2026-01-01&to=2026-02-01&time_zone=Asia/Shanghai";

/// Names that a spreadsheet, XML or the format of workbooks could take for something else.
const HOSTILE: [&str; 8] =
    ["=HYPERLINK(\"http://x\")", "'=1", " room ", "+1", "<b>&amp;", "_x0041_", "007", "直播间\u{1f600}"];

/// A push of each name, of an hour and a second.
async fn hostile_pushes(app: &TestApp) {
    let mut ledger = Ledger::new(app);
    for name in HOSTILE {
        let key = push(DOMAIN, "live", name, NOON);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + 3_601))]).await;
    }
}

#[tokio::test]
async fn a_workbook_has_names_as_text_local_times_hours_and_the_total_of_the_report() {
    let app = TestApp::start().await;
    hostile_pushes(&app).await;
    let path = format!("/v1/reports/push-duration?{JANUARY}&group_by=domain,stream");
    let answer = ask(&app, &format!("{path}&format=xlsx"), ADMIN_TOKEN).await;
    assert_eq!(answer.headers()["content-type"], XLSX);
    assert!(!answer.headers().contains_key("content-encoding"));
    let (name, file) = download(&app, &format!("{path}&format=xlsx")).await;
    assert_eq!(name, "push-hours-2026-01-Asia-Shanghai-by-domain-stream.xlsx");
    let rows = sheet(&file, "Push duration");
    let header = [
        "Domain",
        "Stream",
        "Start (Asia/Shanghai)",
        "End (Asia/Shanghai)",
        "Sessions",
        "Sessions started",
        "Push hours",
        "Push seconds",
        "Confirmed hours",
        "Confirmed seconds",
        "Estimated hours",
        "Estimated seconds",
        "Open hours",
        "Open seconds",
        "On-air hours",
        "On-air seconds",
        "Peak live sessions",
    ];
    assert_eq!(rows[0], header.map(text));

    let report = app.get(&path, 200).await;
    let names: Vec<_> = rows[1..rows.len() - 1].iter().map(|row| row[1].clone()).collect();
    let expected: Vec<_> =
        report["data"].as_array().unwrap().iter().map(|row| text(row["stream"].as_str().unwrap())).collect();
    assert_eq!(names, expected);
    assert_eq!(names.len(), HOSTILE.len());
    let first = &rows[1];
    assert_eq!([shown(&first[2]), shown(&first[3])], ["2026-01-01 00:00:00", "2026-02-01 00:00:00"]);
    assert_eq!((&first[6], &first[7]), (&Data::Float(3_601.0 / 3_600.0), &Data::Float(3_601.0)));
    let total = rows.last().unwrap();
    assert_eq!((&total[0], &total[1]), (&text("Total"), &Data::Empty));
    assert_eq!(json!(total[7].to_string().parse::<i64>().unwrap()), report["totals"]["push_seconds"]);
    assert_eq!(json!(total[16].to_string().parse::<i64>().unwrap()), report["totals"]["peak_live_sessions"]);
}

#[tokio::test]
async fn a_workbook_explains_itself_and_has_the_same_bytes_always() {
    let app = TestApp::start().await;
    hostile_pushes(&app).await;
    let path = format!("/v1/reports/push-duration?{JANUARY}&group_by=stream&stream=%2B1&format=xlsx");
    let answer = ask(&app, &path, ADMIN_TOKEN).await;
    let location = answer.headers()["content-location"].to_str().unwrap().to_owned();
    let file = answer.bytes().await.unwrap();
    let about = about(&file);
    assert_eq!((&about["Time zone"], &about["Stream"]), (&text("Asia/Shanghai"), &text("+1")));
    assert_eq!((&about["Group by"], &about["Renditions"]), (&text("stream"), &text("exclude")));
    assert_eq!(shown(&about["From (Asia/Shanghai)"]), "2026-01-01 00:00:00");
    assert!(location.contains("as_of=") && matches!(&about["As of"], Data::String(as_of) if as_of.ends_with('Z')));
    let explained = sheet(&file, "About").into_iter().map(|row| row[2].clone());
    assert!(explained.skip(1).all(|meaning| matches!(meaning, Data::String(_))));
    hostile_pushes(&app).await;
    let again = ask(&app, &location, ADMIN_TOKEN).await.bytes().await.unwrap();
    assert!(again == file, "the same request has other bytes");
}

#[tokio::test]
async fn csv_has_the_rows_of_json_and_local_times_and_hours() {
    let app = TestApp::start().await;
    hostile_pushes(&app).await;
    let path = format!("/v1/reports/push-duration?{JANUARY}&group_by=domain,app,stream&window=day");
    let (_, file) = download(&app, &format!("{path}&format=csv")).await;
    assert_same_rows(&file, &app.list(&path).await);
    let row = &csv_rows(&file)[0];
    let added = ["window_start_local", "time_zone", "push_hours"].map(|name| row[name].as_str());
    assert_eq!(added, ["2026-01-10 00:00:00", "Asia/Shanghai", "1.00"]);
    let (_, marked) = download(&app, &format!("{path}&format=csv&bom=true")).await;
    assert_eq!(marked, [b"\xef\xbb\xbf".as_slice(), &file].concat());
}

#[tokio::test]
async fn the_sessions_of_a_report_are_all_in_its_files() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    // Some were live when the period began; the others start further and further apart.
    for number in 0..20 {
        let began = 1_767_196_800 - 7_200 + 1_000 * number * number;
        let key = push(DOMAIN, "live", "=room", began);
        let end = if number % 2 == 0 { Say::End(began + 10_000) } else { Say::TimedOut(began + 10_000) };
        ledger.say_each(&[(key.clone(), Say::Start), (key, end)]).await;
    }
    let path = format!("/v1/reports/push-duration/sessions?{JANUARY}");
    let (name, file) = download(&app, &format!("{path}&format=csv")).await;
    assert_eq!(name, "push-sessions-2026-01-Asia-Shanghai.csv");
    let sessions = app.list(&path).await;
    assert!(sessions.len() > 15, "{sessions:?}");
    assert_same_rows(&file, &sessions);
    let seconds: i64 = sessions.iter().map(|session| session["counted_seconds"].as_i64().unwrap()).sum();

    let (name, file) = download(&app, &format!("{path}&format=xlsx")).await;
    assert_eq!(name, "push-sessions-2026-01-Asia-Shanghai.xlsx");
    let rows = sheet(&file, "Sessions");
    assert_eq!(rows.len(), sessions.len() + 2);
    assert_eq!((&rows[1][2], &rows[1][7]), (&text("=room"), &text("confirmed")));
    let total = rows.last().unwrap();
    assert_eq!(total[6].to_string(), seconds.to_string());
    let (_, file) = download(&app, &format!("{path}&format=csv&counted_as=estimated")).await;
    assert!(csv_rows(&file).iter().all(|row| row["counted_as"] == "estimated"));
    assert_same_rows(&file, &app.list(&format!("{path}&counted_as=estimated")).await);
}

#[tokio::test]
async fn concurrency_has_a_row_per_point_and_its_peak_on_the_second_sheet() {
    let app = TestApp::start().await;
    hostile_pushes(&app).await;
    let period = "from=2026-01-10T12:00:00Z&to=2026-01-10T14:00:00Z&time_zone=Asia/Shanghai&step=30m";
    for grouping in ["", "&group_by=domain,app"] {
        let path = format!("/v1/reports/concurrency?{period}{grouping}");
        let report = app.get(&path, 200).await;
        let (name, file) = download(&app, &format!("{path}&format=csv")).await;
        assert_eq!(name, "concurrency-2026-01-10T200000-to-2026-01-10T220000-Asia-Shanghai.csv");
        assert_same_rows(&file, report["data"].as_array().unwrap());
        let (_, file) = download(&app, &format!("{path}&format=xlsx")).await;
        let rows = sheet(&file, "Concurrency");
        assert_eq!(rows.len(), report["data"].as_array().unwrap().len() + 1);
        let at = rows[0].iter().position(|title| *title == text("At (Asia/Shanghai)")).unwrap();
        assert_eq!((shown(&rows[1][at]).as_str(), &rows[1][at + 1]), ("2026-01-10 20:00:00", &Data::Float(8.0)));
        let about = about(&file);
        assert_eq!(shown(&about["Peak at (Asia/Shanghai)"]), "2026-01-10 20:00:00");
        assert_eq!(about["Peak live sessions"], Data::Float(8.0));
    }
}

#[tokio::test]
async fn a_sealed_report_of_any_age_is_compared_and_made_a_workbook() {
    let app = TestApp::start().await;
    hostile_pushes(&app).await;
    let body = json!({ "from": "2026-01-01", "to": "2026-02-01", "time_zone": "Asia/Shanghai", "group_by": "stream" });
    let sealed = app.post("/v1/sealed-reports", &body, 201).await;
    let path = format!("/v1/sealed-reports/{}", sealed["sealed_report_id"].as_str().unwrap());
    let (_, csv) = download(&app, &format!("{path}?format=csv")).await;
    let text_of_csv = String::from_utf8(csv).unwrap();
    assert!(text_of_csv.lines().next().unwrap().ends_with(",window_start_local,time_zone,push_hours"));
    let (name, file) = download(&app, &format!("{path}?format=xlsx")).await;
    assert_eq!(name, "push-hours-2026-01-Asia-Shanghai-by-stream.xlsx");
    let report =
        format!("/v1/reports/push-duration?{JANUARY}&group_by=stream&as_of={}", sealed["as_of"].as_str().unwrap());
    let (_, same) = download(&app, &format!("{report}&format=xlsx")).await;
    assert!(file == same, "the workbook of a sealed report differs from that of the report");

    // As reports were sealed before CSV had the last three columns.
    let lines = text_of_csv.lines().map(|line| line.rsplitn(4, ',').last().unwrap().to_owned() + "\r\n");
    let old: String = lines.collect();
    assert!(old.starts_with("domain,") && old.contains(",peak_live_sessions\r\n"), "{old}");
    let query = "update sealed_report_part set content = $1";
    sqlx::query(AssertSqlSafe(query)).bind(old.as_bytes()).execute(&app.pool).await.unwrap();
    assert_eq!(download(&app, &format!("{path}?format=csv")).await.1, old.as_bytes());
    assert_eq!(app.list(&format!("{path}/difference")).await, [] as [Value; 0]);
    assert!(download(&app, &format!("{path}?format=xlsx")).await.1 == same);
}
