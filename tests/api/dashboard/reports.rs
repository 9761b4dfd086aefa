//! Reports in the dashboard: a month, its sessions, its closing, and its files.

use calamine::Data;
use chrono::{Datelike, Months};
use chrono_tz::Tz;
use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::DOMAIN;

use super::browser::{Browser, between};
use crate::files::reading::{self, shown, text};
use crate::helpers::TestApp;
use crate::reports::ledger::{Ledger, Say, push};

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

/// January by stream, in a time zone whose offset is not of whole hours.
const JANUARY: &str = "/dashboard/reports?month=2026-01&group_by=domain%2Capp%2Cstream&time_zone=Asia%2FKathmandu";

/// An hour that is estimated, and a minute that is confirmed.
async fn two_pushes(app: &TestApp) -> Ledger<'_> {
    let mut ledger = Ledger::new(app);
    let (long, short) = (push(DOMAIN, "live", "room <1>", NOON), push(DOMAIN, "live", "=gone", NOON));
    ledger
        .say_each(&[
            (long.clone(), Say::Start),
            (long, Say::Superseded(NOON + 3_600)),
            (short.clone(), Say::Start),
            (short, Say::End(NOON + 60)),
        ])
        .await;
    ledger
}

async fn signed_in(app: &TestApp, scopes: &[&str]) -> Browser {
    Browser::signed_in(app, &app.make_token(scopes, None).await).await
}

/// The address of the first link that begins so.
fn link(page: &str, begin: &str) -> String {
    let rest = between(page, &format!("href=\"{begin}"), "\"");
    format!("{begin}{rest}").replace("&amp;", "&")
}

/// Follows the link to the page that closes the period; its path and the fields of its form.
async fn open_closing(browser: &Browser, page: &str) -> (String, Vec<(String, String)>) {
    let page = browser.page(&link(page, "/dashboard/reports/close?")).await;
    let form = between(&page, "action=\"/dashboard/reports/close\"", "</form>");
    let fields = form.split("type=\"hidden\" name=\"").skip(1).map(|field| {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split_once('"').unwrap().0.to_owned())
    });
    let fields = fields.collect();
    (page, fields)
}

async fn close(browser: &Browser, fields: &[(String, String)], more: &[(&str, &str)]) -> reqwest::Response {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post("/dashboard/reports/close", &[&fields, more].concat()).await
}

#[tokio::test]
async fn reports_open_on_last_month_in_the_visitors_time_zone() {
    let app = TestApp::start().await;
    let mut browser = signed_in(&app, &["billing"]).await;
    let cookie = browser.cookie.take().unwrap();
    browser.cookie = Some(format!("{cookie}; streamtally-time-zone=Pacific/Kiritimati"));
    let today = clock::now().with_timezone(&Tz::Pacific__Kiritimati).date_naive();
    let last_month = (today.with_day(1).unwrap() - Months::new(1)).format("%B %Y").to_string();
    let page = browser.page("/dashboard/reports").await;
    assert!(page.contains(&format!("<h2>{last_month} · Pacific/Kiritimati</h2>")), "{page}");
    assert!(page.contains("No push hours in this period"), "{page}");
}

#[tokio::test]
async fn a_report_has_hours_in_the_order_that_is_chosen() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    let browser = signed_in(&app, &["billing"]).await;
    let page = browser.page(&format!("{JANUARY}&window=day")).await;
    assert!(page.contains("January 2026 · Asia/Kathmandu"), "{page}");
    assert!(page.contains("<bdi>room &lt;1&gt;</bdi>") && page.contains("10 Jan"), "{page}");
    assert!(page.contains("title=\"01:00:00\">1.00<") && page.contains("title=\"01:01:00\">1.02<"), "{page}");
    assert!(page.contains("Peak: 2 sessions of 2 streams"), "{page}");
    let order = |page: &str| page.find("<bdi>=gone").unwrap() < page.find("<bdi>room").unwrap();
    assert!(order(&page));
    assert!(!order(&browser.page(&format!("{JANUARY}&sort=push_time")).await));
}

