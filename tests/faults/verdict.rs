//! What must hold in the end, whatever broke.

use std::collections::BTreeSet;

use test_support::home::{Home, wait_for};
use test_support::service::Service;

use crate::load::Sent;
use crate::shared::SharedDatabase;

/// A database that can be asked what it holds.
pub trait Database {
    /// The service that received.
    fn receiver(&self) -> &Service;

    /// Runs a statement and gives its values, by lines.
    fn sql(&self, statement: &str) -> String;

    /// What `rebuild --verify` prints, which must not find fault.
    fn verify(&self) -> String;
}

/// The private database of a service.
impl Database for (&Home, &Service) {
    fn receiver(&self) -> &Service {
        self.1
    }

    fn sql(&self, statement: &str) -> String {
        self.1.sql(statement)
    }

    fn verify(&self) -> String {
        let (status, printed) = self.0.run(&["rebuild", "--verify"]);
        assert_eq!(status, 0, "{printed}");
        printed.trim().to_owned()
    }
}

/// One that services share, and the service that received.
impl Database for (&Home, &SharedDatabase, &Service) {
    fn receiver(&self) -> &Service {
        self.2
    }

    fn sql(&self, statement: &str) -> String {
        self.1.sql(statement)
    }

    fn verify(&self) -> String {
        self.1.verify(self.0)
    }
}

/// Each callback that was answered 200 is in the log, sessions are what the log says, and there is none of a push that
/// nobody sent. Prints what was done, and what came of it.
pub fn check(database: &impl Database, sent: &Sent, done: &str) {
    let empty = r#""name":"spool","ready":true,"state":"empty""#;
    wait_for("an empty spool", || database.receiver().readiness().contains(empty));
    let rows_of = |query: &str| database.sql(query).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let logged = rows_of("select distinct stream || ' ' || event from log_entry");
    let lost: Vec<_> = sent.answered_200.difference(&logged).collect();
    assert!(lost.is_empty(), "answered 200, and not in the log: {lost:?}");
    let lag =
        "select count(*) from shard_head join fold_progress f using (shard) where f.position < shard_head.position";
    wait_for("the log to be folded", || database.sql(lag) == "0");
    assert_eq!(
        rows_of("select distinct stream || ' ' || publish_timestamp from log_entry"),
        rows_of("select stream || ' ' || publish_timestamp from stream_session"),
        "one session for each push that the log knows"
    );
    let verified = database.verify();
    println!(
        "{done}: {} callbacks sent, {} answered 200, {} found; {} in the log; {verified}",
        sent.messages,
        sent.answered_200.len(),
        sent.answered_200.intersection(&logged).count(),
        database.sql("select count(*) from log_entry"),
    );
}
