//! `provider`, as an administrator runs it.

use std::io::Write;
use std::process::Stdio;

use test_support::home::{Home, User};

const ADD: [&str; 9] = [
    "provider",
    "add",
    "main",
    "--endpoint",
    "https://live.cn-north-4.myhuaweicloud.com",
    "--project-id",
    "p1",
    "--access-key",
    "AKIDEXAMPLE0000000AK",
];

const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";

/// Runs a command that reads the secret key: its status, and all that it prints.
fn run_with_secret(home: &Home, arguments: &[&str]) -> (i32, String) {
    let mut command = home.program();
    command.env("STREAMTALLY_DATA_DIR", home.data_dir()).args(arguments);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(running.stdin.take().unwrap(), "{SECRET_KEY}").unwrap();
    let output = running.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}

/// Runs a command: it must end with this status, and say these words.
#[track_caller]
fn run(home: &Home, arguments: &[&str], status: i32, words: &str) {
    let (ended, printed) = home.run(arguments);
    assert_eq!(ended, status, "{printed}");
    assert!(printed.contains(words) && !printed.contains(SECRET_KEY), "{printed}");
}

#[test]
fn an_account_is_added_used_changed_and_removed() {
    let home = Home::new(User::Ourselves);
    run(&home, &["domain", "add", "push.example.com"], 0, "is registered");
    let (status, printed) = run_with_secret(&home, &ADD);
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("main is added") && !printed.contains(SECRET_KEY), "{printed}");
    let (status, printed) = run_with_secret(&home, &ADD);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("another provider account has this name"), "{printed}");
    run(&home, &["provider", "list"], 0, "00AK");
    run(&home, &["provider", "check", "push.example.com"], 1, "the domain has no provider account");
    run(&home, &["provider", "check", "push.example.cm"], 1, "did you mean push.example.com?");

    run(&home, &["domain", "set", "push.example.com", "--poll-mode", "observe"], 1, "provider_account: must be set");
    let set = ["domain", "set", "push.example.com", "--poll-mode", "observe", "--provider-account"];
    run(&home, &[&set[..], &["other"]].concat(), 1, "provider account not found; `provider list` lists all");
    run(&home, &[&set[..], &["main"]].concat(), 0, "poll mode            observe\nprovider account     main\n");
    run(&home, &["provider", "set", "main", "--name", "beijing"], 0, "beijing is changed");
    run(&home, &["domain", "show", "push.example.com"], 0, "provider account     beijing\n");
    run(&home, &["provider", "list", "--output", "json"], 0, "\"push.example.com\"");
    run(&home, &["provider", "set", "beijing"], 2, "name a setting to change");
    run(&home, &["provider", "set", "beijing", "--endpoint", "http://a.example.com"], 1, "must begin with https://");
    let set = ["provider", "set", "beijing", "--endpoint", "https://a.example.com"];
    run(&home, &set, 1, "access_key: must be given again");

    run(&home, &["provider", "remove", "beijing"], 2, "Without a terminal, give --yes to confirm");
    run(&home, &["provider", "remove", "beijing", "--yes"], 1, "is used by push.example.com");
    run(&home, &["domain", "set", "push.example.com", "--reset=provider-account"], 1, "provider_account: must be set");
    run(
        &home,
        &["domain", "set", "push.example.com", "--reset=poll-mode,provider-account"],
        0,
        "poll mode            off",
    );
    run(&home, &["provider", "rm", "beijing", "--yes"], 0, "beijing is removed");
    run(&home, &["provider", "list"], 0, "there are no provider accounts");
}
