//! Which service is asked, with which token, and what happens if it does not answer as it should.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use test_support::home::{Home, User, finish, free_port};

use super::Desk;

/// A program that names this service, with a token.
fn ask(home: &Home, url: &str, more: &[&str]) -> (i32, String) {
    let mut command = home.program();
    command.args(["live", "--url", url]).args(more).env("STREAMTALLY_TOKEN", "a-secret-token");
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("XDG_CONFIG_HOME", home.path());
    finish(&mut command)
}

/// A server that gives each caller this answer: its URL.
fn answer(answer: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn a_token_is_not_sent_over_plain_http_to_another_machine() {
    let home = Home::new(User::Ourselves);
    let (status, printed) = ask(&home, "http://streams.invalid", &[]);
    assert_eq!(status, 2, "{printed}");
    assert!(printed.contains("everyone on the way can read it") && !printed.contains("a-secret-token"), "{printed}");
    let (status, printed) = ask(&home, "http://streams.invalid", &["--insecure-http"]);
    assert!(status == 1 && printed.contains("http://streams.invalid is unreachable"), "{printed}");
}

#[test]
fn a_token_does_not_follow_a_redirect() {
    let home = Home::new(User::Ourselves);
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    other.set_nonblocking(true).unwrap();
    let to = other.local_addr().unwrap();
    let url = answer(format!("HTTP/1.1 302 Found\r\nLocation: http://{to}/\r\nContent-Length: 0\r\n\r\n"));
    let (status, printed) = ask(&home, &url, &[]);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains(&format!("redirects to http://{to}/; set --url")), "{printed}");
    assert!(other.accept().is_err(), "nobody came");
}

#[test]
fn an_error_says_in_plain_words_what_is_wrong_with_the_service() {
    let home = Home::new(User::Ourselves);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (status, printed) = ask(&home, &nobody, &[]);
    assert_eq!(status, 1);
    let expected = format!(
        "error: {nobody} is unreachable; check that the service runs there, or set --url: connection refused\n"
    );
    assert_eq!(printed, expected);
    let other = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned());
    let (status, printed) = ask(&home, &other, &[]);
    assert!(status == 1 && printed.contains("but not as streamtally does"), "{printed}");
    let (status, printed) = ask(&home, "ftp://there", &[]);
    assert!(status == 2 && printed.contains("write a URL like https://"), "{printed}");
}

#[test]
fn a_token_that_is_rejected_is_named_by_its_source() {
    let desk = Desk::with_streams(&[]);
    let url = desk.service.url();
    let run = |prepare: &dyn Fn(&mut std::process::Command)| {
        let mut command = desk.home.program();
        command.args(["live", "--url", &url]).env("XDG_CONFIG_HOME", desk.home.path());
        prepare(&mut command);
        finish(&mut command)
    };
    let wrong = desk.home.make_folder("wrong");
    std::fs::write(wrong.join("admin-token"), "a-secret-token-of-32-characters-x\n").unwrap();
    let file = wrong.join("admin-token").display().to_string();
    for (prepare, source) in [
        (
            &(|command: &mut std::process::Command| {
                command.args(["--token", "a-secret-token"]);
            }) as &dyn Fn(&mut std::process::Command),
            "--token",
        ),
        (
            &|command| {
                command.env("STREAMTALLY_TOKEN", "a-secret-token");
            },
            "STREAMTALLY_TOKEN",
        ),
        (
            &|command| {
                command.env("STREAMTALLY_ADMIN_TOKEN", "a-secret-token");
            },
            "STREAMTALLY_ADMIN_TOKEN",
        ),
        (
            &|command| {
                command.arg("--data-dir").arg(&wrong);
            },
            file.as_str(),
        ),
    ] {
        let (status, printed) = run(prepare);
        assert_eq!(status, 1, "{printed}");
        assert!(printed.contains(&format!("rejected the token of {source}:")), "{printed}");
        assert!(!printed.contains("a-secret-token"), "{printed}");
    }
}

#[test]
fn a_token_without_the_scope_is_told_which_one() {
    let desk = Desk::with_streams(&[]);
    let token = desk.json(&["token", "create", "bills", "--scopes", "billing"]);
    let token = token["token"].as_str().unwrap();
    test_support::home::wait_for("the token", || {
        !desk.run(&["live", "--token", token]).1.contains("rejected the token")
    });
    desk.fails(&["live", "--token", token], 1, "the token lacks the scope `read` (the token of --token)");
}

#[test]
fn a_command_that_reads_makes_no_installation() {
    let home = Home::new(User::Ourselves);
    let period = ["--month", "2026-01"];
    for arguments in [
        &["live"][..],
        &["streams"],
        &["sessions"],
        &["events"],
        &["problems"],
        &["reports", "list"],
        &["domain", "list"],
        &["token", "list"],
        &["token", "create", "wall"],
        &["webhook", "list"],
        &["rejections", "list"],
        &["rebuild", "--verify"],
        &["export"],
        &[&["report", "push-duration"], &period[..]].concat(),
    ] {
        let (status, printed) = home.run(arguments);
        assert_eq!(status, 1, "{arguments:?}: {printed}");
        assert!(printed.starts_with("error: ") && printed.contains("--data-dir"), "{arguments:?}: {printed}");
        assert!(!home.data_dir().exists(), "{arguments:?}");
    }
}
