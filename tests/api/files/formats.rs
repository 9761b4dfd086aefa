//! Which format a file has, and what is refused.

use super::reading::{XLSX, ask};
use crate::helpers::{ADMIN_TOKEN, TestApp};

const PERIOD: &str = "from=2026-01-01&to=2026-02-01";

fn paths() -> [String; 4] {
    [
        format!("/v1/reports/push-duration?{PERIOD}"),
        format!("/v1/reports/push-duration/sessions?{PERIOD}"),
        format!("/v1/reports/concurrency?{PERIOD}&step=1d"),
        "/v1/sessions?sort=started_at".to_owned(),
    ]
}

#[tokio::test]
async fn a_file_is_asked_for_by_parameter_or_by_accept() {
    let app = TestApp::start().await;
    let csv = "text/csv; charset=utf-8; header=present";
    for path in paths() {
        for (query, accept, kind) in [
            ("", "*/*", "application/json"),
            ("&format=xlsx", "*/*", XLSX),
            ("&format=csv", "*/*", csv),
            ("", XLSX, XLSX),
            ("", "text/csv", csv),
            ("", "text/csv;q=0.5, application/json;q=0.2", csv),
            ("&format=json", XLSX, "application/json"),
        ] {
            let request = app.client.get(format!("{}{path}{query}", app.address)).bearer_auth(ADMIN_TOKEN);
            let answer = request.header("accept", accept).send().await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["content-type"]),
                (200, &kind.parse().unwrap()),
                "{path}{query}"
            );
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_the_format_is_refused_and_named() {
    let app = TestApp::start().await;
    for path in paths() {
        for (query, name) in [("&bom=true", "bom"), ("&bom=true&format=xlsx", "bom"), ("&format=pdf", "format")] {
            let refusal = app.get(&format!("{path}{query}"), 400).await;
            assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{path}{query}");
        }
        if !path.contains("concurrency") {
            let refusal = app.get(&format!("{path}&format=xlsx&limit=5"), 400).await;
            assert_eq!(refusal["invalid_parameters"][0]["reason"], "xlsx has no pages: omit limit and cursor");
        }
    }
    let refusal = app.get("/v1/sessions?format=csv&include_total=true", 400).await;
    assert_eq!(refusal["invalid_parameters"][0]["name"], "include_total");
}

#[tokio::test]
async fn what_fails_before_the_first_bytes_is_a_problem() {
    let app = TestApp::start().await;
    sqlx::raw_sql("alter table session_outcome rename to gone").execute(&app.pool).await.unwrap();
    for format in ["csv", "xlsx"] {
        let answer = ask(&app, &format!("{}&format={format}", paths()[0]), ADMIN_TOKEN).await;
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.status(), 500);
    }
}
