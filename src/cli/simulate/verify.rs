//! Checks that every callback that was answered 200 is in a session.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::outcome::{Acknowledged, LoadReport};

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
struct Page {
    data: Vec<Session>,
    next_cursor: Option<String>,
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
pub async fn verify(
    url: &Url,
    token: &SecretString,
    domain: &str,
    prefix: &str,
    outcome: &LoadReport,
) -> anyhow::Result<Verified> {
    let client = Client::new();
    let begin = Instant::now();
    loop {
        // Measured before the request, so that its own duration does not count.
        let asked = begin.elapsed();
        let found = list_sessions(&client, url, token, domain, prefix).await?;
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

async fn list_sessions(
    client: &Client,
    url: &Url,
    token: &SecretString,
    domain: &str,
    prefix: &str,
) -> anyhow::Result<HashMap<Uuid, Acknowledged>> {
    let mut found = HashMap::new();
    let mut cursor = None;
    loop {
        let mut url = url.join("/v1/sessions")?;
        url.query_pairs_mut().extend_pairs([("domain", domain), ("stream_prefix", prefix), ("limit", "500")]);
        url.query_pairs_mut().extend_pairs(cursor.iter().map(|cursor: &String| ("cursor", cursor)));
        let answer = client.get(url).bearer_auth(token.expose_secret()).send().await?;
        if answer.status() != StatusCode::OK {
            bail!("the API answered {}: {}", answer.status(), answer.text().await?);
        }
        let page: Page = answer.json().await?;
        let received = |session: Session| {
            let (start, end) = (session.start_received_at.is_some(), session.end_received_at.is_some());
            (session.id, Acknowledged { start, end })
        };
        found.extend(page.data.into_iter().map(received));
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(found),
        }
    }
}
