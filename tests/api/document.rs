//! The document of the API: committed, served, and whole.

use serde_json::Value;
use streamtally::http::api_document;

use crate::helpers::TestApp;

const COMMITTED: &str = include_str!("../../openapi/openapi.json");

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let generated = format!("{}\n", api_document().to_pretty_json().unwrap());
    assert!(generated == COMMITTED, "run `scripts/run openapi > openapi/openapi.json`");
    let app = TestApp::start().await;
    let served = app.client.get(format!("{}/openapi.json", app.address)).send().await.unwrap();
    let served: Value = served.json().await.unwrap();
    assert_eq!(served, serde_json::from_str::<Value>(COMMITTED).unwrap());
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in &references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[test]
fn every_operation_is_named_described_and_tagged() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            assert!(parameters.all(|parameter| parameter["description"].is_string()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_that_shows_it_takes_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    for path in ["/docs", "/docs/", "/docs/swagger-initializer.js", "/docs/index.css"] {
        let page = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let text = page.text().await.unwrap();
        assert!(!text.contains("//cdn") && !text.contains("src=\"http") && !text.contains("href=\"http"), "{path}");
    }
}
