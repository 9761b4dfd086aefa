//! Reports that are kept byte for byte.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ledger::{Ledger, Say, push};
use crate::helpers::TestApp;
use crate::messages::DOMAIN;

/// 2026-01-10, at noon.
const NOON: i64 = 1_768_046_400;

fn period() -> Value {
    json!({ "from": "2026-01-01", "to": "2026-02-01", "group_by": "stream" })
}

async fn csv(app: &TestApp, path: &str) -> String {
    let request = app.client.get(format!("{}{path}", app.address)).bearer_auth(crate::helpers::ADMIN_TOKEN);
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
    let sealed = own.send(reqwest::Method::POST, "/v1/sealed-reports", Some(&period()), 201).await;
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
        (json!({ "from": "2026-01-01", "to": "2026-02-01", "window": "week" }), "window"),
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
