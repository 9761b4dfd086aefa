//! `reports`: sealed reports.

use sha2::{Digest, Sha256};

use super::{DOMAIN, Desk};

#[test]
fn a_report_is_sealed_listed_printed_and_compared() {
    let desk = Desk::with_streams(&[]);
    // A push of no whole second has no row.
    let started = (streamtally::platform::clock::now().timestamp() - 3_600).to_string();
    let send = |stream: &str| {
        desk.done(&["send", "start", "-d", DOMAIN, "--stream", stream, "--publish-timestamp", &started, "--wait"])
    };
    send("room1");
    desk.send("end", "room1");
    let sealed = desk.json(&["reports", "seal", "--from", "2026-01-01", "--to", "2099-01-01", "--group-by", "stream"]);
    assert_eq!((&sealed["status"], &sealed["rows"]), (&"sealed".into(), &1.into()), "{sealed}");
    let id = sealed["sealed_report_id"].as_str().unwrap();
    let listed = desk.done(&["reports", "list"]);
    assert!(listed.contains(id) && listed.contains("push hours"), "{listed}");
    let begin = &id[..8];
    let csv = desk.done(&["reports", "show", begin, "-o", "csv"]);
    assert_eq!(hex::encode(Sha256::digest(csv.as_bytes())), sealed["sha256"].as_str().unwrap());
    assert!(desk.done(&["reports", "show", begin]).contains("on air hours"));
    assert_eq!(desk.done(&["reports", "diff", begin]), "no row differs\n");
    // A push that is received later changes what the report says today.
    send("room2");
    let differences = desk.done(&["reports", "diff", begin]);
    assert!(differences.contains("room2") && differences.contains("none"), "{differences}");
    desk.fails(&["reports", "show", "zzzz"], 1, "sealed report not found; `reports list` lists all");
}

#[test]
fn a_month_is_a_period() {
    let desk = Desk::with_streams(&[]);
    let sealed = desk.json(&["reports", "seal", "--month", "2026-01", "--time-zone", "Asia/Shanghai"]);
    assert_eq!(sealed["parameters"]["from"], "2025-12-31T16:00:00Z");
    desk.fails(&["reports", "seal", "--month", "2026-13"], 2, "--month must be");
    desk.fails(&["reports", "seal", "--month", "2026-01", "--last-month"], 2, "cannot be used with");
    desk.fails(&["reports", "seal"], 2, "--month");
}
