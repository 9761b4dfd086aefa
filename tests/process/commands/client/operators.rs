//! What operators do with sessions.

use super::{DOMAIN, Desk};

fn id_of(desk: &Desk, stream: &str) -> String {
    desk.done(&["sessions", "--stream", stream, "-q"]).trim().to_owned()
}

#[test]
fn an_end_is_set_after_a_question_and_withdrawn() {
    let desk = Desk::with_streams(&["room1"]);
    let id = id_of(&desk, "room1");
    let end = ["session", "end", &id, "--reason", "by phone"];
    let now =
        (streamtally::platform::clock::now() + chrono::TimeDelta::hours(8)).format("%Y-%m-%dT%H:%M:%S").to_string();
    let at = ["--at", &now, "--time-zone", "Asia/Shanghai"];
    desk.fails(&[&end[..], &at].concat(), 2, "Without a terminal, give --yes to confirm");
    assert_eq!(desk.json(&["sessions", "--stream", "room1"])["data"][0]["status"], "live");
    let said = desk.done(&[&end[..], &at, &["--yes"]].concat());
    assert_eq!(said, format!("OPERATOR_END is recorded for {id}\n"));
    let is = |status: &str| desk.json(&["sessions", "--stream", "room1"])["data"][0]["status"] == status;
    test_support::home::wait_for("the end", || is("ended"));
    let shown = desk.done(&["session", "show", &id]);
    assert!(shown.contains("ended by        operator") && shown.contains("by phone"), "{shown}");
    desk.done(&[&end[..], &["--withdraw", "--yes"]].concat());
    test_support::home::wait_for("the withdrawal", || is("live"));
    desk.fails(&[&end[..], &["--at", "2000-01-01T00:00:00Z", "--yes"]].concat(), 2, "--at ");
    desk.fails(&end, 2, "--at");
}

#[test]
fn a_session_is_confirmed_and_shown_with_its_events() {
    let desk = Desk::with_streams(&["room1"]);
    let id = id_of(&desk, "room1");
    let confirmed = desk.json(&["session", "confirm", &id, "--reason", "still sending"]);
    assert_eq!(confirmed["event"], "OPERATOR_CONFIRMED");
    assert_eq!(confirmed["note"], "still sending");
    let shown = desk.done(&["session", "show", &id]);
    for words in ["stream      ", "room1", DOMAIN, "PUBLISH", "OPERATOR_CONFIRMED", "administrator"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(desk.json(&["session", "show", &id])["session_id"], id);
    desk.fails(&["session", "show", "006b02de-614e-8b1b-aa37-49ddc9316417"], 1, "session not found");
    desk.fails(&["session", "show", "room1"], 2, "SESSION_ID");
}
