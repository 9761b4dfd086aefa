//! The document of the API: committed, served, and whole.

use serde_json::Value;
use streamtally::http::api_document;

use crate::helpers::TestApp;
use crate::schemas::assert_fits;

const COMMITTED: &str = include_str!("../../../openapi/openapi.json");

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

/// Every operation: its name for messages, and what the document says of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((format!("{method} {path}"), operation));
        }
    }
    operations
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[test]
fn every_operation_is_named_described_and_tagged() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut used = Vec::new();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{name}");
        let tags_of_it = operation["tags"].as_array().unwrap();
        assert!(!tags_of_it.is_empty() && tags_of_it.iter().all(|tag| tags.contains(&tag)), "{name}: {tags_of_it:?}");
        used.extend(tags_of_it);
    }
    assert!(tags.iter().all(|tag| used.contains(tag)), "a tag has no operation");
}

#[test]
fn every_parameter_is_described_and_bounded() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = format!("{name}: {parameter}");
            assert!(parameter["description"].is_string(), "{name}");
            let schema = &parameter["schema"];
            let bounded = match schema["type"].as_str() {
                Some("string") => !schema["format"].is_null() || !schema["minLength"].is_null(),
                Some("integer") => schema["minimum"].is_i64() && schema["maximum"].is_i64(),
                Some("boolean") => true,
                Some(_) => false,
                None => schema["$ref"].is_string(),
            };
            assert!(bounded || parameter["in"] == "header", "{name}");
        }
    }
}

#[test]
fn every_body_has_an_example_that_fits_it() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (name, operation) in operations(&document) {
        let answers = members(&operation["responses"]).map(|(status, answer)| (status.as_str(), answer));
        for (what, body) in answers.chain([("request", &operation["requestBody"])]) {
            for (kind, content) in members(&body["content"]) {
                let example = &content["example"];
                assert!(
                    !example.is_null(),
                    "{name}, {what}: src/http/examples.json has none for {}",
                    content["schema"]
                );
                assert_fits(&format!("{name}, {what}, {kind}"), &content["schema"], example);
            }
        }
    }
}

#[test]
fn every_error_says_which_code_it_has() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (name, operation) in operations(&document) {
        for (status, answer) in members(&operation["responses"]) {
            let example = &answer["content"]["application/problem+json"]["example"];
            if !example.is_null() {
                assert_eq!(example["status"].to_string(), *status, "{name}");
                let description = answer["description"].as_str().unwrap();
                assert!(description.contains(&format!("`{}`", example["code"].as_str().unwrap())), "{name} {status}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_that_shows_it_takes_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    for path in
        ["/docs", "/docs/", "/docs/index.html", "/docs/swagger-initializer.js", "/docs/page.css", "/docs/page.js"]
    {
        let page = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let text = page.text().await.unwrap();
        assert!(!text.contains("//cdn") && !text.contains("src=\"http") && !text.contains("href=\"http"), "{path}");
    }
}

#[tokio::test]
async fn the_page_that_shows_it_has_our_name_and_leads_to_the_dashboard_where_there_is_one() {
    let app = TestApp::start().await;
    let (receiver, _stop) = app.start_another(&["--roles", "receiver"]).await;
    for (address, has_dashboard) in [(&app.address, true), (&receiver, false)] {
        let page = app.client.get(format!("{address}/docs/")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<title>streamtally API</title>") && page.contains("name=\"viewport\""), "{page}");
        assert_eq!(page.contains("href=\"/dashboard\""), has_dashboard, "{page}");
        for asset in page.split('"').filter(|text| [".js", ".css"].iter().any(|end| text.ends_with(end))) {
            let served = app.client.get(format!("{address}/docs/{asset}")).send().await.unwrap();
            assert_eq!(served.status(), 200, "{asset}");
        }
    }
}

#[tokio::test]
async fn reports_can_be_tried_with_what_the_page_fills_in() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let app = TestApp::start().await;
    for path in ["push-duration", "push-duration/sessions", "concurrency"] {
        let path = format!("/v1/reports/{path}");
        let parameters = document["paths"][&path]["get"]["parameters"].as_array().unwrap().iter();
        let filled: Vec<String> = parameters
            .filter_map(|parameter| {
                let value = [&parameter["example"], &parameter["schema"]["default"]]
                    .into_iter()
                    .find(|value| !value.is_null())?;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some(format!("{}={text}", parameter["name"].as_str().unwrap()))
            })
            .collect();
        app.get(&format!("{path}?{}", filled.join("&")), 200).await;
    }
}

#[test]
fn no_header_is_filled_in_that_would_change_the_answer() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["in"] != "header" || parameter["example"].is_null(), "{name}: {parameter}");
        }
    }
}
