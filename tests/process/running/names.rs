//! A name server that never answers, which delays no exit.
#![cfg(target_os = "linux")]

use std::{
    fs,
    net::UdpSocket,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use test_support::home::{Home, User, finish, free_port, wait_for};
use test_support::service::Service;

/// An address of this machine alone, where nothing else listens.
const NAME_SERVER: &str = "127.53.53.53";

/// A lookup takes many times as long.
const PROMPT: Duration = Duration::from_secs(25);

const UNREACHABLE: &str = "postgres://somebody@database.example.com/streamtally";

/// A name server that never answers, and the programs whose lookups it gets.
struct SilentNameServer {
    _socket: UdpSocket,
    resolv_conf: String,
}

impl SilentNameServer {
    /// `None` where it cannot be had: its port is for root.
    fn start(home: &Home) -> Option<Self> {
        let bound = UdpSocket::bind((NAME_SERVER, 53)).map_err(|error| eprintln!("left out: no name server: {error}"));
        let path = home.path().join("resolv.conf");
        fs::write(&path, format!("nameserver {NAME_SERVER}\noptions timeout:30 attempts:5\n")).expect("a file");
        let server = Self { _socket: bound.ok()?, resolv_conf: path.to_str().expect("text").to_owned() };
        let trial =
            server.with(&Command::new("true")).output().expect("bwrap, of bubblewrap, which scripts/test installs");
        if !trial.status.success() {
            eprintln!("left out: no containers can be made here: {}", String::from_utf8_lossy(&trial.stderr));
        }
        trial.status.success().then_some(server)
    }

    /// The same command line, where this is the name server.
    fn with(&self, command: &Command) -> Command {
        let mut within = Command::new("bwrap");
        within.args(["--dev-bind", "/", "/", "--ro-bind", &self.resolv_conf]);
        within.arg(fs::canonicalize("/etc/resolv.conf").expect("the system's file"));
        within.args(["--die-with-parent", "--"]).arg(command.get_program()).args(command.get_args());
        within.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
        within
    }
}

#[test]
fn a_command_ends_with_its_error() {
    let home = Home::new(User::Ourselves);
    let Some(name_server) = SilentNameServer::start(&home) else { return };
    let mut list = home.program();
    list.args(["domain", "list", "--database-url", UNREACHABLE, "--data-dir"]).arg(home.data_dir());
    let started = Instant::now();
    let (status, printed) = finish(&mut name_server.with(&list));
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("the database at database.example.com:5432 is unreachable"), "{printed}");
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}

#[test]
fn a_service_whose_database_cannot_be_found_stops_when_it_is_told_to() {
    let home = Home::new(User::Ourselves);
    let Some(name_server) = SilentNameServer::start(&home) else { return };
    home.serve().stop();
    let port = free_port();
    let mut serve = home.program();
    serve.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--database-url", UNREACHABLE, "--data-dir"]);
    let mut serve = name_server.with(serve.arg(home.data_dir()));
    let stderr = home.path().join("stderr");
    serve.stderr(fs::File::create(&stderr).expect("a file"));
    let mut service = Service::new(serve.spawn().expect("a service"), port, stderr, &home.data_dir());
    wait_for("a service that receives", || service.stderr().contains("listening"));
    let started = Instant::now();
    // The program is the child of what made its surroundings.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", service.pid())).expect("a child");
    test_support::home::send(children.trim().parse().expect("one child"), Signal::TERM);
    let status = service.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", service.stderr());
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}