#[tokio::test]
async fn a_report_tells_of_quarantined_callbacks_that_could_change_it() {
    let app = TestApp::start().await;
    let counted = push(DOMAIN, "live", "room", NOON);
    let held = push(DOMAIN, "live", "held", NOON);
    Ledger::new(&app)
        .say_each(&[(counted.clone(), Say::Start), (counted, Say::End(NOON + 60)), (held, Say::Quarantined)])
        .await;
    let browser = signed_in(&app, &["billing"]).await;
    let tells = async |query: &str| {
        let page = browser.page(&format!("/dashboard/reports?month={query}")).await;
        page.contains("quarantined callbacks count only if they are released")
    };
    for query in ["2026-01", &format!("2026-01&domain={DOMAIN}"), "2026-01&app=live&stream=held"] {
        assert!(tells(query).await, "{query}");
    }
    for query in ["2025-12", "2026-02", "2026-01&domain=other.example", "2026-01&stream=room"] {
        assert!(!tells(query).await, "{query}");
    }
}

#[tokio::test]
async fn a_number_opens_its_sessions_as_of_the_report() {
    let app = TestApp::start().await;
    let mut ledger = two_pushes(&app).await;
    let browser = signed_in(&app, &["read", "billing"]).await;
    let page = browser.page(JANUARY).await;
    let warning = between(&page, "January 2026 can still change", "</ul>");
    let estimated = link(warning, "/dashboard/reports/sessions?");
    ledger.say_each(&[(push(DOMAIN, "live", "room <1>", NOON), Say::End(NOON + 7_200))]).await;

    let sessions = browser.page(&estimated).await;
    assert!(sessions.contains("January 2026 · Asia/Kathmandu"), "{sessions}");
    assert!(sessions.contains("<bdi>room &lt;1&gt;</bdi>") && !sessions.contains("=gone"), "{sessions}");
    assert!(sessions.contains("the next push of the stream took over"), "{sessions}");
    assert!(
        sessions.contains("10 Jan")
            && sessions.contains("17:45:00")
            && sessions.contains("href=\"/dashboard/sessions/"),
        "{sessions}"
    );
    let all = browser.page(estimated.split("&counted_as=").next().unwrap()).await;
    assert!(all.contains("=gone") && all.contains("<bdi>room"), "{all}");

    let first = browser.page("/dashboard/reports/sessions?from=2026-01-01&to=2026-02-01&limit=1").await;
    let second = browser.page(&link(&first, "/dashboard/reports/sessions?from=2026-01-01&amp;")).await;
    for page in [&first, &second] {
        assert_eq!(page.matches("data-label=\"Counted\"").count(), 1, "{page}");
    }
    assert_ne!(first.contains("=gone"), second.contains("=gone"));
    assert!(!second.contains("Next page"), "{second}");
}

