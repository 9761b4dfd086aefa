//! The main job, end to end: a domain, a start, an end, and nothing lost in between.

use rustix::process::Signal;
use serde_json::Value;
use test_support::home::{Home, User, is_alive, send, wait_for};
use test_support::service::Service;

const DOMAIN: &str = "push.example.com";
const STREAM: &str = "event/2026/cam*1 Straße";

/// Sends one notification and gives the session that came of it.
fn send_and_wait(home: &Home, service: &Service, moment: &str, more: &[&str]) -> Value {
    let url = service.url();
    let arguments = ["send", moment, "--domain", DOMAIN, "--stream", STREAM, "--url", &url, "--wait"];
    let (status, printed) = home.run(&[&arguments, more].concat());
    assert_eq!(status, 0, "{printed}");
    let (answer, session) = printed.split_at(printed.find("{\n").expect("a session"));
    assert_eq!(answer, "200 OK\n{\"status\":1,\"result\":\"success\"}\n");
    serde_json::from_str(session).expect("a session")
}

#[test]
fn a_push_is_seen_live_and_then_ended_across_a_kill_of_everything() {
    check_the_main_job(User::Ourselves);
}

#[test]
fn an_ordinary_user_has_it_the_same() {
    check_the_main_job(User::Ordinary);
}

fn check_the_main_job(user: User) {
    let home = Home::new(user);
    let mut service = home.serve();
    let (status, printed) = home.run(&["domain", "add", DOMAIN]);
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("Key to set at the provider, shown this once: "), "{printed}");

    let live = send_and_wait(&home, &service, "start", &[]);
    assert_eq!(live["status"], "live");
    assert_eq!(live["stream"], STREAM);
    assert!(live["duration_seconds"].as_i64().is_some_and(|seconds| (0..=2).contains(&seconds)), "{live}");

    let server = service.running_server();
    send(server, Signal::KILL);
    service.kill();
    wait_for("the server's end", || !is_alive(server));

    let service = home.serve();
    let ended = send_and_wait(&home, &service, "end", &[]);
    assert_eq!(ended["session_id"], live["session_id"]);
    assert_eq!(ended["status"], "ended");
    assert_eq!(ended["start_received_at"], live["start_received_at"]);
    let ended_at: chrono::DateTime<chrono::Utc> = ended["ended_at"].as_str().expect("a time").parse().expect("a time");
    let seconds = ended_at.timestamp() - live["publish_timestamp"].as_i64().expect("a number");
    assert_eq!(ended["duration_seconds"], seconds);
    assert!((streamtally::platform::clock::now() - ended_at).num_seconds() < 10, "{ended}");
    service.stop();
}

#[test]
fn commands_work_while_the_service_does_not_run() {
    let home = Home::new(User::Ourselves);
    let run = |arguments: &[&str], status: i32, words: &str| {
        let (exited, printed) = home.run(arguments);
        assert_eq!(exited, status, "{arguments:?}: {printed}");
        assert!(printed.contains(words), "{arguments:?}: {printed}");
        printed
    };
    run(&["migrate", "--shards", "1025"], 2, "1..=1024");
    run(&["migrate", "--shards", "3"], 0, "shards: 3, on one server");
    run(&["migrate"], 0, "shards: 3, on one server");
    run(&["migrate", "--shards", "16"], 1, "has 3 shards, and that cannot be changed");
    run(&["domain", "add", DOMAIN, "--app", "live", "--rendition-template", "lud"], 0, "Key id: ");
    run(&["domain", "add", DOMAIN], 1, "is already registered");
    run(&["domain", "add", "live.example.com", "--unsigned"], 0, "/callbacks/huawei/");
    run(&["domain", "list"], 0, "live.example.com  none");
    run(&["domain", "show", DOMAIN], 0, "rendition templates  lud");
    run(&["domain", "set", DOMAIN, "--joiner", "+"], 0, "separator (joiner)   +");
    let added = run(&["domain", "key", "add", DOMAIN], 0, "shown this once: ");
    let key_id = added.split_whitespace().nth(2).expect("an id");
    run(&["domain", "key", "remove", DOMAIN, key_id, "--yes"], 0, "rejected from now on");
    run(&["domain", "key", "remove", DOMAIN, key_id, "--yes"], 1, "key not found");
    run(&["domain", "callback-token", DOMAIN], 0, "/callbacks/huawei/");
    run(&["domain", "remove", DOMAIN, "--yes"], 0, "history stays");
    for command in [&["show"][..], &["set", "--reset"], &["remove"], &["key", "add"], &["callback-token"]] {
        run(&[&["domain"], command, &[DOMAIN]].concat(), 1, "is not registered; `domain list` shows all domains");
    }
    run(&["domain", "show", "Live.example.con"], 1, "did you mean live.example.com?");
    let made = run(&["token", "create", "wall", "--scopes", "read,billing", "--domain", "live.example.com"], 0, "stt_");
    let token_id = made.split_whitespace().nth(2).expect("an id");
    run(&["token", "list"], 0, "wall  read,billing  live.example.com");
    run(&["token", "revoke", token_id, "--yes"], 0, "is revoked");
    run(&["token", "revoke", token_id, "--yes"], 1, "token not found");
}

#[test]
fn a_message_of_an_unsigned_domain_is_sent_through_its_secret_path() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let (_, printed) = home.run(&["domain", "add", DOMAIN, "--unsigned"]);
    let path = printed.trim_end().split("https://THIS-SERVICE").nth(1).expect("a path").to_owned();
    let session = send_and_wait(&home, &service, "start", &["--callback-path", &path]);
    assert_eq!(session["status"], "live");
    let url = service.url();
    let (status, printed) = home.run(&[
        "send",
        "start",
        "--domain",
        DOMAIN,
        "--stream",
        "x",
        "--url",
        &url,
        "--callback-path",
        "/callbacks/huawei/x",
    ]);
    assert_eq!(status, 1);
    assert!(printed.starts_with("401 Unauthorized"), "{printed}");
    service.stop();
}
