//! Processes that die under load.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::home::{Home, User, is_alive, send, wait_for};
use crate::load::{Load, Sent, register};
use crate::service::Service;
use crate::times;

/// How many messages are to be acknowledged between two faults.
const BETWEEN: usize = 500;

fn wait_for_load(load: &Load) {
    let before = load.acknowledged();
    wait_for("messages to be acknowledged", || load.acknowledged() >= before + BETWEEN);
}

/// What must hold in the end: each acknowledged message is in the log, sessions are what the log says, and there is none
/// of a stream that nobody sent. Prints what was done.
fn check(home: &Home, service: &Service, sent: &Sent, done: &str) {
    let empty = r#""name":"spool","ready":true,"state":"empty""#;
    wait_for("an empty spool", || service.readiness().contains(empty));
    let rows_of = |query: &str| service.sql(query).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let logged = rows_of("select distinct stream || ' ' || event from log_entry");
    let lost: Vec<_> = sent.acknowledged.difference(&logged).collect();
    assert!(lost.is_empty(), "acknowledged, and not in the log: {lost:?}");
    let lag =
        "select count(*) from shard_head join fold_progress f using (shard) where f.position < shard_head.position";
    wait_for("the log to be folded", || service.sql(lag) == "0");
    assert_eq!(
        rows_of("select distinct stream || ' ' || publish_timestamp from log_entry"),
        rows_of("select stream || ' ' || publish_timestamp from stream_session"),
        "one session for each push that the log knows"
    );
    let (status, printed) = home.run(&["rebuild", "--verify"]);
    assert_eq!(status, 0, "{printed}");
    println!(
        "{done}: {} messages sent, {} acknowledged, {} found; {} in the log; {}",
        sent.messages,
        sent.acknowledged.len(),
        sent.acknowledged.intersection(&logged).count(),
        service.sql("select count(*) from log_entry"),
        printed.trim()
    );
}

#[test]
fn what_a_killed_service_had_acknowledged_is_there() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(3, 10);
    for _ in 0..kills {
        wait_for_load(&load);
        service.kill();
        drop(service);
        service = home.serve();
        load.send_to(&service);
    }
    wait_for_load(&load);
    check(&home, &service, &load.stop(), &format!("{kills} kills of the service"));
}

#[test]
fn what_a_service_had_acknowledged_whose_database_was_killed_is_there() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(2, 5);
    for _ in 0..kills {
        wait_for_load(&load);
        let server = service.running_server();
        send(server, Signal::KILL);
        wait_for("another server", || service.server_pid().is_some_and(|pid| pid != server && is_alive(pid)));
    }
    wait_for_load(&load);
    check(&home, &service, &load.stop(), &format!("{kills} kills of PostgreSQL"));
}

#[test]
fn what_was_acknowledged_before_both_were_killed_is_there() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(2, 5);
    for _ in 0..kills {
        wait_for_load(&load);
        let server = service.running_server();
        send(server, Signal::KILL);
        service.kill();
        wait_for("the server's end", || !is_alive(server));
        drop(service);
        service = home.serve();
        load.send_to(&service);
    }
    wait_for_load(&load);
    check(&home, &service, &load.stop(), &format!("{kills} kills of both at once"));
}

#[test]
fn a_service_that_is_asked_to_stop_under_load_stops_in_time_and_loses_nothing() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let stops = times(2, 5);
    for _ in 0..stops {
        wait_for_load(&load);
        let asked = std::time::Instant::now();
        service.stop();
        assert!(asked.elapsed().as_secs() < 10, "it took {:?}", asked.elapsed());
        service = home.serve();
        load.send_to(&service);
    }
    wait_for_load(&load);
    check(&home, &service, &load.stop(), &format!("{stops} stops by SIGTERM"));
}
