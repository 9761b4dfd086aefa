//! A token that is bound to domains: nothing of others exists for it, through any operation of the API.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use streamtally::http::api_document;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;

/// Stands in every name of the other domain.
const MARK: &str = "bravo";
const OTHER: &str = "push.bravo.example.com";
const OTHER_KEY: &str = "the-key-of-the-bravo-domain-here";
const OTHER_IP: &str = "192.0.2.66";

fn theirs(stream: &str, seconds_ago: i64) -> Push {
    Push {
        domain: OTHER.to_owned(),
        app: "bravo".to_owned(),
        key: OTHER_KEY.to_owned(),
        client_ip: OTHER_IP.to_owned(),
        ..Push::of(stream, seconds_ago)
    }
}

/// Sends one message of each fate: live, ended, quarantined, released, refused.
async fn every_fate(app: &TestApp, push: impl Fn(&str, i64) -> Push, names: [&str; 3]) {
    let [live, ended, late] = names;
    let expired = push(late, 2_000).message("PUBLISH", clock::now().timestamp() - 700);
    let again = push(late, 1_900).message("PUBLISH", clock::now().timestamp() - 800);
    app.receive(&[push(live, 100).start(), push(ended, 90).start(), push(ended, 90).end(), expired, again]).await;
    app.callback(&Push { key: "w".repeat(32), ..push(live, 100) }.start(), 401).await;
    let domain = push(live, 100).domain;
    let quarantined = app.list(&format!("/v1/events?disposition=quarantined&domain={domain}")).await;
    app.post(&format!("/v1/events/{}/release", quarantined[0]["event_id"].as_str().unwrap()), &json!({}), 200).await;
    app.fold().await;
    let path = format!("/v1/rejections?domain={domain}");
    crate::helpers::until(async || app.list(&path).await.len() == 1).await;
    let path = format!("/v1/rejections/kept?domain={domain}");
    crate::helpers::until(async || app.list(&path).await.len() == 1).await;
}

/// Everything that identifies something of the other domain.
struct TheirIds {
    by_parameter: BTreeMap<&'static str, Vec<String>>,
}

impl TheirIds {
    async fn collect(app: &TestApp) -> Self {
        let ids = async |path: String, member: &str| -> Vec<String> {
            app.list(&path).await.iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
        };
        let filter = format!("domain={OTHER}&limit=500");
        let domain = app.get(&format!("/v1/domains/{OTHER}"), 200).await;
        let period = json!({ "from": "2020-01-01", "to": "2099-01-01", "group_by": "stream" });
        let sealed = app.post("/v1/sealed-reports", &period, 201).await;
        let webhook = json!({ "name": "theirs", "url": "https://receiver.example.com/", "domains": [OTHER] });
        let webhook = app.post("/v1/webhooks", &webhook, 201).await;
        let account = json!({
            "name": "bravo", "endpoint": "https://live.bravo.example.com", "project_id": "bravo",
            "access_key": "bravo-access-key", "secret_key": "bravo-secret-key",
        });
        let account = app.post("/v1/provider-accounts", &account, 201).await;
        let by_parameter = BTreeMap::from([
            ("session_id", ids(format!("/v1/sessions?{filter}"), "session_id").await),
            ("stream_id", ids(format!("/v1/streams?{filter}"), "stream_id").await),
            ("rejection_id", ids(format!("/v1/rejections/kept?{filter}"), "rejection_id").await),
            ("event_id", ids(format!("/v1/events?{filter}"), "event_id").await),
            ("token_id", ids("/v1/tokens".to_owned(), "token_id").await),
            ("key_id", vec![domain["keys"][0]["key_id"].as_str().unwrap().to_owned()]),
            ("domain", vec![OTHER.to_owned()]),
            ("account_id", vec![account["account_id"].as_str().unwrap().to_owned()]),
            ("webhook_id", vec![webhook["webhook_id"].as_str().unwrap().to_owned()]),
            ("sealed_report_id", vec![sealed["sealed_report_id"].as_str().unwrap().to_owned()]),
        ]);
        assert!(by_parameter.values().all(|ids| !ids.is_empty()));
        Self { by_parameter }
    }
}

/// Every request that the document of the API has room for: each operation with a token, on things of both domains,
/// with each filter alone.
fn requests(ids: &TheirIds) -> Vec<(Method, String)> {
    let document: Value = serde_json::to_value(api_document()).unwrap();
    let mut requests = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] == json!([{}]) || operation["security"] == json!([]) {
                continue;
            }
            // Has no end; what it tells whom is tested where it is listened to.
            if operation["responses"]["200"]["content"]["text/event-stream"].is_object() {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let (required, queries) = queries(operation, ids);
            for path in paths(template, ids) {
                requests.push((method.clone(), format!("{path}?{required}")));
                requests.extend(queries.iter().map(|query| (method.clone(), format!("{path}?{required}{query}"))));
            }
        }
    }
    requests
}

/// A path's template with the other domain's ids, each of them in turn.
fn paths(template: &str, ids: &TheirIds) -> Vec<String> {
    let mut paths = vec![template.to_owned()];
    for (parameter, values) in &ids.by_parameter {
        let place = format!("{{{parameter}}}");
        paths = paths
            .into_iter()
            .flat_map(|path| {
                if path.contains(&place) {
                    values.iter().map(|value| path.replace(&place, value)).collect()
                } else {
                    vec![path]
                }
            })
            .collect();
    }
    assert!(paths.iter().all(|path| !path.contains('{')), "{template} has a parameter that this test does not know");
    paths
}

