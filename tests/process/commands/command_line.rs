//! The command line as people and shells meet it: help, completions, manual pages, and readers that go away.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use serde_json::Value;
use streamtally::cli::Cli;
use test_support::home::{Home, User, finish};

/// The words that name each command, of all levels, and its description.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn collect(command: &clap::Command, name: &[String], commands: &mut Vec<(Vec<String>, clap::Command)>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let name = [name, &[below.get_name().to_owned()]].concat();
            collect(below, &name, commands);
            commands.push((name, below.clone()));
        }
    }
    let mut commands = Vec::new();
    collect(&Cli::command(), &[], &mut commands);
    assert!(commands.len() > 20);
    commands
}

/// The command lines among the examples of a help text: up to where a comment or the shell's own signs begin.
fn examples_of(help: &str) -> impl Iterator<Item = &str> {
    let examples = help.lines().filter_map(|line| line.strip_prefix("  streamtally "));
    examples.map(|example| example.split("  ").next().unwrap().split(['<', '>', '|']).next().unwrap().trim())
}

fn words_of(line: &str) -> Vec<String> {
    let quoted = line.split('"').enumerate().flat_map(|(place, part)| {
        if place % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
    });
    ["streamtally".to_owned()].into_iter().chain(quoted).collect()
}

#[test]
fn every_command_shows_examples_that_it_understands() {
    for (name, command) in commands() {
        let about = command.get_about().unwrap_or_else(|| panic!("{name:?} says nothing of itself")).to_string();
        assert!(!about.ends_with('.') && about.chars().next().is_some_and(char::is_uppercase), "{name:?}: {about}");
        if command.has_subcommands() {
            continue;
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{name:?} is too wide for a terminal");
        let examples: Vec<&str> = examples_of(&help).collect();
        assert!(!examples.is_empty(), "{name:?} has no example");
        for example in examples {
            assert!(example.starts_with(&name.join(" ")), "{name:?}: {example}");
            Cli::command().try_get_matches_from(words_of(example)).unwrap_or_else(|error| panic!("{example}: {error}"));
        }
    }
}

#[test]
fn every_command_is_completed_in_every_shell() {
    let home = Home::new(User::Ourselves);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, script) = finish(home.program().args(["completions", shell]));
        assert_eq!(status, 0, "{script}");
        for (name, _) in commands() {
            assert!(script.contains(name.last().unwrap()), "{shell} does not know {name:?}");
        }
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash");
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
}

#[test]
fn every_command_has_a_manual_page_that_man_can_show() {
    let home = Home::new(User::Ourselves);
    let folder = home.path().join("man/man1");
    let (status, printed) = finish(home.program().arg("man").arg(&folder));
    assert_eq!(status, 0, "{printed}");
    let pages = commands().into_iter().map(|(name, _)| format!("streamtally-{}.1", name.join("-")));
    for page in pages.chain(["streamtally.1".to_owned()]) {
        let file = folder.join(&page);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}");
        // Not every machine can show them.
        if let Ok(shown) = Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww", "-z"]).arg(&file).output() {
            assert!(shown.status.success() && shown.stderr.is_empty(), "{page}: {shown:?}");
        }
    }
}

/// Runs a command whose output nobody reads: its exit status, and what it says on standard error.
fn run_unread(home: &Home, arguments: &[&str]) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = home.program();
    command.env("STREAMTALLY_DATA_DIR", home.data_dir()).args(arguments).stdout(writer);
    let output = command.output().unwrap();
    (output.status.code().expect("an exit status"), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn whoever_stops_reading_ends_a_command_quietly() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    let sent = ["--domain", "push.example.com", "--url", &url];
    let body = home.path().join("body.json");
    fs::write(&body, "{}").unwrap();
    let body = body.to_str().unwrap();
    let period = ["--from", "2026-01-01", "--to", "2099-01-01"];
    for arguments in [
        &["openapi"][..],
        &["domain", "list"],
        &["domain", "list", "--output", "json"],
        &["domain", "show", "push.example.com"],
        &["token", "list", "--output", "csv"],
        &["token", "create", "wall"],
        &["completions", "bash"],
        &["migrate"],
        &["diagnose", body],
        &["rebuild", "--verify"],
        &[&["report", "push-duration"], &period[..]].concat(),
        &[&["send", "start", "--stream", "room", "--wait"], &sent[..]].concat(),
        &[&["simulate", "--messages", "20"], &sent[..]].concat(),
    ] {
        assert_eq!(run_unread(&home, arguments), (141, String::new()), "{arguments:?}");
    }
    // What help does is clap's; it must not panic either.
    let (status, told) = run_unread(&home, &["serve", "--help"]);
    assert_eq!((status, told.as_str()), (0, ""));
    service.stop();
}

#[test]
fn what_cannot_be_printed_for_another_reason_is_a_failure() {
    let home = Home::new(User::Ourselves);
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else { return };
    let output = home.program().arg("openapi").stdout(full).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("failed to write to standard output"), "{told}");
}

#[test]
fn a_service_goes_on_when_nobody_reads_its_log() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        let [(out_reader, out), (log_reader, log)] = [std::io::pipe().unwrap(), std::io::pipe().unwrap()];
        drop((out_reader, log_reader));
        command.env("STREAMTALLY_LOG", "trace").stdout(out).stderr(log);
    });
    service.wait_ready();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    let sent = ["send", "start", "--domain", "push.example.com", "--stream", "room", "--url", &url, "--wait"];
    let (status, printed) = home.run(&sent);
    assert_eq!(status, 0, "{printed}");
    service.stop();
}

#[test]
fn lists_are_tables_json_or_csv_that_no_spreadsheet_takes_for_formulas() {
    let home = Home::new(User::Ourselves);
    let run = |arguments: &[&str]| {
        let (status, printed) = home.run(arguments);
        assert_eq!(status, 0, "{printed}");
        printed
    };
    run(&["migrate"]);
    assert!(run(&["domain", "list"]).contains("no domain is registered"));
    assert_eq!(run(&["domain", "list", "--output", "json"]), "{\"data\":[]}\n");
    assert!(run(&["domain", "list", "--output", "csv"]).starts_with("domain,signature,apps,"));
    run(&["domain", "add", "push.example.com", "--app", "live", "--app", "vod"]);
    run(&["token", "create", "=1+2", "--scopes", "read,billing"]);
    let json = |arguments: &[&str]| serde_json::from_str::<Value>(&run(arguments)).unwrap();
    let domains = json(&["domain", "list", "--output", "json"]);
    let domain = json(&["domain", "show", "push.example.com", "--output", "json"]);
    assert_eq!(domains["data"], serde_json::json!([domain]));
    assert_eq!(domain["apps"], serde_json::json!(["live", "vod"]));
    let key_id = domain["keys"][0]["key_id"].as_str().unwrap();
    let csv = run(&["domain", "list", "--output", "csv"]);
    assert!(csv.contains(&format!("push.example.com,required,\"live,vod\",false,{key_id},")), "{csv}");
    let table = run(&["domain", "list"]);
    assert!(table.contains("live,vod") && table.contains(key_id) && table.starts_with("domain "), "{table}");
    assert_eq!(json(&["token", "list", "--output", "json"])["data"][0]["name"], "=1+2");
    assert!(run(&["token", "list", "--output", "csv"]).contains(",'=1+2,\"read,billing\","));
    assert!(run(&["token", "list"]).contains("never"));
}
