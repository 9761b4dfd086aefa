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
    let concurrency = ["concurrency", "--step", "7d"];
    for asked in [&by_stream[..], &concurrency] {
        for output in ["table", "csv", "json"] {
            let arguments = [asked, &["--output", output, "--as-of", as_of]].concat();
            assert_eq!(print(true, &arguments), print(false, &arguments), "{arguments:?}");
        }
    }
    // No text: it is a ZIP archive.
    let workbook = |service: &[&str]| {
        let period = ["--from", "2026-01-01", "--to", "2099-01-01", "--as-of", as_of, "-o", "xlsx"];
        let mut report = home.program();
        report.arg("report").args(by_stream).args(period).args(service).arg("--data-dir").arg(home.data_dir());
        let done = report.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    let of_service = workbook(&["--url", &url, "--token", token]);
    assert!(of_service.starts_with(b"PK") && of_service == workbook(&[]));
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
        (["--from", "2026-01-01", "--to", "2026-01-01"], "--to must be later than --from"),
        (["--from", "yesterday", "--to", "2026-01-01"], "--from must be a date such as 2026-01-31"),
        (["--month", "2026-01", "--group-by", "doman"], "did you mean domain?"),
        (["--month", "2026-01", "--group-by", "app,app"], "write each name once"),
        (["--month", "2026-01", "--time-zone", "berlin"], "did you mean Europe/Berlin?"),
        (["--month", "2026-01", "--from", "2026-01-01"], "cannot be used with"),
    ] {
        let (status, printed) = home.run(&[&["report", "push-duration"], &arguments[..]].concat());
        assert_eq!(status, 2, "{printed}");
        assert!(printed.contains(words) && !printed.contains("%2B"), "{printed}");
    }
}

#[test]
fn a_table_has_hours_and_dates_of_the_zone_and_csv_has_seconds() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    let started = (clock::now().timestamp() - 5_400).to_string();
    let send = ["send", "start", "--domain", "push.example.com", "--url", &url, "--wait", "--stream", "room"];
    assert_eq!(home.run(&[&send[..], &["--publish-timestamp", &started]].concat()).0, 0);
    service.stop();
    let print = |arguments: &[&str]| {
        let (status, printed) =
            home.run(&[&["report", "push-duration", "--time-zone", "Asia/Shanghai"], arguments].concat());
        assert_eq!(status, 0, "{printed}");
        printed
    };
    let started = chrono::DateTime::from_timestamp(started.parse().unwrap(), 0).unwrap();
    let local = started.with_timezone(&chrono::FixedOffset::east_opt(8 * 3_600).unwrap());
    let month = local.format("%Y-%m").to_string();
    let table = print(&["--month", &month, "--window", "day"]);
    assert!(table.starts_with("domain            day, Asia/Shanghai  sessions  push hours"), "{table}");
    assert!(table.contains(&local.format("push.example.com  %Y-%m-%d").to_string()), "{table}");
    assert!(table.contains(&format!("from {month}-01 to ")) && table.contains(", Asia/Shanghai\nas of "), "{table}");
    let of_month = print(&["--from", "2026-01-01", "--to", "2099-01-01"]);
    assert!(of_month.contains("1        1.5"), "{of_month}");
    let csv = print(&["--from", "2026-01-01", "--to", "2099-01-01", "-o", "csv"]);
    assert!(csv.contains("push.example.com,,,2025-12-31T16:00:00Z,2098-12-31T16:00:00Z,1,1,54"), "{csv}");
    let empty = print(&["--from", "2026-01-01", "--to", "2026-01-02"]);
    assert!(empty.starts_with("no sessions count\nfrom 2026-01-01 to 2026-01-02, Asia/Shanghai\nas of "), "{empty}");
    let last = print(&["--last-month"]);
    assert!(last.contains("as of"), "{last}");
}

#[test]
fn a_report_of_an_unknown_domain_asks_which_was_meant() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    for source in [&["--url", &url][..], &[]] {
        for report in [&["push-duration"][..], &["concurrency", "--step", "1d"]] {
            let report =
                |domain: &str| home.run(&[&["report"], report, &["--month", "2026-01", "-d", domain], source].concat());
            let (status, printed) = report("push.exmple.com");
            assert!(status == 1 && printed.contains("did you mean push.example.com?"), "{printed}");
            assert_eq!(report("push.example.com").0, 0);
        }
    }
}
