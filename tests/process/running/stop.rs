//! Stops that were asked for.

use std::process::Stdio;

use rustix::process::{Pid, Signal, getpgid};
use test_support::home::{Bystander, Home, User, is_alive, wait_for};
use test_support::service::Service;

#[test]
fn sigterm_stops_both_in_good_order_though_clients_are_connected() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let mut client = service.psql("select pg_sleep(1000)");
    let mut client = Bystander::spawn(client.stderr(Stdio::null()));
    let connected = "select count(*) from pg_stat_activity where query like 'select pg_sleep%'";
    wait_for("a client", || service.sql(connected) == "1");
    let server = service.running_server();
    service.signal(Signal::TERM);
    assert_stopped(&mut service, server);
    assert!(!client.wait().success());
}

#[test]
fn ctrl_c_stops_the_service_first() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    let server = service.running_server();
    assert_ne!(group_of(server), group_of(service.pid()));
    service.signal_group(Signal::INT);
    assert_stopped(&mut service, server);
}

#[track_caller]
fn assert_stopped(service: &mut Service, server: i32) {
    let status = service.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", service.stderr());
    assert!(!is_alive(server));
    assert_eq!(service.server_pid(), None);
    assert!(service.log().trim_end().ends_with("database system is shut down"), "{}", service.log());
}

fn group_of(pid: i32) -> i32 {
    let group = getpgid(Pid::from_raw(pid)).expect("a process that runs");
    group.as_raw_nonzero().get()
}
