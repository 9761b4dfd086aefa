//! Settings: where they come from, and what is said of those that cannot be.

use std::fs;

use test_support::home::{Home, User, finish, mode_of};

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let home = Home::new(User::Ourselves);
    let folder = |name: &str| home.path().join("work").join(name);
    let file = home.path().join("settings.toml");
    fs::write(&file, format!("data_dir = {:?}\n", folder("of-file"))).expect("a file");
    for (by_environment, by_flag, used) in
        [(false, false, "of-file"), (true, false, "of-environment"), (true, true, "of-flag")]
    {
        let mut command = home.program();
        command.args(["migrate", "--config"]).arg(&file);
        if by_environment {
            command.env("STREAMTALLY_DATA_DIR", folder("of-environment"));
        }
        if by_flag {
            command.arg("--data-dir").arg(folder("of-flag"));
        }
        let (status, printed) = finish(&mut command);
        assert_eq!(status, 0, "{printed}");
        assert!(folder(used).join("postgres").is_dir(), "{used} was not used");
    }
}

#[test]
fn what_cannot_be_a_setting_is_refused_with_its_name() {
    let home = Home::new(User::Ourselves);
    let file = home.path().join("settings.toml");
    for (text, status, words) in [
        ("colour = 'red'", 1, "contains the unknown setting colour"),
        // The name of a command's argument is that of no setting.
        ("unsigned = true", 1, "contains the unknown setting unsigned"),
        ("listen = ", 1, "is not TOML"),
        ("listen = 'nowhere'", 2, "--listen"),
        ("signature_grace = 600", 2, "write a number with its unit"),
        ("max_listeners = 0", 2, "--max-listeners"),
        ("max_listeners_per_token = 1000001", 2, "--max-listeners-per-token"),
        ("keep_events = '30d 23h'", 2, "at least 31d"),
        ("keep_personal = '23h'", 2, "at least 1d"),
        ("trusted_proxies = ['192.0.2.1', '10.1.2.3/8']", 2, "write this network as 10.0.0.0/8"),
        ("clock_tolerance = '999ms'", 2, "at least 1s"),
        ("keep_events = '31d'\nsignature_max_future = '30d'", 1, "--keep-events must be at least a day longer than"),
    ] {
        fs::write(&file, text).expect("a file");
        let mut command = home.program();
        command.args(["serve", "--config"]).arg(&file).arg("--data-dir").arg(home.data_dir());
        let (exited, printed) = finish(&mut command);
        assert_eq!(exited, status, "{text}: {printed}");
        assert!(printed.contains(words), "{text}: {printed}");
    }
    assert!(!home.data_dir().exists());
}

#[test]
fn secrets_of_the_environment_must_be_good_ones_and_are_never_told() {
    let home = Home::new(User::Ourselves);
    for (name, value, words) in [
        ("STREAMTALLY_ADMIN_TOKEN", "too-short-a-secret", "at least 32"),
        ("STREAMTALLY_MASTER_KEY", "bm90IDMyIGJ5dGVz", "32 bytes in base64"),
        ("STREAMTALLY_NEXT_MASTER_KEY", "bm90IDMyIGJ5dGVz", "32 bytes in base64"),
        (
            "STREAMTALLY_NEXT_MASTER_KEY",
            "c2VjcmV0LWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=",
            "STREAMTALLY_MASTER_KEY is not",
        ),
        ("DATABASE_URL", "mysql://user:pa55word@host/x", "postgres://USER:PASSWORD@HOST"),
        ("DATABASE_URL", "\"postgres://user:pa55word@host/x\"", "DATABASE_URL is in quotes"),
    ] {
        let mut command = home.program();
        command.args(["serve", "--data-dir"]).arg(home.data_dir()).env(name, value);
        let (status, printed) = finish(&mut command);
        assert_eq!(status, 1, "{printed}");
        assert!(printed.contains(words) && !printed.contains(value) && !printed.contains("pa55word"), "{printed}");
    }
}

