//! Crowds that want the service's time: honest callbacks are answered all the same.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use test_support::home::{Home, User};
use tokio::net::TcpStream;
use tokio::runtime;

use crate::crowd::{Dawdler, Glutton, ask, idle};
use crate::load::Load;
use crate::shared::{ALL_ROLES, SharedDatabase};
use crate::verdict::check;
use crate::{is_full, times};

/// How many dawdle in each way.
const DAWDLERS: usize = 100;

/// These are cut after up to 3.5 minutes, for which the short form does not wait.
const PATIENT: [Dawdler; 3] = [Dawdler::Body, Dawdler::ChunkedBody, Dawdler::LaterHead];

/// How many send too much in each way, one body after the other.
const GLUTTONS: usize = 2;

/// How many connections are opened at one time.
const AT_ONCE: usize = 100;

/// The service holds each connection twice.
const FILES_A_CONNECTION: usize = 2;

/// Files that the service has open beside those of idle connections, with room to spare.
const OTHER_FILES: usize = 1_500;

#[test]
fn honest_callbacks_are_answered_in_the_midst_of_a_crowd() {
    let connections = afford(times(1_000, 10_000) as usize);
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let key = database.register(&home);
    let service = database.serve(&home, "service", ALL_ROLES);
    let address = service.url().trim_start_matches("http://").parse().unwrap();
    let load = Load::start(&service, &key);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        let crowd = crowd(address, connections, &load);
        let patient = join_all(PATIENT.map(|dawdler| dawdle(dawdler, 1, address)));
        if is_full() {
            let (crowd, cut) = tokio::join!(crowd, patient);
            return format!("{crowd}, {}", cut.join(", "));
        }
        tokio::select! {
            crowd = crowd => crowd,
            cut = patient => unreachable!("that takes longer: {cut:?}"),
        }
    });
    let sent = load.stop();
    assert!(sent.failures.is_empty(), "{} were not answered 200: {:?}", sent.failures.len(), sent.failures);
    check(&(&home, &database, &service), &sent, &format!("{done}; slowest honest answer {:.0?}", sent.slowest));
}

/// Holds idle connections while others dawdle and send too much. What they did.
async fn crowd(address: SocketAddr, connections: usize, load: &Load) -> String {
    let mut idle = open(address, connections).await;
    let before = load.answered_200();
    let (ended, refused) = (Cell::new(false), Cell::new(0));
    let gluttons = join_all(Glutton::ALL.repeat(GLUTTONS).into_iter().map(async |glutton| {
        while !ended.get() {
            glutton.send(address).await;
            refused.set(refused.get() + 1);
        }
    }));
    let dawdlers = async {
        let cut = dawdle(Dawdler::Head, times(1, 8), address).await;
        ended.set(true);
        cut
    };
    let (cut, _) = tokio::join!(dawdlers, gluttons);
    let meanwhile = load.answered_200() - before;
    assert!(meanwhile > 0);
    // All of them are still there.
    for stream in &mut idle {
        ask(stream).await;
    }
    format!(
        "{} idle connections held and {} that dawdle, {} bodies refused, {meanwhile} honest callbacks answered 200 \
         meanwhile; cut at the latest: {cut}",
        idle.len(),
        DAWDLERS * (1 + PATIENT.len()),
        refused.get()
    )
}

async fn open(address: SocketAddr, connections: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for first in (0..connections).step_by(AT_ONCE) {
        open.extend(join_all((first..connections.min(first + AT_ONCE)).map(|_| idle(address))).await);
    }
    open
}

/// Has many dawdle so often. How long the service let them.
async fn dawdle(dawdler: Dawdler, rounds: u32, address: SocketAddr) -> String {
    let longest = join_all((0..DAWDLERS).map(async |_| {
        let mut longest = Duration::ZERO;
        for _ in 0..rounds {
            longest = longest.max(dawdler.dawdle(address).await);
        }
        longest
    }));
    let longest = longest.await.into_iter().max().unwrap();
    format!("{dawdler:?} after {longest:.1?}")
}

/// Raises the limit of open files, here and for services to come. How many of the connections it allows.
fn afford(connections: usize) -> usize {
    let needed = (connections * FILES_A_CONNECTION + OTHER_FILES) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: Some(needed), maximum: maximum.map(|maximum| maximum.max(needed)) };
        // Beyond the hard limit only root may, and not everywhere.
        if setrlimit(Resource::Nofile, raised).is_err() {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        }
    }
    let limit = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit.try_into().unwrap());
    connections.min(limit.saturating_sub(OTHER_FILES) / FILES_A_CONNECTION)
}
