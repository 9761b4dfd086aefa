//! `serve --demo`: something to look at, apart from anything real.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use test_support::home::{Home, User, wait_for};
use test_support::service::Service;

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

/// The words of a query's first column, sorted and joined.
fn words(service: &Service, query: &str) -> String {
    service.sql(&format!("select string_agg(distinct word::text, ' ' order by word::text) from ({query}) of_it (word)"))
}

#[test]
fn a_demo_has_a_history_since_last_month_prints_a_link_to_sign_in_and_goes_on_when_it_is_started_again() {
    let home = Home::new(User::Ourselves);
    let printed = home.path().join("printed");
    let mut totals = Vec::new();
    for _ in 0..2 {
        let service = start(&home, &printed);
        assert!(ask(&home, &service.url(), "/v1/live")["live_streams"].as_i64().unwrap() > 5);
        let sessions = ask(&home, &service.url(), "/v1/sessions?include_total=true&sort=started_at&limit=1");
        totals.push(sessions["total"].as_i64().unwrap());
        let quarantined = service.sql("select count(*) from log_entry where disposition = 'quarantined'");
        assert_eq!(quarantined, "8", "each of these is in the log once");
        assert_eq!(service.sql("select count(*) from log_entry where disposition = 'released'"), "1");
        assert_eq!(service.sql("select count(*) from log_entry where event = 'OPERATOR_END'"), "2");
        service.stop();
    }
    assert!(totals[0] > 1_000 && (totals[0]..totals[0] + 20).contains(&totals[1]), "{totals:?}");
}

#[test]
fn a_demo_shows_everything_that_can_happen_to_a_session() {
    let home = Home::new(User::Ourselves);
    let service = start(&home, &home.path().join("printed"));
    for (what, query, expected) in [
        (
            "domains",
            "select domain from stream",
            "push.demo.example push.events.example push.studio.example push.zhibo.example",
        ),
        ("reasons", "select reason from log_entry where reason is not null", REASONS),
        ("sources of ends", "select ended_at_source from stream_session where status = 'ended'", ENDS),
        ("templates", "select rendition_template from stream_session where rendition_template is not null", "lhd lud"),
        ("releases", "select stream from log_entry where disposition = 'released'", "charity-run"),
        ("rejections", "select claimed_domain || ':' || cause from rejection", REJECTIONS),
    ] {
        wait_for(what, || words(&service, query) == expected);
    }
    for flag in ["start_missing", "end_before_start", "key_conflict", "quarantined_messages", "shared_signature"] {
        let sessions = ask(&home, &service.url(), &format!("/v1/sessions?flag={flag}&limit=1"));
        assert_eq!(sessions["data"].as_array().unwrap().len(), 1, "{flag}");
    }
    let unconfirmed = ask(&home, &service.url(), "/v1/sessions?unconfirmed=true&stream=lobby-camera");
    assert_eq!(unconfirmed["data"][0]["status"], "live");
    let last_month =
        "select count(*) > 1000 and min(started_at) < date_trunc('month', now(), 'UTC') - interval '1 month'
         from stream_session where started_at < date_trunc('month', now(), 'UTC')";
    assert_eq!(service.sql(last_month), "t");
    let (status, printed) = home.run(&["rebuild", "--verify"]);
    assert_eq!(status, 0, "{printed}");
    service.stop();
}

const REASONS: &str = "end_of_unknown_push end_predates_session expired signature_of_another_push \
                       signature_of_another_stream start_outside_window";

const ENDS: &str = "notification operator superseded timed_out";

const REJECTIONS: &str = "push-demo.example:unknown_domain push.next.example:signature_mismatch";

/// Starts the demo, and waits for its history.
fn start(home: &Home, printed: &Path) -> Service {
    let stdout = fs::File::create(printed).unwrap();
    let mut service = home.launch(&home.data_dir(), |command| {
        command.arg("--demo").stdout(Stdio::from(stdout));
    });
    service.wait_ready();
    let link = format!("{}/dashboard/sign-in#token=stt_", service.url());
    wait_for("the link", || fs::read_to_string(printed).unwrap().contains(&link));
    service
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
