//! Kills of the service, of the server and of both, and what they leave behind.

use std::{
    fs,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use test_support::home::{Bystander, Home, User, is_alive, owner_of, program, run_as, send, set_mode, wait_for};

/// Computes and never waits, so it does not notice the death of its main process. Should a test fail,
/// it ends by itself.
const BUSY: &str = "do $$ declare until timestamptz := clock_timestamp() + interval '2 minutes'; \
                    begin while clock_timestamp() < until loop end loop; end $$";

#[test]
#[cfg(target_os = "linux")]
fn the_server_does_not_outlive_a_killed_service() {
    check_kill_of_the_service(User::Ourselves);
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_of_an_ordinary_user_does_not_outlive_a_killed_service() {
    check_kill_of_the_service(User::Ordinary);
}

#[cfg(target_os = "linux")]
fn check_kill_of_the_service(user: User) {
    let home = Home::new(user);
    let mut service = home.serve();
    service.sql("create table kept as select 42 as answer");
    let server = service.running_server();
    service.kill();
    wait_for("the server's end", || !is_alive(server));
    assert!(service.log().contains("database system is shut down"), "{}", service.log());

    let service = home.serve();
    assert_eq!(service.sql("select answer from kept"), "42");
    service.stop();
}

#[test]
fn a_service_starts_at_once_after_a_kill_while_its_server_still_stops() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    service.sql("create table kept as select generate_series(1, 200000) as answer");
    service.kill();
    let service = home.serve();
    assert_eq!(service.sql("select count(*) from kept"), "200000");
    service.stop();
}

#[test]
fn nothing_is_lost_when_both_are_killed() {
    check_kill_of_both(User::Ourselves);
}

#[test]
fn nothing_of_an_ordinary_user_is_lost_when_both_are_killed() {
    check_kill_of_both(User::Ordinary);
}

fn check_kill_of_both(user: User) {
    let home = Home::new(user);
    let mut service = home.serve();
    service.sql("create table kept as select 42 as answer");
    // The server first: so that it cannot stop in good order when the service dies.
    send(service.running_server(), Signal::KILL);
    service.kill();
    let service = home.serve();
    assert_eq!(service.sql("select answer from kept"), "42");
    assert!(service.log().contains("was not properly shut down; automatic recovery"), "{}", service.log());
    service.stop();
}

#[test]
fn a_killed_server_comes_back_by_itself() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    service.sql("create table kept as select 42 as answer");
    for _ in 0..2 {
        let killed = service.running_server();
        send(killed, Signal::KILL);
        wait_for("another server", || service.server_pid().is_some_and(|pid| pid != killed));
        service.wait_ready();
        assert_eq!(service.sql("select answer from kept"), "42");
    }
    service.stop();
}

#[test]
fn a_killed_server_comes_back_over_a_child_that_is_busy_or_frozen() {
    let home = Home::new(User::Ourselves);
    let mut service = home.serve();
    for signal in [None, Some(Signal::STOP)] {
        let mut busy = service.psql(BUSY);
        let mut busy = Bystander::spawn(busy.stdout(Stdio::null()).stderr(Stdio::null()));
        let find = "select pid from pg_stat_activity where query like 'do %'";
        wait_for("a busy child", || !service.sql(find).is_empty());
        let child: i32 = service.sql(find).parse().unwrap();
        if let Some(signal) = signal {
            send(child, signal);
        }
        let killed = service.running_server();
        send(killed, Signal::KILL);
        wait_for("another server", || service.server_pid().is_some_and(|pid| pid != killed));
        service.wait_ready();
        assert!(!is_alive(child));
        assert!(!busy.wait().success());
    }
    service.stop();
}

#[test]
fn a_server_that_outlived_its_service_is_stopped_first() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    service.sql("create table kept as select 42 as answer");
    let pgdata = service.pgdata();
    service.stop();

    let sockets = home.path().join("sockets");
    fs::create_dir(&sockets).unwrap();
    set_mode(&sockets, 0o777);
    let mut postgres = Command::new(program("postgres"));
    postgres.arg("-D").arg(&pgdata).args(["-c", "listen_addresses="]).arg("-k").arg(&sockets);
    postgres.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    let mut left_over = Bystander::spawn(run_as(&mut postgres, Some(owner_of(&pgdata))));
    wait_for("a left-over server", || {
        assert!(!left_over.has_ended());
        fs::read_to_string(pgdata.join("postmaster.pid")).is_ok_and(|file| file.contains("ready"))
    });

    let service = home.serve();
    assert_eq!(left_over.wait().code(), Some(0), "stopped in good order");
    assert_eq!(service.sql("select answer from kept"), "42");
    service.stop();
}

#[test]
fn a_stale_pid_file_neither_stops_a_start_nor_harms_who_has_its_pid() {
    for zombie in [false, true] {
        let home = Home::new(User::Ourselves);
        let mut service = home.serve();
        let (pgdata, socket_dir) = (service.pgdata(), service.socket_dir());
        let server = service.running_server();
        send(server, Signal::KILL);
        service.kill();
        wait_for("the server's end", || !is_alive(server));

        // Of the server's own user: of others PostgreSQL knows that they cannot be it.
        let mut bystander = Bystander::spawn(run_as(Command::new("sleep").arg("1000"), Some(owner_of(&pgdata))));
        for file in [pgdata.join("postmaster.pid"), socket_dir.join(".s.PGSQL.5432.lock")] {
            let content = fs::read_to_string(&file).unwrap();
            let (_, rest) = content.split_once('\n').unwrap();
            fs::write(&file, format!("{}\n{rest}", bystander.pid())).unwrap();
        }
        if zombie {
            bystander.kill();
            wait_for("a zombie", || !is_alive(bystander.pid()));
        }
        let service = home.serve();
        assert!(zombie || !bystander.has_ended());
        service.stop();
        assert!(zombie || !bystander.has_ended());
    }
}
