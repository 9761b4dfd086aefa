//! Reports that are kept byte for byte.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use test_support::messages::DOMAIN;

use super::ledger::{Ledger, Say, push};
use crate::helpers::{ADMIN_TOKEN, TestApp, answer, until};

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

fn period() -> Value {
    json!({ "from": "2026-01-01", "to": "2026-02-01", "group_by": "stream" })
}

async fn csv(app: &TestApp, path: &str) -> String {
    let request = app.client.get(format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN);
    let response = request.header("accept", "text/csv").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_sealed_report_is_what_was_reported_with_its_hash() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    for stream in ["=room", "room, 2", "'room"] {
        let key = push(DOMAIN, "live", stream, NOON);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(NOON + 60))]).await;
    }
    let sealed = app.post("/v1/sealed-reports", &period(), 201).await;
    let id = sealed["sealed_report_id"].as_str().unwrap();
    assert_eq!((&sealed["rows"], &sealed["totals"]["push_seconds"]), (&json!(3), &json!(180)));
    assert_eq!(sealed["sealed_by"], "administrator");
    assert_eq!(sealed["parameters"]["group_by"], "stream");
    assert_eq!(sealed["parameters"]["as_of"], sealed["as_of"]);

    let path = format!("/v1/sealed-reports/{id}");
    let text = csv(&app, &path).await;
    assert_eq!(hex::encode(Sha256::digest(&text)), sealed["sha256"].as_str().unwrap());
    assert_eq!(text.len(), usize::try_from(sealed["bytes"].as_u64().unwrap()).unwrap());
    let as_of = sealed["as_of"].as_str().unwrap();
    let same = format!("/v1/reports/push-duration?from=2026-01-01&to=2026-02-01&group_by=stream&as_of={as_of}");
    assert_eq!(csv(&app, &same).await, text);
    assert_eq!(app.get(&path, 200).await, sealed);
    assert_eq!(app.list("/v1/sealed-reports").await, std::slice::from_ref(&sealed));
    assert_eq!(app.list(&format!("{path}/difference")).await, [] as [Value; 0]);
}

/// The reports that have parts.
async fn reports_with_parts(app: &TestApp) -> Vec<String> {
    let ids = "select distinct sealed_report_id::text from sealed_report_part";
    sqlx::query_scalar(ids).fetch_all(&app.pool).await.unwrap()
}

/// A report whose process has shown no sign of life for so long, with a part.
async fn insert_sealing(app: &TestApp, id: &str, idle: &str) {
    let report = format!(
        "insert into sealed_report (sealed_report_id, status, sealed_at, renewed_at, as_of, actor, parameters)
             values ('{id}', 'sealing', now(), now() - interval '{idle}', now(), 'gone', '{}');
         insert into sealed_report_part (sealed_report_id, number, content) values ('{id}', 0, 'x')",
        app.get("/v1/reports/push-duration?from=2026-01-01&to=2026-02-01", 200).await["parameters"]
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(report)).execute(&app.pool).await.unwrap();
}

#[tokio::test]
async fn what_takes_long_is_sealed_in_the_background() {
    let app = TestApp::start().await;
    let held = app.hold_table("stream_session").await;
    let request = app.client.post(format!("{}/v1/sealed-reports", app.address)).bearer_auth(ADMIN_TOKEN);
    let accepted = request.body(period().to_string()).send().await.unwrap();
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    assert!(accepted.headers().contains_key("retry-after"));
    let sealing = answer(&Method::POST, "/v1/sealed-reports", accepted, 202).await;
    assert_eq!((&sealing["status"], &sealing["sha256"]), (&json!("sealing"), &Value::Null));
    assert_eq!(app.get(&location, 200).await, sealing);
    app.get(&format!("{location}?format=csv"), 409).await;
    app.get(&format!("{location}/difference"), 409).await;

    drop(held);
    until(async || app.get(&location, 200).await["status"] == "sealed").await;
    let sealed = app.get(&location, 200).await;
    assert_eq!(hex::encode(Sha256::digest(csv(&app, &location).await)), sealed["sha256"].as_str().unwrap());
    assert_eq!(app.list(&format!("{location}/difference")).await, [] as [Value; 0]);
}

