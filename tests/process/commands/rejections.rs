//! `rejections`: what was rejected by mistake is listed, shown, and admitted, while the service runs and while it does not.

use serde_json::Value;
use streamtally::platform::clock;
use test_support::home::{Home, User, wait_for};
use test_support::messages::{DOMAIN, KEY, Push};

/// Runs a command that is to succeed: what it prints.
#[track_caller]
fn run(home: &Home, arguments: &[&str]) -> String {
    let (status, printed) = home.run(arguments);
    assert_eq!(status, 0, "{arguments:?}: {printed}");
    printed
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(home, &[arguments, &["--output", "json"]].concat())).unwrap()
}

#[test]
fn callbacks_that_were_rejected_by_mistake_are_admitted_by_a_command() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    service.wait_ready();
    let late = Push::of("late", 50).message("PUBLISH", clock::now().timestamp() - 700);
    for message in [Push::of("room", 50).start(), Push::of("room", 50).end(), late] {
        service.ask("POST", "/callbacks/huawei", &message.to_string());
    }
    let list = || json(&home, &["rejections", "list"])["data"].as_array().unwrap().clone();
    wait_for("kept rejections", || list().len() == 3);
    assert!(run(&home, &["rejections", "list"]).contains("unknown_domain"));
    assert!(run(&home, &["rejections", "list", "--reason", "no_key"]).contains("no such rejection is kept"));
    let newest = list()[0]["rejection_id"].as_str().unwrap().to_owned();
    let shown = run(&home, &["rejections", "show", &newest]);
    assert!(shown.contains("stream             late") && shown.contains("auth_info=masked-"), "{shown}");
    assert!(!shown.contains("very-secret"), "{shown}");
    let (status, printed) = home.run(&["rejections", "show", "0b6b7f0e-2c1c-4a0e-9d42-2f5f6c1f7a11"]);
    assert!(status == 1 && printed.contains("kept rejection not found"), "{printed}");

    let printed = run(&home, &["rejections", "retry", DOMAIN]);
    assert!(printed.contains("0 were accepted") && printed.contains("3 stay rejected: unknown_domain."), "{printed}");
    let registered = run(&home, &["domain", "add", DOMAIN]);
    assert!(!registered.contains("To admit them"), "another key was generated: {registered}");
    service.stop();

    std::fs::write(home.path().join("key"), KEY).unwrap();
    let mut command = home.program();
    command.args(["domain", "key", "add", DOMAIN, "--key-stdin", "--data-dir"]).arg(home.data_dir());
    command.stdin(std::fs::File::open(home.path().join("key")).unwrap());
    let (status, added) = test_support::home::finish(&mut command);
    assert_eq!(status, 0, "{added}");
    assert!(added.contains("would be admitted now: 3"), "{added}");
    assert!(added.contains("streamtally rejections retry push.example.com"), "{added}");
    assert!(run(&home, &["domain", "set", DOMAIN, "--reset"]).contains("would be admitted now: 3"));
    let counted = json(&home, &["rejections", "retry", DOMAIN, "--dry-run"]);
    assert_eq!((counted["accepted"].as_i64(), counted["quarantined"].as_i64()), (Some(2), Some(1)));
    let printed = run(&home, &["rejections", "retry", DOMAIN]);
    assert_eq!(printed, "2 were accepted\n1 were quarantined: expired\n");
    assert!(list().is_empty());
    run(&home, &["rebuild", "--verify"]);
}
