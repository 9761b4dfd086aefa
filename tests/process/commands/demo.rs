//! `serve --demo`: something to look at, apart from anything real.

use std::fs;
use std::process::Stdio;
use std::thread;

use test_support::home::{Home, User, wait_for};

/// What the demo's service answers to its administrator.
fn ask(home: &Home, url: &str, path: &str) -> serde_json::Value {
    let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap();
    let address = format!("{url}{path}");
    let asking = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = reqwest::Client::new().get(address).bearer_auth(token.trim()).send().await.unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        })
    };
    thread::spawn(asking).join().unwrap()
}

#[test]
fn a_demo_has_two_weeks_of_history_prints_a_link_to_sign_in_and_goes_on_when_it_is_started_again() {
    let home = Home::new(User::Ourselves);
    let printed = home.path().join("printed");
    let mut totals = Vec::new();
    for _ in 0..2 {
        let stdout = fs::File::create(&printed).unwrap();
        let mut service = home.launch(&home.data_dir(), |command| {
            command.arg("--demo").stdout(Stdio::from(stdout));
        });
        service.wait_ready();
        let link = format!("{}/dashboard/sign-in#token=stt_", service.url());
        wait_for("the link", || fs::read_to_string(&printed).unwrap().contains(&link));
        let folded =
            || service.sql("select count(*) from shard_head join fold_progress using (shard, position)") == "16";
        wait_for("a folded history", folded);
        assert!(ask(&home, &service.url(), "/v1/live")["live_streams"].as_i64().unwrap() > 0);
        let sessions = ask(&home, &service.url(), "/v1/sessions?include_total=true&sort=started_at&limit=1");
        totals.push(sessions["total"].as_i64().unwrap());
        let oldest = sessions["data"][0]["started_at"].as_str().unwrap().to_owned();
        let days = service.sql(&format!("select (now() - '{oldest}'::timestamptz) > interval '13 days 12 hours'"));
        assert_eq!(days, "t", "{oldest}");
        assert_eq!(service.sql("select count(*) from log_entry where disposition <> 'accepted'"), "0");
        service.stop();
    }
    assert!(totals[0] > 1_000 && (totals[0]..totals[0] + 20).contains(&totals[1]), "{totals:?}");
}

#[test]
fn a_demo_and_anything_real_never_share_a_folder() {
    let home = Home::new(User::Ourselves);
    home.serve().stop();
    let as_demo = |command: &mut std::process::Command| {
        command.arg("--demo");
    };
    home.assert_refused_with(&home.data_dir(), as_demo, &["not a demo's", "--data-dir"]);
    let demo = home.make_folder("demo");
    fs::write(demo.join("this-is-a-demo"), "").unwrap();
    home.assert_refused(&demo, &["is a demo's"]);
}

#[test]
fn a_demo_takes_no_database_of_somebody() {
    let home = Home::new(User::Ourselves);
    let mut command = home.program();
    command
        .args(["serve", "--demo", "--data-dir"])
        .arg(home.data_dir())
        .env("DATABASE_URL", "postgres://somebody@db/real");
    let (status, printed) = test_support::home::finish(&mut command);
    assert_eq!(status, 2, "{printed}");
    assert!(printed.contains("--demo") && printed.contains("--database-url"), "{printed}");
    assert!(!home.data_dir().join("this-is-a-demo").exists());
}