#[tokio::test]
async fn what_is_being_sealed_is_finished_when_its_caller_leaves() {
    let (app, period) = (TestApp::start().await, period());
    let held = app.hold_table("stream_session").await;
    let begun = until(async || app.list("/v1/sealed-reports").await.len() == 1);
    app.send_and_leave(Method::POST, "/v1/sealed-reports", &period.to_string(), begun).await;
    drop(held);
    until(async || app.list("/v1/sealed-reports").await[0]["status"] == "sealed").await;
    assert_eq!(reports_with_parts(&app).await.len(), 1);
}

#[tokio::test]
async fn what_a_process_left_behind_fails_when_another_starts_and_what_one_is_sealing_does_not() {
    let app = TestApp::start().await;
    let [left, sealing] = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];
    insert_sealing(&app, left, "3 minutes").await;
    insert_sealing(&app, sealing, "1 minute").await;
    let _other = app.start_another(&["--roles", "api"]).await;
    until(async || app.get(&format!("/v1/sealed-reports/{left}"), 200).await["status"] == "failed").await;
    assert_eq!(app.get(&format!("/v1/sealed-reports/{sealing}"), 200).await["status"], "sealing");
    assert_eq!(reports_with_parts(&app).await, [sealing]);
    app.get(&format!("/v1/sealed-reports/{left}?format=csv"), 409).await;
}

#[tokio::test]
async fn an_administrator_deletes_a_sealed_report_and_the_audit_log_keeps_what_it_was() {
    let app = TestApp::start().await;
    let sealed = app.post("/v1/sealed-reports", &period(), 201).await;
    let path = format!("/v1/sealed-reports/{}", sealed["sealed_report_id"].as_str().unwrap());
    let billing = app.make_token(&["billing"], None).await;
    app.with_token(&billing).send(Method::DELETE, &path, None, 403).await;
    app.delete(&path, 204).await;
    app.get(&path, 404).await;
    app.delete(&path, 404).await;
    assert_eq!(reports_with_parts(&app).await, [] as [String; 0]);
    let entry = &app.list("/v1/audit").await[0];
    assert_eq!((&entry["act"], &entry["subject_id"]), (&json!("sealed_report_deleted"), &sealed["sealed_report_id"]));
    for member in ["sha256", "as_of", "rows", "bytes", "totals", "parameters", "sealed_by"] {
        assert_eq!(entry["details"][member], sealed[member], "{member}");
    }
}