#[tokio::test]
async fn a_token_of_billing_alone_begins_at_the_reports_and_opens_no_other_page() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    let browser = signed_in(&app, &["billing"]).await;
    let home = browser.get("/dashboard").await;
    assert_eq!((home.status().as_u16(), &home.headers()["location"]), (303, &"/dashboard/reports".parse().unwrap()));
    assert_eq!(browser.get("/dashboard/find").await.status(), 403);
    let page = browser.page(JANUARY).await;
    let sessions = browser.page(&link(&page, "/dashboard/reports/sessions?")).await;
    assert!(sessions.contains("<bdi>room") && !sessions.contains("/dashboard/sessions/"), "{sessions}");

    let reader = signed_in(&app, &["read"]).await;
    assert!(!reader.page("/dashboard").await.contains("/dashboard/reports"));
    for path in [
        "",
        "/sessions?from=2026-01-01&to=2026-02-01",
        "/close?from=2026-01-01&to=2026-02-01",
        "/file?from=2026-01-01&to=2026-02-01",
    ] {
        assert_eq!(reader.get(&format!("/dashboard/reports{path}")).await.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_bound_token_sees_no_sessions_of_other_domains() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    app.put("/v1/domains/push.other.example", &json!({}), 201).await;
    let token = app.make_token(&["billing"], Some(&["push.other.example"])).await;
    let browser = Browser::signed_in(&app, &token).await;
    assert!(browser.page(JANUARY).await.contains("No push hours in this period"));
    let sessions = format!("/dashboard/reports/sessions?from=2026-01-01&to=2026-02-01&domain={DOMAIN}");
    assert!(browser.page(&sessions).await.contains("No such sessions."));
}

#[tokio::test]
async fn a_period_is_closed_once_it_is_over_and_confirmed() {
    let app = TestApp::start().await;
    let mut ledger = two_pushes(&app).await;
    let browser = signed_in(&app, &["billing"]).await;
    let (page, fields) = open_closing(&browser, &browser.page(JANUARY).await).await;
    for part in ["Close January 2026", "Asia/Kathmandu", "1.02", "hours are estimated"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let unticked = close(&browser, &fields, &[]).await;
    assert_eq!(unticked.status(), 400);
    assert!(unticked.text().await.unwrap().contains("Nothing was sealed"));
    let guessed: Vec<_> = fields.iter().filter(|(name, _)| name != "form_token").cloned().collect();
    let tick = [("confirmed", "yes")];
    assert_eq!(close(&browser, &guessed, &[tick[0], ("form_token", "guessed")]).await.status(), 400);
    assert_eq!(app.list("/v1/sealed-reports").await.len(), 0);

    // The report is sealed as it was shown: later events are not in it.
    let late = push(DOMAIN, "live", "late", NOON);
    ledger.say_each(&[(late.clone(), Say::Start), (late, Say::End(NOON + 1_800))]).await;
    let closed = close(&browser, &fields, &tick).await;
    assert_eq!(closed.status(), 303);
    let page = browser.page(closed.headers()["location"].to_str().unwrap()).await;
    assert!(page.contains("January 2026 (Asia/Kathmandu) is closed: 1.02 h"), "{page}");
    let sealed = between(&page, "<section class=\"sealed\">", "</section>");
    assert!(sealed.contains("January 2026") && !sealed.contains("2025-12-31"), "{sealed}");

    let workbook = link(&page, "/dashboard/reports/sealed/");
    let path = workbook.strip_suffix("/file").unwrap();
    let difference = browser.page(path).await;
    assert!(difference.contains("What changed in January 2026") && difference.contains("+49.1 %"), "{difference}");
    assert!(difference.contains("title=\"1800 s\">+0.50<") && !difference.contains("<bdi>room"), "{difference}");
    assert!(browser.page(&link(&difference, "/dashboard/reports/sessions?")).await.contains("<bdi>late</bdi>"));
    let file = browser.get(&format!("{path}/changes")).await.bytes().await.unwrap();
    assert_eq!(reading::sheet(&file, "What changed")[1][2], text("late"));
}

#[tokio::test]
async fn a_running_month_cannot_be_closed() {
    let app = TestApp::start().await;
    let browser = signed_in(&app, &["billing"]).await;
    let month = clock::now().format("%Y-%m").to_string();
    let page = browser.page(&format!("/dashboard/reports?month={month}&time_zone=UTC")).await;
    assert!(page.contains("This period is not over yet"), "{page}");
    let (page, fields) = open_closing(&browser, &page).await;
    assert!(page.contains("<button class=\"primary\" disabled>"), "{page}");
    assert_eq!(close(&browser, &fields, &[("confirmed", "yes")]).await.status(), 400);
    assert_eq!(app.list("/v1/sealed-reports").await.len(), 0);
}

#[tokio::test]
async fn files_have_the_name_of_the_month_and_no_formula() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    let browser = signed_in(&app, &["billing"]).await;
    let page = browser.page(&format!("{JANUARY}&window=day")).await;
    let name = "push-hours-2026-01-Asia-Kathmandu-by-domain-app-stream-per-day";
    let csv = browser.get(&link(&page, "/v1/reports/push-duration?")).await;
    assert_eq!(csv.headers()["content-disposition"], format!("attachment; filename=\"{name}.csv\""));

    let sheet = browser.get(&link(&page, "/dashboard/reports/file?")).await;
    assert_eq!(sheet.headers()["content-disposition"], format!("attachment; filename=\"{name}.xlsx\""));
    let rows = reading::sheet(&sheet.bytes().await.unwrap(), "Push hours");
    assert_eq!(rows[0][..4], ["Domain", "App", "Stream", "Start (Asia/Kathmandu)"].map(text));
    assert_eq!(rows[1][..3], [DOMAIN, "live", "=gone"].map(text));
    assert_eq!(shown(&rows[2][3]), "2026-01-10 00:00:00");
    assert_eq!((rows.len(), &rows[3][0], &rows[3][8]), (4, &text("Total"), &Data::Float(3_660.0)));
}

#[tokio::test]
async fn workbooks_are_in_the_visitors_language() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    let mut browser = signed_in(&app, &["billing"]).await;
    let page = browser.page(&format!("{JANUARY}&window=day")).await;
    let report = link(&page, "/dashboard/reports/file?");
    browser.headers.push(("accept-language", "zh-CN".to_owned()));
    let file = browser.get(&report).await.bytes().await.unwrap();
    assert_eq!(reading::sheet(&file, "推流小时数")[0][0], text("推流域名"));
    assert_eq!(reading::sheet(&file, "说明")[0][2], text("含义"));
}

