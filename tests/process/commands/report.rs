//! `report`, as billing runs it: on the database, while the service runs and while it does not, and on the service.

use std::fs;

use serde_json::Value;
use streamtally::platform::clock;
use test_support::home::{Home, User};

#[test]
fn a_report_is_the_same_from_the_database_and_from_the_service_in_every_form() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    // A push that began in this very second counts for none yet.
    let started = (clock::now().timestamp() - 60).to_string();
    for stream in ["room", "=2+3", "room 2"] {
        let send = ["send", "start", "--domain", "push.example.com", "--url", &url, "--wait", "--stream", stream];
        assert_eq!(home.run(&[&send[..], &["--publish-timestamp", &started]].concat()).0, 0);
    }
    let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap();
    let token = token.trim();
    let print = |of_service: bool, arguments: &[&str]| {
        let period = ["--from", "2026-01-01", "--to", "2099-01-01"];
        let service = ["--url", &url, "--token", token];
        let service: &[&str] = if of_service { &service } else { &[] };
        let (status, printed) = home.run(&[&["report"], arguments, &period, service].concat());
        assert_eq!(status, 0, "{printed}");
        printed
    };
    let by_stream = ["push-duration", "--group-by", "stream"];
    let report: Value = serde_json::from_str(&print(false, &[&by_stream[..], &["--output", "json"]].concat())).unwrap();
    let names: Vec<_> = report["data"].as_array().unwrap().iter().map(|row| row["stream"].clone()).collect();
    assert_eq!(names, ["=2+3", "room", "room 2"]);
    assert_eq!(report["totals"]["sessions"], 3);

    let as_of = report["as_of"].as_str().unwrap();
    let concurrency = ["concurrency", "--step", "1d"];
    for asked in [&by_stream[..], &concurrency] {
        for output in ["table", "csv", "json"] {
            let arguments = [asked, &["--output", output, "--as-of", as_of]].concat();
            assert_eq!(print(true, &arguments), print(false, &arguments), "{arguments:?}");
        }
    }
    let csv = print(false, &[&by_stream[..], &["--output", "csv", "--as-of", as_of]].concat());
    assert!(csv.contains(",,'=2+3,") && csv.starts_with("domain,app,stream,"), "{csv}");
    let table = print(false, &[&by_stream[..], &["--as-of", as_of]].concat());
    assert!(table.contains("total") && table.contains(&format!("as of {as_of}")), "{table}");

    service.stop();
    assert_eq!(print(false, &[&by_stream[..], &["--as-of", as_of]].concat()), table);
}

#[test]
fn a_report_that_is_asked_for_wrongly_is_bad_usage() {
    let home = Home::new(User::Ourselves);
    for (arguments, words) in [
        (["--from", "2026-01-01", "--to", "2026-01-01"], "--to must be later than from"),
        (["--from", "yesterday", "--to", "2026-01-01"], "--from must be a date such as 2026-01-31"),
    ] {
        let (status, printed) = home.run(&[&["report", "push-duration"], &arguments[..]].concat());
        assert_eq!(status, 2, "{printed}");
        assert!(printed.contains(words), "{printed}");
    }
}
