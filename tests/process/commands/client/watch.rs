//! `live --watch` in a pipe.

use std::fs;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;
use test_support::home::{Bystander, send, wait_for};

use super::{DOMAIN, Desk};

#[test]
fn changes_are_lines_until_ctrl_c() {
    let desk = Desk::with_streams(&["room1"]);
    let file = desk.home.path().join("changes");
    let mut command = desk.home.program();
    command.args(["live", "--watch", "-o", "json", "-d", DOMAIN, "--url", &desk.service.url()]);
    command.env("STREAMTALLY_DATA_DIR", desk.home.data_dir()).stdout(Stdio::from(fs::File::create(&file).unwrap()));
    let mut watch = Bystander::spawn(&mut command);
    let changes = || -> Vec<Value> {
        let text = fs::read_to_string(&file).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    // A watch that has just begun may not listen yet, so each push is a new one.
    let mut pushes = 0;
    wait_for("a change", || {
        pushes += 1;
        desk.send("start", &format!("later{pushes}"));
        !changes().is_empty()
    });
    let first = &changes()[0];
    assert!(first["stream"].as_str().unwrap().starts_with("later") && first["status"] == "live", "{first}");
    send(watch.pid(), Signal::INT);
    assert_eq!(watch.wait().code(), Some(0));
}