#[tokio::test]
async fn the_sessions_behind_a_number_and_sealed_reports_and_changes_are_files_too() {
    let app = TestApp::start().await;
    two_pushes(&app).await;
    let browser = signed_in(&app, &["billing"]).await;
    let page = browser.page(JANUARY).await;
    let sessions = browser.page(&link(&page, "/dashboard/reports/sessions?")).await;
    let csv = browser.get(&link(&sessions, "/v1/reports/push-duration/sessions?")).await;
    let file = browser.get(&link(&sessions, "/dashboard/reports/sessions/file?")).await.bytes().await.unwrap();
    let rows = reading::sheet(&file, "Sessions");
    assert_eq!(reading::csv_rows(&csv.bytes().await.unwrap()).len(), rows.len() - 2);

    let body = json!({ "from": "2026-01-01", "to": "2026-02-01", "time_zone": "Asia/Kathmandu", "group_by": "stream" });
    let sealed = app.post("/v1/sealed-reports", &body, 201).await;
    let path = format!("/dashboard/reports/sealed/{}", sealed["sealed_report_id"].as_str().unwrap());
    assert!(browser.page(JANUARY).await.contains(&format!("{path}/file")));
    let file = browser.get(&format!("{path}/file")).await.bytes().await.unwrap();
    assert_eq!(reading::sheet(&file, "Push hours").len(), 4);
    let mut ledger = Ledger::new(&app);
    let key = push(DOMAIN, "live", "=late", NOON);
    ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + 3_600))]).await;
    let file = browser.get(&format!("{path}/changes")).await.bytes().await.unwrap();
    let rows = reading::sheet(&file, "What changed");
    assert_eq!((rows.len(), &rows[1][0]), (3, &text("=late")));
    assert_eq!(rows[2][3..], [0.0, 1.0, 1.0, 3_600.0].map(Data::Float));
}

#[tokio::test]
async fn wrong_choices_stay_in_the_form_with_a_word_at_their_field() {
    let app = TestApp::start().await;
    let browser = signed_in(&app, &["billing"]).await;
    for (query, typed) in [
        ("month=%2B262142-12", "value=\"+262142-12\""),
        ("month=1969-12", "value=\"1969-12\""),
        ("month=soon&group_by=app", "value=\"app\" selected"),
        ("from=2026-11-31&through=2026-12-01", "value=\"2026-11-31\""),
        ("from=2026-11-02&through=2026-11-01&app=live", "value=\"live\""),
        ("from=2026-11-02", "value=\"2026-11-02\""),
        ("month=2026-01&window=hour", "value=\"hour\" selected"),
    ] {
        let answer = browser.get(&format!("/dashboard/reports?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("aria-invalid=\"true\"") && page.contains("class=\"field-error\""), "{query}: {page}");
        assert!(page.contains(typed), "{query}: {page}");
    }
    let unknown = browser.get("/dashboard/reports?month=2026-01&colour=red").await;
    assert_eq!(unknown.status(), 400);
}
