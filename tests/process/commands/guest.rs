//! A command that comes to the folder of a running service.

use private_postgres::{LockHolder, Options, PrivatePostgres};
use test_support::home::{Home, User};

#[test]
fn a_command_uses_the_server_of_the_service_and_leaves_it_running() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let server = service.server_pid();
    let options = Options { data_dir: home.data_dir(), bin: None, holder: LockHolder::Command, parameters: Vec::new() };
    let mut guest = PrivatePostgres::open(&options).unwrap();
    assert_eq!(guest.socket_dir(), service.socket_dir());
    assert!(!guest.restart_if_dead().unwrap());
    guest.stop().unwrap();
    drop(PrivatePostgres::open(&options).unwrap());
    assert_eq!(service.server_pid(), server);
    assert_eq!(service.sql("select 1"), "1");
    service.stop();
}
