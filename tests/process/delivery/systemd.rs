//! Under systemd: what it is told, and the unit as it is installed, by a systemd of the test's own in a container.

use std::{fs, os::unix::net::UnixDatagram, process::Command};

use rustix::process::Signal;
use test_support::home::{DEADLINE, Home, User, is_root};

#[cfg(target_os = "linux")]
const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/delivery/systemd/boot.sh");

#[test]
fn systemd_is_told_when_the_service_listens_and_when_it_stops() {
    let home = Home::new(User::Ourselves);
    let path = home.path().join("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket");
    systemd.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    let told = || {
        let mut text = [0; 100];
        let length = systemd.recv(&mut text).expect("a word of the service");
        String::from_utf8_lossy(&text[..length]).trim_end().to_owned()
    };
    let mut service = home.launch(&home.data_dir(), |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(told(), "READY=1");
    assert!(!service.readiness().is_empty(), "nothing listens");
    service.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(service.wait_exit().code(), Some(0), "{}", service.stderr());
}

#[test]
#[cfg(target_os = "linux")]
fn the_unit_starts_restarts_and_stops_a_service_that_works_under_its_restrictions() {
    if !can_boot() {
        return;
    }
    let home = Home::new(User::Ourselves);
    let result = home.make_folder("result");
    let output = Command::new(BOOT).arg(env!("CARGO_BIN_EXE_streamtally")).arg(&result).output().expect("a shell");
    let log = fs::read_to_string(result.join("log")).unwrap_or_default();
    assert!(log.ends_with("\npassed\n"), "{log}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether containers can be made here, as root can on most machines.
#[cfg(target_os = "linux")]
fn can_boot() -> bool {
    if !is_root() {
        eprintln!("left out: a systemd of the test's own takes root");
        return false;
    }
    let trial = Command::new(BOOT).arg("--try").output().expect("a shell");
    let stderr = String::from_utf8_lossy(&trial.stderr);
    assert_ne!(trial.status.code(), Some(127), "systemd-nspawn is needed, which scripts/test installs: {stderr}");
    if !trial.status.success() {
        eprintln!("left out: no containers can be made here: {stderr}");
    }
    trial.status.success()
}
