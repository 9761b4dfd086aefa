//! Lists of the API as tables, JSON and CSV.

use serde_json::Value;
use test_support::home::wait_for;

use super::{DOMAIN, Desk};

#[test]
fn a_list_is_the_answer_of_the_api_as_a_table_json_or_csv() {
    let desk = Desk::with_streams(&["room1", "room2"]);
    desk.send("end", "room2");
    let live = desk.done(&["live"]);
    assert!(live.starts_with("started, UTC") && live.contains("room1") && !live.contains("room2"), "{live}");
    assert!(live.ends_with("live: 1 stream in 1 session\n"), "{live}");
    let sessions = desk.json(&["sessions"]);
    let streams: Vec<_> = sessions["data"].as_array().unwrap().iter().map(|session| &session["stream"]).collect();
    assert!(streams.contains(&&Value::from("room1")) && streams.len() == 2, "{sessions}");
    assert!(sessions["next_cursor"].is_null() && sessions["as_of"].is_string(), "{sessions}");
    let csv = desk.done(&["streams", "--status", "offline", "-o", "csv"]);
    let [header, row] = csv.lines().collect::<Vec<_>>()[..] else { panic!("{csv}") };
    assert!(header.starts_with("status,domain,app,stream,") && header.ends_with(",stream_id"), "{csv}");
    assert!(row.starts_with("offline,push.example.com,live,room2,0,"), "{csv}");
    let events = desk.done(&["events", "--stream", "room2"]);
    assert!(events.contains("PUBLISH_DONE") && events.contains("accepted"), "{events}");
    assert_eq!(desk.json(&["events", "--event", "PUBLISH"])["data"].as_array().unwrap().len(), 2);
}

#[test]
fn filters_are_the_parameters_of_the_api() {
    let desk = Desk::with_streams(&["room1", "room2"]);
    let found = |arguments: &[&str]| desk.json(&[&["sessions"], arguments].concat())["data"].as_array().unwrap().len();
    assert_eq!(found(&["--stream", "room1", "--status", "live"]), 1);
    assert_eq!(found(&["--stream-prefix", "room", "-d", DOMAIN]), 2);
    assert_eq!((found(&["--unconfirmed"]), found(&["--unconfirmed=false"])), (0, 2));
    assert_eq!(found(&["--to", "2026-01-01", "--time-zone", "Asia/Shanghai"]), 0);
    desk.fails(&["sessions", "--status", "lives"], 2, "a similar value exists: 'live'");
    desk.fails(&["sessions", "--min-duration-seconds", "x"], 2, "--min-duration-seconds must be an integer");
    desk.fails(&["sessions", "--from", "soon"], 2, "--from is not a time");
    desk.fails(&["sessions", "--time-zone", "shanghai"], 2, "did you mean Asia/Shanghai?");
    let backwards = ["sessions", "--from", "2026-01-02", "--to", "2026-01-01"];
    desk.fails(&backwards, 2, "--to must be later than --from");
}

#[test]
fn a_list_ends_at_its_limit_and_says_so() {
    let desk = Desk::with_streams(&["room1", "room2", "room3"]);
    let limited = desk.done(&["sessions", "--limit", "2"]);
    assert!(limited.ends_with("only the first 2; --limit all shows all\n"), "{limited}");
    assert!(desk.done(&["live", "--limit", "2"]).contains("live: 3 streams in 3 sessions"));
    assert_eq!(desk.json(&["sessions", "--limit", "all"])["data"].as_array().unwrap().len(), 3);
    let ids = desk.done(&["sessions", "-q"]);
    assert!(ids.lines().count() == 3 && ids.lines().all(|id| id.len() == 36), "{ids}");
    desk.fails(&["sessions", "--limit", "0"], 2, "write a number from 1, or all");
}

#[test]
fn an_empty_list_of_an_unknown_domain_asks_which_was_meant() {
    let desk = Desk::with_streams(&[]);
    for list in ["live", "streams", "sessions", "events"] {
        desk.fails(&[list, "-d", "push.exmple.com"], 1, "did you mean push.example.com?");
    }
    assert_eq!(desk.done(&["sessions", "-d", DOMAIN]), "no session matches\n");
    desk.fails(&["live", "-d", "other.invalid"], 1, "no domain other.invalid is known");
    // A reader does not see which domains are registered: one without pushes is not unknown.
    let reader = desk.json(&["token", "create", "reader", "--scopes", "read"])["token"].as_str().unwrap().to_owned();
    assert_eq!(desk.done(&["sessions", "-d", DOMAIN, "--token", &reader]), "no session matches\n");
}