/// What a command asks for that only reads, and its arguments.
const READING: [&[&str]; 7] = [
    &["domain", "list"],
    &["domain", "show", "push.example.com"],
    &["token", "list"],
    &["export"],
    &["rebuild", "--verify"],
    &["report", "push-duration", "--from", "2026-01-01", "--to", "2026-01-02"],
    &["send", "start", "--domain", "push.example.com", "--stream", "room"],
];

#[test]
fn a_missing_or_wrong_master_key_is_told_before_anything_is_written() {
    let home = Home::new(User::Ourselves);
    let (status, printed) = home.run(&["domain", "add", "push.example.com"]);
    assert_eq!(status, 0, "{printed}");
    let [master_key, next_key, admin_token] =
        ["master-key", "master-key.next", "admin-token"].map(|name| home.data_dir().join(name));
    assert_eq!(mode_of(&master_key), 0o600);
    let kept = fs::read_to_string(&master_key).expect("a key");
    fs::remove_file(&master_key).expect("a lost key");
    let writing: [&[&str]; 4] =
        [&["domain", "add", "live.example.com"], &["token", "create", "wall"], &["migrate"], &["master-key", "rotate"]];
    for arguments in READING.into_iter().chain(writing) {
        let (status, printed) = home.run(arguments);
        assert_eq!(status, 1, "{arguments:?}: {printed}");
        assert!(printed.contains("the master key is missing"), "{arguments:?}: {printed}");
        assert!(!master_key.exists() && !next_key.exists(), "{arguments:?} made a key");
    }
    home.assert_refused(&home.data_dir(), &["the master key is missing"]);
    let another = |command: &mut std::process::Command| {
        command.env("STREAMTALLY_MASTER_KEY", "c2VjcmV0LWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=");
    };
    let words = ["this is not the master key of the installation"];
    home.assert_refused_with(&home.data_dir(), another, &words);
    let (status, printed) = {
        let mut command = home.program();
        another(&mut command);
        finish(command.args(["master-key", "rotate", "--data-dir"]).arg(home.data_dir()))
    };
    assert!(status == 1 && printed.contains(words[0]), "{printed}");
    assert!(!master_key.exists() && !next_key.exists() && !admin_token.exists());

    fs::write(&master_key, kept).expect("a key");
    let (status, printed) = home.run(&["domain", "list"]);
    assert!(status == 0 && printed.contains("push.example.com") && !printed.contains("live.example.com"), "{printed}");
}

#[test]
fn commands_that_only_read_make_nothing_and_bring_nothing_up_to_date() {
    let home = Home::new(User::Ourselves);
    let assert_told = |words: &str| {
        for arguments in READING {
            let (status, printed) = home.run(arguments);
            assert_eq!(status, 1, "{arguments:?}: {printed}");
            assert!(printed.contains(words), "{arguments:?}: {printed}");
        }
    };
    assert_told("has no installation");
    assert!(!home.data_dir().exists());
    let sql = |statement: &str| {
        let mut command = home.program();
        command.args(["database", "--data-dir"]).arg(home.data_dir()).args(["psql", "-XAtqc", statement]);
        finish(&mut command)
    };
    let tables = || sql("select count(*) from pg_tables where schemaname = 'public'");
    assert_eq!(tables(), (0, "0\n".to_owned()));
    assert_told("has no installation");
    assert_eq!(tables(), (0, "0\n".to_owned()));
    assert!(!home.data_dir().join("master-key").exists());

    assert_eq!(home.run(&["migrate"]).0, 0);
    let forget = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    assert_eq!(sql(forget).0, 0);
    let (status, printed) = home.run(&["domain", "list"]);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("of an older version; `migrate` updates it"), "{printed}");
}

