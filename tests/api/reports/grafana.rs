//! The requests of the Grafana dashboard.

use std::fs;

use serde_json::Value;
use streamtally::platform::clock;
use test_support::messages::Push;

use crate::helpers::TestApp;

const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring/grafana/streams.json");

#[tokio::test]
async fn each_panel_of_the_grafana_dashboard_gets_its_columns_with_the_scope_read() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room1", 60).start()]).await;
    let token = app.make_token(&["read"], None).await;
    let dashboard: Value = serde_json::from_slice(&fs::read(DASHBOARD).unwrap()).unwrap();
    let to = clock::now().timestamp_millis();
    let from = (to - 3_600_000).to_string();
    let mut panels = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let path = target["url"].as_str().unwrap();
            let path =
                path.replace("${__from}", &from).replace("${__to}", &to.to_string()).replace("${__interval}", "30s");
            assert!(!path.contains('$'), "{path}");
            let answer = app.with_token(&token).get(&path, 200).await;
            let root = target["root_selector"].as_str().unwrap();
            let row = if root.is_empty() { &answer } else { answer[root].as_array().unwrap().last().unwrap() };
            for column in target["columns"].as_array().unwrap() {
                let value = &row[column["selector"].as_str().unwrap()];
                let fits = match column["type"].as_str().unwrap() {
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "string" => value.is_string(),
                    "timestamp" => value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok(),
                    other => panic!("unknown type {other}"),
                };
                assert!(fits, "{path}: {column}, {row}");
            }
            panels += 1;
        }
    }
    assert_eq!(panels, 7);
}