/// What an operation must be asked with, and each of its filters, with what would find the other domain if anything did.
fn queries(operation: &Value, ids: &TheirIds) -> (String, Vec<String>) {
    let (mut required, mut queries) = (String::new(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] != "query" {
            continue;
        }
        let values = match name {
            "app" | "search" => vec!["bravo".to_owned()],
            "stream" => ["bravo-live", "bravo-ended", "bravo-late"].map(str::to_owned).to_vec(),
            "stream_prefix" => vec!["bravo-".to_owned()],
            "client_ip" => vec![OTHER_IP.to_owned()],
            "limit" => vec!["1".to_owned(), "500".to_owned()],
            "include_total" => vec!["true".to_owned()],
            "bom" => vec!["false".to_owned()],
            // Its files have the lengths of live sessions; `files::lists` tests them.
            "format" if operation["operationId"] == "list_sessions" => vec!["json".to_owned()],
            "group_by" => vec!["domain".to_owned(), "domain%2Capp".to_owned()],
            "min_duration_seconds" | "publish_timestamp" => vec!["0".to_owned()],
            "max_duration_seconds" => vec!["9999999999".to_owned()],
            "merge_gap_seconds" => vec!["0".to_owned(), "86400".to_owned()],
            "node_ip" => vec!["198.51.100.2".to_owned()],
            "event" => vec!["PUBLISH".to_owned(), "RELEASED".to_owned()],
            "from" => vec!["2020-01-01T00:00:00Z".to_owned()],
            "to" => vec!["2100-01-01T00:00:00Z".to_owned()],
            "at" => {
                vec![(clock::now() - chrono::TimeDelta::seconds(80)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)]
            }
            "unconfirmed" => vec!["true".to_owned(), "false".to_owned()],
            "as_of" => vec![clock::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)],
            "time_zone" => vec!["Asia/Kathmandu".to_owned()],
            "step" => vec!["1d".to_owned()],
            "cursor" => Vec::new(),
            name => match ids.by_parameter.get(name) {
                Some(ids) => ids.clone(),
                None => words(name, &parameter["schema"]),
            },
        };
        // Without a fixed instant, a live session gets a row more when an hour begins.
        if parameter["required"] == true || name == "as_of" {
            required = format!("{required}{name}={}&", values[0]);
        } else {
            queries.extend(values.into_iter().map(|value| format!("{name}={value}")));
        }
    }
    (required, queries)
}

/// The words that a parameter may be.
fn words(name: &str, schema: &Value) -> Vec<String> {
    let document: Value = serde_json::to_value(api_document()).unwrap();
    let text = schema.to_string();
    let referred = text.split("#/components/schemas/").nth(1).and_then(|rest| rest.split('"').next());
    let Some(schema) = referred else { panic!("{name} is a filter that this test does not know") };
    let words = document["components"]["schemas"][schema]["enum"].as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// An answer without what differs from one moment to the next.
fn timeless(mut body: Value) -> Value {
    match &mut body {
        Value::Object(members) => {
            for member in [
                "as_of",
                "duration_seconds",
                "next_cursor",
                // What was asked for.
                "parameters",
                "on_air_seconds",
            ] {
                members.remove(member);
            }
            for value in members.values_mut() {
                *value = timeless(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = timeless(item.take());
            }
        }
        _ => {}
    }
    body
}

async fn ask(app: &TestApp, token: &str, method: &Method, path: &str) -> (u16, Value) {
    let request = app.client.request(method.clone(), format!("{}{path}", app.address)).bearer_auth(token);
    let request = request.header("x-request-id", "always-the-same");
    let request = if [Method::POST, Method::PUT].contains(method) { request.body("{}") } else { request };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, timeless(serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// Takes away everything that ever was of the other domain.
async fn forget_the_other_domain(app: &TestApp) {
    for statement in [
        "delete from log_entry where domain = $1",
        "delete from stream_session where domain = $1",
        "delete from stream where domain = $1",
        "delete from rejection where claimed_domain = $1",
        "delete from ingest_domain where domain = $1",
        "delete from audit_entry where domain = $1",
    ] {
        let gone = sqlx::query(statement).bind(OTHER).execute(&app.pool).await.unwrap().rows_affected();
        assert!(gone > 0, "{statement}");
    }
}

#[tokio::test]
async fn nothing_of_other_domains_exists_for_a_bound_token_through_any_operation() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{OTHER}"), &json!({}), 201).await;
    app.post(&format!("/v1/domains/{OTHER}/keys"), &json!({ "key": OTHER_KEY }), 201).await;
    every_fate(&app, Push::of, ["live", "ended", "late"]).await;
    every_fate(&app, theirs, ["bravo-live", "bravo-ended", "bravo-late"]).await;
    let scopes = ["read", "personal", "billing"];
    let bound = app.make_token(&scopes, Some(&[DOMAIN])).await;
    let unbound = app.make_token(&scopes, None).await;
    let ids = TheirIds::collect(&app).await;
    let requests = requests(&ids);

    let mut answers = Vec::new();
    let mut seen_by_others = 0;
    for (method, path) in &requests {
        let answer = ask(&app, &bound, method, path).await;
        let text = answer.1.to_string();
        assert!(!text.contains(MARK) && !text.contains(OTHER_IP), "{method} {path}: {text}");
        let theirs = ids.by_parameter.values().flatten().find(|id| text.contains(id.as_str()));
        assert_eq!(theirs, None, "{method} {path}: {text}");
        answers.push(answer);
        seen_by_others += usize::from(ask(&app, &unbound, method, path).await.1.to_string().contains(MARK));
    }
    assert!(
        seen_by_others > 30,
        "of {} answers, {seen_by_others} show it to a token that is not bound",
        requests.len()
    );

    // Had the other domain never been, not one answer would have been another.
    forget_the_other_domain(&app).await;
    for ((method, path), answer) in requests.iter().zip(answers) {
        assert_eq!(ask(&app, &bound, method, path).await, answer, "{method} {path}");
    }
}
