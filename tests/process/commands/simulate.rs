//! `simulate`: made-up pushes, sent as load.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use test_support::home::{Home, User};
use test_support::service::Service;

const DOMAIN: &str = "push.example.com";

fn serve(home: &Home) -> Service {
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", DOMAIN]).0, 0);
    service
}

/// Exit status, and what is printed on standard output.
fn simulate(home: &Home, service: &Service, arguments: &[&str]) -> (i32, String) {
    let url = service.url();
    let mut command = home.program();
    command
        .args(["simulate", "--domain", DOMAIN, "--url", &url, "--streams", "1000", "--data-dir"])
        .arg(home.data_dir());
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"not the key of this domain, whatever");
    let output = child.wait_with_output().unwrap();
    // Shown if the test fails.
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_is_acknowledged_is_found_again_in_sessions() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home);
    let arguments = ["--messages", "3000", "--duration", "10m", "--connections", "8", "--verify", "--output", "json"];
    let (status, printed) = simulate(&home, &service, &arguments);
    assert_eq!(status, 0, "{printed}");
    let outcome: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&outcome["acknowledged"], &outcome["missing"]), (&3000.into(), &0.into()), "{outcome}");
    assert_eq!((&outcome["answered"]["200"], &outcome["failed"]), (&3000.into(), &0.into()), "{outcome}");
    let sessions = outcome["sessions"].as_u64().unwrap();
    assert_eq!(service.sql("select count(*) from stream_session"), sessions.to_string());
    // None is aimed at another push, too late, or too early.
    assert_eq!(service.sql("select count(*) from log_entry where disposition <> 'accepted'"), "0");
    let repeated = service.sql("select count(*) from stream_session where start_deliveries > 1 or end_deliveries > 1");
    assert_ne!(repeated, "0");
}

#[test]
fn the_streams_of_a_run_return_in_another_of_the_same_name() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home);
    let count =
        |what: &str| -> u32 { service.sql(&format!("select count({what}) from stream_session")).parse().unwrap() };
    let mut sessions = 0;
    for seed in ["1", "2"] {
        let arguments = [
            "--messages",
            "3000",
            "--duration",
            "10m",
            "--connections",
            "8",
            "--verify",
            "--run",
            "again",
            "--seed",
            seed,
        ];
        let (status, printed) = simulate(&home, &service, &arguments);
        assert_eq!(status, 0, "{printed}");
        let more = count("*");
        assert!(more > sessions, "{more} sessions after seed {seed}");
        sessions = more;
    }
    let streams = count("distinct stream_id");
    assert!(streams <= 1_000, "{streams} streams");
    assert_eq!(service.sql("select count(*) from stream where stream not like 'sim-again-%'"), "0");
}

#[test]
fn a_rate_is_kept_and_visibility_is_measured() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home);
    let arguments = ["--rate", "200", "--duration", "2s", "--connections", "8", "--visibility"];
    let (status, printed) = simulate(&home, &service, &arguments);
    assert_eq!(status, 0, "{printed}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = printed.lines().map(words).collect();
    assert!(lines.contains(&words("answered 200 400")), "{printed}");
    assert!(printed.contains("answer p99, ms") && printed.contains("visible p99, ms"), "{printed}");
}

#[test]
fn a_wrong_key_is_counted_and_fails() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home);
    let arguments = ["--messages", "20", "--connections", "2", "--key-stdin", "--output", "json"];
    let (status, printed) = simulate(&home, &service, &arguments);
    assert_eq!(status, 1, "{printed}");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["answered"]["401"], 20, "{printed}");
}