#[test]
fn tables_have_local_times_and_escaped_names_and_json_has_neither() {
    let hostile = "a\u{202e}b";
    let desk = Desk::with_streams(&[hostile]);
    let table = desk.done(&["sessions", "--time-zone", "Asia/Shanghai"]);
    assert!(table.starts_with("started, Asia/Shanghai") && table.contains("a\\u{202e}b"), "{table}");
    let session = &desk.json(&["sessions", "--time-zone", "Asia/Shanghai"])["data"][0];
    assert_eq!(session["stream"], hostile);
    let started_at: chrono::DateTime<chrono::Utc> = session["started_at"].as_str().unwrap().parse().unwrap();
    let local = started_at.with_timezone(&chrono::FixedOffset::east_opt(8 * 3_600).unwrap());
    assert!(table.contains(&local.format("%Y-%m-%d %H:%M:%S").to_string()), "{table}");
    assert!(session["started_at"].as_str().unwrap().ends_with('Z'));
    assert!(!table.contains('\u{1b}'), "a pipe gets no colors");
}

#[test]
fn problems_are_grouped_with_what_to_do() {
    let desk = Desk::with_streams(&[]);
    assert_eq!(desk.done(&["problems"]), "no problems\n");
    let forged = test_support::messages::Push::of("room", 50).start().to_string();
    for _ in 0..2 {
        desk.service.ask("POST", "/callbacks/huawei", &forged);
    }
    wait_for("the rejections", || desk.json(&["problems"])["data"][0]["count"] == 2);
    let shown = desk.done(&["problems"]);
    assert!(shown.contains("rejected  signature_mismatch  push.example.com      2"), "{shown}");
    assert!(shown.contains("No key of the domain produces this signature"), "{shown}");
    assert!(shown.contains("streamtally rejections retry"), "{shown}");
}

#[test]
fn the_lists_of_a_domain_at_the_provider_are_listed_and_are_problems() {
    let desk = Desk::with_streams(&[]);
    assert_eq!(desk.done(&["domain", "differences", DOMAIN]), "no differences within eight days\n");
    assert_eq!(desk.done(&["domain", "polls", DOMAIN]), "the list of this domain was not read within eight days\n");
    desk.fails(&["domain", "polls", "push.exmple.com"], 1, "domain");
    let insert = "
        insert into provider_account
        values ('11111111-1111-4111-8111-111111111111', 'main', 'https://live.cn-north-4.myhuaweicloud.com', 'p1', 'AKIDEXAMPLE',
            decode(repeat('00', 60), 'hex'), now(), now(), 0);
        update ingest_domain set poll_mode = 'observe', provider_account_id = '11111111-1111-4111-8111-111111111111',
            updated_at = now() - interval '1 hour';
        insert into poll values ('push.example.com', now(), 214, 'refused', 1, 0, 0, 'APIGW.0301', true);
        insert into poll_difference values
            ('push.example.com', 'unknown_push', 'live', 'room', now(), null, null, now(), now(), false),
            ('push.example.com', 'missed_push', 'live', 'room', now(), null, now(), now(), now(), true);";
    let mut psql = desk.home.program();
    psql.args(["database", "--data-dir"]).arg(desk.home.data_dir()).args([
        "psql",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        insert,
    ]);
    let (status, printed) = test_support::home::finish(&mut psql);
    assert_eq!(status, 0, "{printed}");
    let differences = desk.done(&["domain", "differences", DOMAIN]);
    assert!(differences.contains("unknown_push") && differences.contains("missed_push"), "{differences}");
    let polls = desk.json(&["domain", "polls", DOMAIN, "--limit", "1"]);
    assert_eq!(polls["data"][0]["error_code"], "APIGW.0301");
    let problems = desk.done(&["problems"]);
    for shown in ["list unread", "refused", "mass absence", "difference", "unknown_push", "domain polls DOMAIN"] {
        assert!(problems.contains(shown), "{shown}: {problems}");
    }
    assert!(!problems.contains("missed_push"), "what is repaired is no problem: {problems}");
    // A reader sees the lists of a domain, but not which are polled.
    let reader = desk.json(&["token", "create", "reader", "--scopes", "read"])["token"].as_str().unwrap().to_owned();
    assert!(desk.done(&["domain", "differences", DOMAIN, "--token", &reader]).contains("unknown_push"));
    assert_eq!(desk.done(&["problems", "--token", &reader]), "no problems\n");
}
