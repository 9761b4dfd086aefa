//! A database that is away under load, while the provider does not stop.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use test_support::home::{Home, User, is_root, wait_for};

use crate::load::Load;
use crate::proxy::Mode;
use crate::shared::{ALL_ROLES, SharedDatabase};
use crate::times;
use crate::verdict::check;

/// How many callbacks are to be answered 200 between two faults.
const BETWEEN: usize = 200;

#[test]
fn callbacks_are_answered_200_while_the_database_is_unreachable_and_none_is_lost() {
    away(Mode::Refuse, "refuses connections");
}

#[test]
fn callbacks_are_answered_200_while_the_database_is_silent_and_none_is_lost() {
    away(Mode::BlackHole, "is silent");
}

fn away(mode: Mode, how: &str) {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    load.wait_for_more(BETWEEN);
    proxy.set(mode);
    let (outage, began) = (Duration::from_secs(times(1, 60).into()), Instant::now());
    let before = load.answered_200();
    loop {
        load.wait_for_more(BETWEEN);
        if began.elapsed() >= outage {
            break;
        }
    }
    let meanwhile = load.answered_200() - before;
    proxy.set(Mode::Pass);
    load.wait_for_more(BETWEEN);
    let sent = load.stop();
    let done = format!("{:.0} s in which the database {how}, {meanwhile} answered 200 meanwhile", outage.as_secs_f64());
    check(&(&home, &database, &service), &sent, &done);
    assert!(sent.failures.is_empty(), "not answered 200: {:?}", sent.failures);
    let twice = database.number("select count(*) - count(distinct (stream, event)) from log_entry");
    assert!(twice <= 2 * 16, "{twice} entries are there twice: more than were under way when the database went");
    let order =
        "select count(*) from (select received_at - lag(received_at) over (partition by shard order by position)
                 as later from log_entry) steps where later < interval '-1 second'";
    assert_eq!(database.number(order), 0, "what waited went before what came later");
    let drained = service.metric("streamtally_drained_messages_total{outcome=\"logged\",cause=\"\"}");
    let waited = f64::from(u32::try_from(meanwhile.saturating_sub(16)).unwrap());
    assert!(drained.is_some_and(|drained| drained >= waited), "{drained:?} of {waited} that waited are counted");
    assert_eq!(service.metric("streamtally_spool_messages"), Some(0.0));
}

#[test]
fn a_database_that_vanishes_without_a_word_and_is_there_again_is_found_again() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    let vanishings = times(1, 5);
    for _ in 0..vanishings {
        load.wait_for_more(BETWEEN);
        proxy.vanish();
        load.wait_for_more(BETWEEN);
        let reached = database.number("select sum(position) from shard_head");
        wait_for("folding to go on", || database.number("select sum(position) from fold_progress") >= reached);
    }
    let done = format!("{vanishings} times a database whose connections died without a word");
    check(&(&home, &database, &service), &load.stop(), &done);
}

#[test]
fn what_waits_on_disk_outlives_kills_of_the_service() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let mut service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    load.wait_for_more(BETWEEN);
    let kills = times(1, 5);
    for _ in 0..kills {
        proxy.set(Mode::Refuse);
        load.wait_for_more(BETWEEN);
        service.kill();
        service = database.launch_through(&proxy, &home, "service", ALL_ROLES);
        load.send_to(&service);
        load.wait_for_more(BETWEEN);
        proxy.set(Mode::Pass);
        wait_for("a service that is ready", || service.is_ready());
        // In the middle of draining, as often as not.
        service.kill();
        service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
        load.send_to(&service);
    }
    load.wait_for_more(BETWEEN);
    let done = format!("{} kills of a service with callbacks in the spool", 2 * kills);
    check(&(&home, &database, &service), &load.stop(), &done);
}

#[test]
fn a_service_whose_database_is_silent_stops_in_time_and_loses_nothing() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let mut service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    let stops = times(1, 5);
    for _ in 0..stops {
        load.wait_for_more(BETWEEN);
        proxy.set(Mode::BlackHole);
        wait_for("bytes that do not come through", || proxy.held() > 0);
        let asked = Instant::now();
        service.signal(Signal::TERM);
        let status = service.wait_exit();
        assert_eq!(status.code(), Some(0), "{}", service.stderr());
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        proxy.set(Mode::Pass);
        service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
        load.send_to(&service);
    }
    load.wait_for_more(BETWEEN);
    let done = format!("{stops} stops by SIGTERM while the database was silent");
    check(&(&home, &database, &service), &load.stop(), &done);
}

/// A disk of a few MiB, there until dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=3m,mode=0755", "none"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "a small disk is mounted");
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_under_the_spool_is_told_and_drained_when_the_database_is_back() {
    if !is_root() {
        println!("A full disk is not tried: only root can mount a small one.");
        return;
    }
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let _disk = SmallDisk::mount(home.path().join("service"));
    let service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    load.wait_for_more(BETWEEN);
    let times_full = times(1, 3);
    for _ in 0..times_full {
        proxy.set(Mode::Refuse);
        let full = "not writable";
        wait_for("a full disk", || service.readiness().contains(full));
        let failures = load.failures();
        wait_for("messages that are refused", || load.failures() > failures);
        proxy.set(Mode::Pass);
        wait_for("an empty spool", || service.readiness().contains(r#""state":"empty""#));
        load.wait_for_more(BETWEEN);
    }
    let sent = load.stop();
    check(&(&home, &database, &service), &sent, &format!("{times_full} times a full disk under the spool"));
}
