//! A network between the service and its database that fails under load.

use std::time::Duration;

use test_support::home::{Home, User, wait_for};

use crate::load::Load;
use crate::proxy::Mode;
use crate::shared::{ALL_ROLES, SharedDatabase};
use crate::times;
use crate::verdict::check;

/// How many callbacks are to be answered 200 between two faults.
const BETWEEN: usize = 200;

#[test]
fn a_commit_whose_answer_is_lost_is_made_again_and_counts_once() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    let losses = times(3, 20);
    for _ in 0..losses {
        load.wait_for_more(BETWEEN);
        proxy.swallow_next_answers();
    }
    load.wait_for_more(BETWEEN);
    check(&(&home, &database, &service), &load.stop(), &format!("{losses} losses of the database's answers"));
    let twice = database.number("select count(*) - count(distinct (stream, event)) from log_entry");
    assert!(twice >= i64::from(losses), "{twice} entries were made again");
}

#[test]
fn a_service_comes_back_by_itself_however_the_network_failed() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let proxy = database.proxy();
    let service = database.serve_through(&proxy, &home, "service", ALL_ROLES);
    let load = Load::start(&service, &key);
    let rounds = times(1, 5);
    for _ in 0..rounds {
        for mode in [Mode::Refuse, Mode::BlackHole, Mode::SwallowAnswers] {
            load.wait_for_more(BETWEEN);
            proxy.set(mode);
            for _ in 0..times(1, 3) {
                wait_for("a service that is not ready", || !service.is_ready());
            }
            proxy.set(Mode::Pass);
        }
        load.wait_for_more(BETWEEN);
        proxy.cut();
        proxy.set(Mode::Delay(Duration::from_millis(20)));
        load.wait_for_more(BETWEEN);
        proxy.set(Mode::Pass);
    }
    wait_for("a service that is ready", || service.is_ready());
    check(&(&home, &database, &service), &load.stop(), &format!("{rounds} rounds of each failure of the network"));
}
