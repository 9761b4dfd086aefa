//! Log lines: that a request's id is on them, and that all which ask for something are documented.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Client, Method};
use serde_json::Value;
use test_support::home::{Home, User, wait_for};

#[test]
fn the_id_of_a_request_is_on_every_line_about_it() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--log", "info,streamtally=debug", "--log-format", "json"]);
    });
    service.wait_ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let forged = r#"{"domain":"nowhere.example.com","app":"live","stream":"room","event":"PUBLISH","publish_timestamp":"1587954134"}"#;
    for (method, path, body, id) in [
        (Method::POST, "/callbacks/huawei", "{", "malformed-1"),
        (Method::POST, "/callbacks/huawei", forged, "forged-1"),
        (Method::GET, "/v1/live", "", "query-1"),
        (Method::GET, "/v1/nothing", "", "not-an-id!"),
    ] {
        let request = Client::new().request(method, format!("{}{path}", service.url())).body(body);
        runtime.block_on(request.header("x-request-id", id).send()).unwrap();
    }
    let lines = || -> Vec<Value> {
        let log = service.stderr();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let of_query = |line: &Value| line["span"]["request_id"] == "query-1" && line["span"]["route"] == "/v1/live";
    wait_for("the line of a query", || lines().iter().any(of_query));
    for (cause, id) in [("not_a_notification", "malformed-1"), ("unknown_domain", "forged-1")] {
        let refusal = lines().into_iter().find(|line| line["cause"] == cause).expect("a line of the refusal");
        assert_eq!((&refusal["request_id"], &refusal["level"]), (&id.into(), &"WARN".into()), "{refusal}");
    }
    assert!(!service.stderr().contains("not-an-id!"));
    service.stop();
}

/// Every source file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    below.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect()
}

/// What each warning and error of the sources says.
fn messages() -> Vec<String> {
    let mut messages = Vec::new();
    for path in ["src", "crates"].into_iter().flat_map(|folder| sources(Path::new(folder))) {
        let source = fs::read_to_string(path).unwrap();
        let calls = source.split("tracing::").skip(1);
        for call in calls.filter(|call| call.starts_with("warn!(") || call.starts_with("error!(")) {
            let text = call.split('"').nth(1).expect("a message");
            // A line that goes on below begins where the next one does.
            let lines = text.split("\\\n").map(str::trim_start);
            messages.push(lines.collect::<String>());
        }
    }
    assert!(messages.len() > 30);
    messages
}

#[test]
fn every_warning_and_error_is_documented_and_nothing_that_is_not_there() {
    let document = fs::read_to_string("docs/logs.md").unwrap();
    let documented: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let messages = messages();
    for words in &documented {
        assert!(messages.iter().any(|message| message.starts_with(words)), "no line says: {words}");
    }
    for message in &messages {
        assert!(documented.iter().any(|words| message.starts_with(words)), "docs/logs.md lacks: {message}");
    }
}

#[test]
fn a_flood_beside_the_callback_address_is_one_line_a_minute() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let lines = |service: &test_support::service::Service| service.stderr().lines().count();
    let before = lines(&service);
    for _ in 0..300 {
        assert!(service.ask("GET", "/callbacks/huawei", "").starts_with("HTTP/1.1 405 "));
    }
    wait_for("a line about it", || service.stderr().contains("wrong_method"));
    // Two, if a minute begins in between.
    assert!(lines(&service) - before <= 2, "{}", service.stderr());
    service.stop();
}
