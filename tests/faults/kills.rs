//! Processes that die under load.

use rustix::process::Signal;
use test_support::home::{Home, User, is_alive, send, wait_for};

use crate::load::{Load, register};
use crate::times;
use crate::verdict::check;

/// How many callbacks are to be answered 200 between two faults.
const BETWEEN: usize = 500;

#[test]
fn what_was_answered_200_survives_a_kill_of_the_service() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(3, 10);
    for _ in 0..kills {
        load.wait_for_more(BETWEEN);
        service.kill();
        drop(service);
        service = home.serve();
        load.send_to(&service);
    }
    load.wait_for_more(BETWEEN);
    check(&(&home, &service), &load.stop(), &format!("{kills} kills of the service"));
}

#[test]
fn what_was_answered_200_survives_a_kill_of_the_database() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(2, 5);
    for _ in 0..kills {
        load.wait_for_more(BETWEEN);
        let server = service.running_server();
        send(server, Signal::KILL);
        wait_for("another server", || service.server_pid().is_some_and(|pid| pid != server && is_alive(pid)));
    }
    load.wait_for_more(BETWEEN);
    check(&(&home, &service), &load.stop(), &format!("{kills} kills of PostgreSQL"));
}

#[test]
fn what_was_answered_200_survives_a_kill_of_both() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let kills = times(2, 5);
    for _ in 0..kills {
        load.wait_for_more(BETWEEN);
        let server = service.running_server();
        send(server, Signal::KILL);
        service.kill();
        wait_for("the server's end", || !is_alive(server));
        drop(service);
        service = home.serve();
        load.send_to(&service);
    }
    load.wait_for_more(BETWEEN);
    check(&(&home, &service), &load.stop(), &format!("{kills} kills of both at once"));
}

#[test]
fn a_service_that_is_asked_to_stop_under_load_stops_in_time_and_loses_nothing() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let load = Load::start(&service, &register(&home));
    let stops = times(2, 5);
    for _ in 0..stops {
        load.wait_for_more(BETWEEN);
        let asked = std::time::Instant::now();
        service.stop();
        assert!(asked.elapsed().as_secs() < 10, "it took {:?}", asked.elapsed());
        service = home.serve();
        load.send_to(&service);
    }
    load.wait_for_more(BETWEEN);
    check(&(&home, &service), &load.stop(), &format!("{stops} stops by SIGTERM"));
}
