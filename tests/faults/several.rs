//! Several processes on one database, of which some die.

use std::time::{Duration, Instant};

use test_support::home::{Home, User, wait_for};

use crate::load::Load;
use crate::shared::SharedDatabase;
use crate::times;
use crate::verdict::check;

/// How many callbacks are to be answered 200 between two faults.
const BETWEEN: usize = 200;

/// Another process takes over within this.
const TAKEOVER: Duration = Duration::from_secs(5);

#[test]
fn of_several_processes_each_can_be_killed_and_folding_goes_on() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let receiver = database.serve(&home, "receiver", "receiver,api");
    let mut folding = database.serve(&home, "folder", "reconciler");
    let load = Load::start(&receiver, &database.register(&home));
    let kills = times(2, 6);
    for kill in 0..kills {
        let standing_by = database.serve(&home, &format!("folder{kill}"), "reconciler");
        load.wait_for_more(BETWEEN);
        folding.kill();
        let killed = Instant::now();
        let reached = database.number("select sum(position) from shard_head");
        wait_for("the other to fold", || database.number("select sum(position) from fold_progress") >= reached);
        assert!(killed.elapsed() < TAKEOVER, "it took {:?}", killed.elapsed());
        folding = standing_by;
    }
    check(&(&home, &database, &receiver), &load.stop(), &format!("{kills} kills of one of two folders"));
}
