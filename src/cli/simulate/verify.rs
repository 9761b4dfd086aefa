//! Checks that every callback that was answered 200 is in a session, or quarantined.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::outcome::{Acknowledged, LoadReport};
use crate::cli::client::{Client, Query};
use crate::huawei::notification::Event;

const VERIFY_TIMEOUT: Duration = Duration::from_mins(1);

pub struct Verified {
    /// Sessions of the run.
    pub sessions: usize,
    /// Callbacks that were answered 200 and are neither in a session nor in quarantine.
    pub missing: usize,
    /// Callbacks in quarantine. With the streams of an earlier run, two pushes of a stream can have a signature in common.
    pub quarantined: usize,
    /// Time from the last response until all were found, or the timeout.
    pub after: Duration,
}

#[derive(Deserialize)]
struct Session {
    #[serde(rename = "session_id")]
    id: Uuid,
    start_received_at: Option<String>,
    end_received_at: Option<String>,
}

#[derive(Deserialize)]
struct QuarantinedEvent {
    session_id: Uuid,
    event: String,
}

/// Lists the sessions of the run until they contain every callback that was answered 200 and is not quarantined, or the timeout.
///
/// # Errors
/// The API is unreachable.
pub async fn verify(client: &Client, domain: &str, prefix: &str, outcome: &LoadReport) -> anyhow::Result<Verified> {
    let begin = Instant::now();
    loop {
        // Measured before the request, so that its own duration does not count.
        let asked = begin.elapsed();
        let found = list_sessions(client, domain, prefix).await?;
        let mut missing = list_missing(&outcome.sessions.borrow(), &found);
        let in_no_session = missing.len();
        if in_no_session > 0 {
            remove_quarantined(client, domain, &mut missing).await?;
        }
        if missing.is_empty() || begin.elapsed() > VERIFY_TIMEOUT {
            let (missing, quarantined) = (missing.len(), in_no_session - missing.len());
            return Ok(Verified { sessions: found.len(), missing, quarantined, after: asked });
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The callbacks that are in no session: the session that each belongs to, and its event.
fn list_missing(
    acknowledged: &HashMap<Uuid, Acknowledged>,
    found: &HashMap<Uuid, Acknowledged>,
) -> HashSet<(Uuid, Event)> {
    let missing = |(session_id, of): (&Uuid, &Acknowledged)| {
        let found = found.get(session_id).copied().unwrap_or_default();
        let start = (of.start && !found.start).then_some((*session_id, Event::Publish));
        let end = (of.end && !found.end).then_some((*session_id, Event::PublishDone));
        start.into_iter().chain(end)
    };
    acknowledged.iter().flat_map(missing).collect()
}

async fn remove_quarantined(client: &Client, domain: &str, missing: &mut HashSet<(Uuid, Event)>) -> anyhow::Result<()> {
    let query = Query::default().with("domain", Some(domain)).with("disposition", Some("quarantined"));
    client
        .list("/v1/events", &query, usize::MAX, |row| {
            let QuarantinedEvent { session_id, event } = QuarantinedEvent::deserialize(row)?;
            missing.remove(&(session_id, Event::from_word(event)));
            Ok(())
        })
        .await?;
    Ok(())
}

async fn list_sessions(client: &Client, domain: &str, prefix: &str) -> anyhow::Result<HashMap<Uuid, Acknowledged>> {
    let query = Query::default().with("domain", Some(domain)).with("stream_prefix", Some(prefix));
    let mut found = HashMap::new();
    client
        .list("/v1/sessions", &query, usize::MAX, |row| {
            let session = Session::deserialize(row)?;
            let (start, end) = (session.start_received_at.is_some(), session.end_received_at.is_some());
            found.insert(session.id, Acknowledged { start, end });
            Ok(())
        })
        .await?;
    Ok(found)
}
