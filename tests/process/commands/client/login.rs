//! `login` and `logout`.

use std::fs;
use std::process::{Command, Stdio};

use test_support::home::{finish, mode_of};

use super::Desk;

/// A program of a user who has this configuration folder, and no installation.
fn program(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = desk.home.program();
    command.args(arguments).env("XDG_CONFIG_HOME", desk.home.path().join("config")).env("HOME", desk.home.path());
    command
}

fn run(desk: &Desk, arguments: &[&str]) -> (i32, String) {
    finish(&mut program(desk, arguments))
}

fn log_in(desk: &Desk, url: &str, token: &str) -> (i32, String) {
    let file = desk.home.path().join("given");
    fs::write(&file, token).unwrap();
    finish(program(desk, &["login", url]).stdin(Stdio::from(fs::File::open(&file).unwrap())))
}

#[test]
fn a_login_is_stored_for_its_owner_and_used_until_the_logout() {
    let desk = Desk::with_streams(&["room1"]);
    let url = desk.service.url();
    let token = fs::read_to_string(desk.home.data_dir().join("admin-token")).unwrap();
    let (status, printed) = log_in(&desk, &url, &token);
    assert_eq!(status, 0, "{printed}");
    assert!(!printed.contains(token.trim()), "{printed}");
    let file = desk.home.path().join("config/streamtally/login.json");
    assert_eq!((mode_of(&file), mode_of(file.parent().unwrap())), (0o600, 0o700));
    let (status, printed) = run(&desk, &["live"]);
    assert!(status == 0 && printed.contains("room1"), "{printed}");
    let (status, printed) = run(&desk, &["report", "push-duration", "--from", "2026-01-01", "--to", "2099-01-01"]);
    assert!(status == 0 && printed.contains("as of "), "there is no other installation: {printed}");
    // Of another origin, the token of the login is none.
    let (status, printed) = run(&desk, &["live", "--url", "https://other.invalid"]);
    assert!(status == 1 && printed.contains("there is no token for https://other.invalid"), "{printed}");
    let (status, printed) = run(&desk, &["logout"]);
    assert!(status == 0 && !file.exists(), "{printed}");
    assert_eq!(run(&desk, &["logout"]), (1, "error: there is no login\n".to_owned()));
}

#[test]
fn a_login_with_a_wrong_token_stores_nothing() {
    let desk = Desk::with_streams(&[]);
    let (status, printed) = log_in(&desk, &desk.service.url(), "wrong-token\n");
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("rejected the token of standard input") && !printed.contains("wrong-token"), "{printed}");
    assert!(!desk.home.path().join("config").exists());
    let (status, printed) = log_in(&desk, "http://streams.invalid", "wrong-token\n");
    assert!(status == 2 && printed.contains("--insecure-http"), "{printed}");
}

#[test]
fn a_data_folder_that_is_named_comes_before_the_login() {
    let desk = Desk::with_streams(&["room1"]);
    let folder = desk.home.path().join("config/streamtally");
    fs::create_dir_all(&folder).unwrap();
    let elsewhere = r#"{"url":"https://other.invalid","token":"secret","insecure_http":false}"#;
    fs::write(folder.join("login.json"), elsewhere).unwrap();
    let mut command = program(&desk, &["live", "--data-dir"]);
    command.arg(desk.home.data_dir()).env("STREAMTALLY_LISTEN", format!("127.0.0.1:{}", desk.service.port()));
    let (status, printed) = finish(&mut command);
    assert!(status == 0 && printed.contains("room1"), "{printed}");
    fs::write(folder.join("login.json"), "{\"token\":\"secret\"").unwrap();
    let (status, printed) = run(&desk, &["live"]);
    assert!(status == 1 && printed.contains("login.json is damaged") && !printed.contains("secret"), "{printed}");
}
