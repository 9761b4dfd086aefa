//! Checks that every callback that was answered 200 is in a session.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::outcome::{Acknowledged, LoadReport};
use crate::cli::client::{Client, Query};

const VERIFY_TIMEOUT: Duration = Duration::from_mins(1);

pub struct Verified {
    /// Sessions of the run.
    pub sessions: usize,
    /// Callbacks that were answered 200 and are in no session.
    pub missing: usize,
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

/// Lists the sessions of the run until they contain every callback that was answered 200, or the timeout.
///
/// # Errors
/// The API is unreachable.
pub async fn verify(client: &Client, domain: &str, prefix: &str, outcome: &LoadReport) -> anyhow::Result<Verified> {
    let begin = Instant::now();
    loop {
        // Measured before the request, so that its own duration does not count.
        let asked = begin.elapsed();
        let found = list_sessions(client, domain, prefix).await?;
        let missing = count_missing(&outcome.sessions.borrow(), &found);
        if missing == 0 || begin.elapsed() > VERIFY_TIMEOUT {
            return Ok(Verified { sessions: found.len(), missing, after: asked });
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn count_missing(acknowledged: &HashMap<Uuid, Acknowledged>, found: &HashMap<Uuid, Acknowledged>) -> usize {
    let missing = |session_id, of: &Acknowledged| {
        let found = found.get(session_id).copied().unwrap_or_default();
        usize::from(of.start && !found.start) + usize::from(of.end && !found.end)
    };
    acknowledged.iter().map(|(session_id, of)| missing(session_id, of)).sum()
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