#[tokio::test]
async fn what_is_deleted_while_it_is_sealed_leaves_nothing() {
    let (app, period) = (TestApp::start().await, period());
    let held = app.hold_table("stream_session").await;
    let delete = async {
        until(async || app.list("/v1/sealed-reports").await.len() == 1).await;
        let id = app.list("/v1/sealed-reports").await[0]["sealed_report_id"].clone();
        app.delete(&format!("/v1/sealed-reports/{}", id.as_str().unwrap()), 204).await;
        drop(held);
    };
    tokio::join!(app.post("/v1/sealed-reports", &period, 409), delete);
    assert_eq!(app.list("/v1/sealed-reports").await, [] as [Value; 0]);
    assert_eq!(reports_with_parts(&app).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_token_seals_only_so_many_reports_at_a_time() {
    let (app, period) = (TestApp::start().await, period());
    let token = app.make_token(&["billing"], None).await;
    // 202 where the table is held for so long that the report is sealed in the background.
    let seal = async || {
        let request = app.client.post(format!("{}/v1/sealed-reports", app.address)).bearer_auth(&token);
        let answer = request.body(period.to_string()).send().await.unwrap();
        assert!([201, 202].contains(&answer.status().as_u16()), "{}", answer.status());
    };
    let held = app.hold_table("stream_session").await;
    let refuse = async {
        until(async || app.list("/v1/sealed-reports").await.len() == 4).await;
        let refused = app.with_token(&token).send(Method::POST, "/v1/sealed-reports", Some(&period), 429).await;
        assert_eq!(refused["detail"], "the token has reached its limit of 4 reports being sealed");
        drop(held);
    };
    tokio::join!(seal(), seal(), seal(), seal(), refuse);
    seal().await;
}

#[tokio::test]
async fn the_difference_shows_what_the_log_would_change() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    let key = |stream: &str| push(DOMAIN, "live", stream, NOON);
    for (stream, end) in [
        ("a-same", Say::End(NOON + 60)),
        ("b-later-known", Say::Superseded(NOON + 60)),
        ("'c-gone", Say::End(NOON + 60)),
    ] {
        ledger.say_each(&[(key(stream), Say::Start), (key(stream), end)]).await;
    }
    let sealed = app.post("/v1/sealed-reports", &period(), 201).await;
    let path = format!("/v1/sealed-reports/{}", sealed["sealed_report_id"].as_str().unwrap());
    let text = csv(&app, &path).await;
    ledger
        .say_each(&[
            (key("b-later-known"), Say::End(NOON + 90)),
            (key("'c-gone"), Say::OperatorEnd(NOON)),
            (key("d-new"), Say::Start),
            (key("d-new"), Say::End(NOON + 5)),
        ])
        .await;
    // Page by page, as it comes to the same.
    let (mut differences, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}/difference?limit=1{cursor}"), 200).await;
        assert_eq!(page["sealed_as_of"], sealed["as_of"]);
        differences.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let brief: Vec<_> = differences
        .iter()
        .map(|row| {
            json!([
                row["stream"],
                row["old"]["estimated_seconds"],
                row["old"]["push_seconds"],
                row["new"]["push_seconds"]
            ])
        })
        .collect();
    assert_eq!(
        json!(brief),
        json!([["'c-gone", 0, 60, null], ["b-later-known", 60, 60, 90], ["d-new", null, null, 5]])
    );
    assert_eq!(app.list(&format!("{path}/difference")).await, differences);
    assert_eq!(csv(&app, &path).await, text);
}

#[tokio::test]
async fn a_bound_token_sees_the_reports_of_its_domains_alone() {
    let app = TestApp::start().await;
    let of_all = app.post("/v1/sealed-reports", &period(), 201).await;
    let own = app.make_token(&["billing"], Some(&[DOMAIN])).await;
    let own = app.with_token(&own);
    let both = app.make_token(&["billing"], Some(&[DOMAIN, "push.other.example"])).await;
    let sealed = own.send(Method::POST, "/v1/sealed-reports", Some(&period()), 201).await;
    let path = |sealed: &Value| format!("/v1/sealed-reports/{}", sealed["sealed_report_id"].as_str().unwrap());
    assert_eq!(own.get("/v1/sealed-reports", 200).await["data"], json!([sealed]));
    own.get(&path(&sealed), 200).await;
    app.with_token(&both).get(&path(&sealed), 200).await;
    own.get(&path(&of_all), 404).await;
    own.get(&format!("{}/difference", path(&of_all)), 404).await;
    assert_eq!(app.list("/v1/sealed-reports").await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sealed_is_refused_and_named() {
    let app = TestApp::start().await;
    for (body, name) in [
        (json!({ "to": "2026-02-01" }), "from"),
        (json!({ "from": "2026-02-01", "to": "2026-01-01" }), "to"),
        (json!({ "from": "2026-01-01", "to": "2026-02-01", "window": "fortnight" }), "window"),
        (json!({ "from": "2026-01-01", "to": "2026-02-01", "limit": "5" }), "limit"),
        (json!({ "from": 5, "to": "2026-02-01" }), "from"),
        (json!({ "from": "2026-01-01", "to": "2026-02-01", "as_of": "2099-01-01T00:00:00Z" }), "as_of"),
    ] {
        let refusal = app.post("/v1/sealed-reports", &body, 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{body}");
    }
    let listed = json!({ "from": "2026-01-01", "to": "2026-02-01", "group_by": ["domain", "app"], "stream": null });
    assert_eq!(app.post("/v1/sealed-reports", &listed, 201).await["parameters"]["group_by"], "domain,app");
}
