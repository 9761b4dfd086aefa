//! `health`: what watches a service from beside it is told by status and words.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    process::Command,
    thread,
};

use rustix::process::Signal;
use test_support::certificates::{Authority, Files};
use test_support::home::{Home, User, finish, free_port, wait_for};
use test_support::service::Service;

fn health(home: &Home, listen: &str) -> Command {
    let mut command = home.program();
    command.args(["health", "--listen", listen]);
    command
}

fn address_of(service: &Service) -> String {
    service.url().replace("http://", "")
}

#[test]
fn a_ready_service_is_told_by_status_zero_from_wherever_it_is_known_to_listen() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let listen = address_of(&service);
    let (status, printed) = finish(&mut health(&home, &listen));
    assert_eq!(
        (status, printed.as_str()),
        (
            0,
            "the service is ready\ndatabase: reachable\nclock: in sync with the database\nfolding: running\nspool: empty\n"
        )
    );
    // As in a container: on every address, and with a proxy for what is elsewhere.
    let mut command = health(&home, &listen.replace("127.0.0.1", "0.0.0.0"));
    let (status, printed) =
        finish(command.env("HTTP_PROXY", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1"));
    assert_eq!(status, 0, "{printed}");
    let file = home.path().join("settings.toml");
    fs::write(&file, format!("listen = '{listen}'\n")).expect("a file");
    let (status, printed) = finish(home.program().args(["health", "--config"]).arg(&file));
    assert_eq!(status, 0, "{printed}");
    service.stop();
}

#[test]
fn a_service_whose_database_is_away_is_not_ready_and_one_that_is_gone_does_not_answer() {
    let home = Home::new(User::Ourselves);
    let first = home.serve();
    let database = format!("postgres://streamtally@localhost/streamtally?host={}", first.socket_dir().display());
    let mut second = home.launch(&home.path().join("work/second"), |command| {
        command.args(["--roles", "api", "--database-url", &database]);
        command.env("STREAMTALLY_MASTER_KEY", fs::read_to_string(home.data_dir().join("master-key")).unwrap().trim());
    });
    second.wait_ready();
    let listen = address_of(&second);
    first.stop();
    let (status, printed) = finish(&mut health(&home, &listen));
    assert_eq!(status, 1, "{printed}");
    assert!(printed.starts_with("error: the service is not ready\ndatabase: "), "{printed}");
    second.signal(Signal::TERM);
    second.wait_exit();
    let (status, printed) = finish(&mut health(&home, &listen));
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains(&format!("http://{listen}/readyz is unreachable")), "{printed}");
}

#[test]
fn by_https_the_certificate_may_be_for_the_name_that_others_use() {
    let home = Home::new(User::Ourselves);
    let files = Files::with(Authority::new().issue());
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(files.settings());
    });
    let listen = address_of(&service);
    let by_https = || finish(health(&home, &listen).arg("--tls-cert").arg(files.certificate()));
    wait_for("a service that is ready by HTTPS", || by_https().0 == 0);
    let (status, printed) = finish(&mut health(&home, &listen));
    assert_eq!(status, 1, "{printed}");
    service.signal(Signal::TERM);
    service.wait_exit();
}

#[test]
fn what_answers_but_is_another_program_is_not_taken_for_the_service() {
    let home = Home::new(User::Ourselves);
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let listen = stranger.local_addr().expect("its address").to_string();
    let answering = thread::spawn(move || {
        let (mut asking, _) = stranger.accept().expect("a request");
        let _ = asking.read(&mut [0; 1_000]);
        asking.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("an answer");
    });
    let (status, printed) = finish(&mut health(&home, &listen));
    answering.join().expect("the stranger");
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("answered 200 OK, but not as streamtally does"), "{printed}");
}

#[test]
fn a_port_that_is_not_known_is_bad_usage() {
    let home = Home::new(User::Ourselves);
    let (status, printed) = finish(&mut health(&home, "127.0.0.1:0"));
    assert_eq!(status, 2, "{printed}");
    assert!(printed.contains("--listen must have the port"), "{printed}");
    let (status, printed) = finish(&mut health(&home, &format!("127.0.0.1:{}", free_port())));
    assert_eq!(status, 1, "{printed}");
}