#[test]
fn the_administrators_token_is_made_once_and_shown_at_a_terminal_alone() {
    let home = Home::new(User::Ourselves);
    let stdout = home.path().join("stdout");
    let mut service = home.launch(&home.data_dir(), |command| {
        command.stdout(fs::File::create(&stdout).expect("a file"));
    });
    service.wait_ready();
    service.stop();
    let kept = fs::read_to_string(home.data_dir().join("admin-token")).expect("a token");
    assert!(kept.starts_with("stt_"));
    let printed = fs::read_to_string(stdout).expect("what it printed");
    assert!(printed.contains("admin-token") && !printed.contains(kept.trim()), "{printed}");
    let service = home.serve();
    assert_eq!(fs::read_to_string(home.data_dir().join("admin-token")).expect("a token"), kept);
    assert!(!service.stderr().contains(kept.trim()));
    service.stop();
}

#[test]
fn help_is_success_and_nonsense_is_bad_usage() {
    let home = Home::new(User::Ourselves);
    for (arguments, expected) in [
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["serve", "--help"], 0),
        (vec!["openapi"], 0),
        (vec![], 2),
        (vec!["fly"], 2),
        (vec!["serve", "--colour"], 2),
        (vec!["serve", "--roles", "pilot"], 2),
        (vec!["serve", "--cors-origins", "https://wall.example.com,wall.example.com"], 2),
        (vec!["send", "start", "--domain", "a", "--stream", "b", "--publish-timestamp", "-1"], 2),
    ] {
        let (status, printed) = finish(home.program().args(&arguments));
        assert_eq!(status, expected, "{arguments:?}: {printed}");
    }
}

#[test]
fn a_database_that_lets_nobody_in_is_told_with_what_to_do_and_without_its_password() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let socket = service.socket_dir();
    let at_socket = |user: &str, database: &str| {
        format!("postgres://{user}:a-password@localhost/{database}?host={}", socket.display())
    };
    let nowhere = "postgres://tally:a-password@127.0.0.1:1/tally".to_owned();
    for (url, words) in [
        (nowhere.clone(), "the database at 127.0.0.1:1 is unreachable; check that it runs there"),
        (at_socket("somebody", "streamtally"), "authentication failed for user somebody at the database"),
        (at_socket("streamtally", "nothing"), "has no database nothing; create it"),
        ("mysql://tally:a-password@db/tally".to_owned(), "is not of the form postgres://USER:PASSWORD@HOST"),
    ] {
        let (status, printed) = finish(home.program().args(["domain", "list"]).env("DATABASE_URL", &url));
        assert_eq!(status, 1, "{printed}");
        assert!(printed.contains(words), "{printed}");
        assert!(!printed.contains("a-password"), "{printed}");
    }
    let served = |command: &mut std::process::Command| {
        command.env("DATABASE_URL", &nowhere);
    };
    home.assert_refused_with(&home.path().join("work/new"), served, &["127.0.0.1:1 is unreachable"]);
    service.stop();
}

#[test]
fn a_port_that_is_taken_and_a_service_that_is_not_there_are_told_with_what_to_do() {
    let home = Home::new(User::Ourselves);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listens = |command: &mut std::process::Command| {
        command.env("STREAMTALLY_LISTEN", &address).env("STREAMTALLY_LOG", "warn");
    };
    let mut command = home.program();
    listens(&mut command);
    let (status, printed) = finish(command.arg("serve").arg("--data-dir").arg(home.data_dir()));
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains(&format!("cannot listen on {address}; --listen takes another address")), "{printed}");
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let sent = ["--domain", "push.example.com", "--url", "http://me:a-password@127.0.0.1:1"];
    let report = ["report", "concurrency", "--from", "2026-01-01", "--to", "2026-01-02", "--step", "1h"];
    for arguments in [
        &[&["send", "start", "--stream", "room"], &sent[..]].concat(),
        &[&["send", "end", "--stream", "room"], &sent[..]].concat(),
        &[&["simulate"], &sent[..]].concat(),
        &[&report[..], &["--token", "x"], &sent[..]].concat(),
    ] {
        let (status, printed) = home.run(arguments);
        assert_eq!(status, 1, "{printed}");
        assert!(printed.contains("http://127.0.0.1:1 is unreachable; check that the service runs there"), "{printed}");
        assert!(!printed.contains("a-password"), "{printed}");
    }
}
