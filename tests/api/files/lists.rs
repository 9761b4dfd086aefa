// ! Files of lists of sessions.

use calamine::Data;
use serde_json::{Value, json};
use test_support::messages::{DOMAIN, Push};

use super::reading::{about, ask, assert_same_rows, csv_rows, download, sheet, shown, text};
use crate::helpers::TestApp;

#[tokio::test]
async fn a_list_of_sessions_is_whole_in_its_files() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "rendition_templates": ["lud"] }), 200).await;
    let pushes: Vec<_> =
        ["=room", "room_lud", "room"].iter().zip(0..).map(|(name, n)| Push::of(name, 3_000 + n)).collect();
    let messages: Vec<_> = pushes.iter().map(Push::start).chain([pushes[0].end()]).collect();
    app.receive(&messages).await;
    let (name, file) = download(&app, "/v1/sessions?format=csv&status=ended").await;
    assert!(name.starts_with("sessions-20"), "{name}");
    assert_same_rows(&file, &app.list("/v1/sessions?status=ended").await);
    let (_, file) = download(&app, "/v1/sessions?format=csv&sort=started_at&time_zone=Asia/Kathmandu").await;
    let rows = csv_rows(&file);
    let streams: Vec<_> = rows.iter().map(|row| row["stream"].as_str()).collect();
    assert_eq!(streams, ["room", "room_lud", "'=room"]);
    assert_eq!([&rows[1]["rendition_of"], &rows[1]["rendition_template"]], ["room", "lud"]);
    assert_eq!(rows[0]["time_zone"], "Asia/Kathmandu");

    let (_, file) = download(&app, "/v1/sessions?format=xlsx&time_zone=Asia/Kathmandu").await;
    let sheet = sheet(&file, "Sessions");
    assert_eq!((sheet.len(), &sheet[1][2]), (3 + 2, &text("=room")));
    let started = sheet[0].iter().position(|title| *title == text("Started at (Asia/Kathmandu)")).unwrap();
    let ended = csv_rows(&file_of_ended(&app).await)[0]["started_at_local"].clone();
    assert_eq!(shown(&sheet[1][started]), ended);
    let seconds = sheet[0].iter().position(|title| *title == text("Duration seconds")).unwrap();
    let number = |row: &[Data]| row[seconds].to_string().parse::<i64>().unwrap();
    assert_eq!(number(&sheet[4]), sheet[1..4].iter().map(|row| number(row)).sum::<i64>());
}

async fn file_of_ended(app: &TestApp) -> Vec<u8> {
    download(app, "/v1/sessions?format=csv&status=ended&time_zone=Asia/Kathmandu").await.1
}

#[tokio::test]
async fn personal_members_need_the_scope() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    let (reader, personal) = (app.make_token(&["read"], None).await, app.make_token(&["read", "personal"], None).await);
    for format in ["csv", "xlsx"] {
        let path = format!("/v1/sessions?format={format}");
        let answer = ask(&app, &path, &personal).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let (with, without) = (answer.bytes().await.unwrap(), ask(&app, &path, &reader).await.bytes().await.unwrap());
        if format == "csv" {
            assert!(csv_rows(&with)[0].contains_key("user_args") && !csv_rows(&without)[0].contains_key("user_args"));
            assert_same_rows(&with, &personal_rows(&app, &personal).await);
        } else {
            let header = &sheet(&with, "Sessions")[0];
            let column = header.iter().position(|cell| *cell == text("User args")).unwrap();
            assert!(sheet(&with, "Sessions")[1][column].to_string().starts_with("auth_info=masked-"));
            assert!(!sheet(&without, "Sessions")[0].contains(&text("User args")));
        }
    }
}

async fn personal_rows(app: &TestApp, token: &str) -> Vec<Value> {
    let page = app.with_token(token).get("/v1/sessions", 200).await;
    let mut rows = page["data"].as_array().unwrap().clone();
    //  It is live: its length depends on the moment.
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("duration_seconds");
    }
    rows
}

#[tokio::test]
async fn a_file_has_the_domains_of_its_token_alone() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start()]).await;
    let elsewhere = app.make_token(&["read", "billing"], Some(&["push.other.example"])).await;
    let period = "from=2026-01-01&to=2090-01-01";
    for path in [
        "/v1/sessions?format=csv".to_owned(),
        format!("/v1/reports/push-duration?{period}&format=csv"),
        format!("/v1/reports/push-duration/sessions?{period}&format=csv"),
    ] {
        let file = ask(&app, &path, &elsewhere).await.bytes().await.unwrap();
        assert_eq!(csv_rows(&file).len(), 0, "{path}");
        assert_eq!(csv_rows(&download(&app, &path).await.1).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_text_that_is_longer_than_a_cell_is_cut() {
    let app = TestApp::start().await;
    let name = "%F0%9F%98%80".repeat(512);
    let filters =
        ["domain", "app", "stream", "stream_prefix", "client_ip", "node_ip"].map(|filter| format!("&{filter}={name}"));
    let (_, file) = download(&app, &format!("/v1/sessions?format=xlsx{}", filters.concat())).await;
    let cell = about(&file)["Filters"].to_string();
    assert!(cell.starts_with("format=xlsx&domain=%F0") && cell.ends_with('…'), "{cell}");
    assert_eq!(cell.chars().count(), 32_767);
}
