//! Live changes: server-sent events of `/v1/live/changes`, resumed after a lost connection.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::sleep;

use super::problem::ServiceError;
use super::{Client, Query};

const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// More than any event has. A line without an end must not fill the memory.
const MAX_LINE: usize = 1 << 20;

/// A listener. Events with other names than `session` only move the point from which it resumes.
pub(in crate::cli) struct Changes<'a> {
    client: &'a Client,
    query: Query,
    response: Option<Response>,
    lines: Lines,
    /// The ID of the last event. The service sends one first.
    last_id: Option<String>,
    has_connected: bool,
}

impl<'a> Changes<'a> {
    pub(in crate::cli) fn new(client: &'a Client, query: Query) -> Self {
        Self { client, query, response: None, lines: Lines::default(), last_id: None, has_connected: false }
    }

    /// Waits for the next session that has changed. Connects again if the connection is lost.
    ///
    /// # Errors
    /// The first connection failed, or the service answers with an error.
    pub(in crate::cli) async fn next(&mut self) -> Result<Value, ServiceError> {
        loop {
            if let Some(event) = self.lines.next_event() {
                self.last_id = event.id.or(self.last_id.take());
                if event.name == "session"
                    && let Ok(session) = serde_json::from_str(&event.data)
                {
                    return Ok(session);
                }
                continue;
            }
            match self.read().await {
                Some(chunk) => self.lines.add(&chunk),
                None => self.connect().await?,
            }
        }
    }

    /// `None` without a connection.
    async fn read(&mut self) -> Option<Vec<u8>> {
        let chunk = self.response.as_mut()?.chunk().await.ok().flatten();
        if chunk.is_none() || self.lines.is_too_long() {
            self.response = None;
            self.lines = Lines::default();
        }
        chunk.map(Into::into)
    }

    async fn connect(&mut self) -> Result<(), ServiceError> {
        let is_first = !self.has_connected;
        if !is_first {
            sleep(RETRY_PAUSE).await;
        }
        let request = self.client.request(Method::GET, "/v1/live/changes", &self.query);
        let request = match &self.last_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        };
        match self.client.send(request).await {
            // It ended without any event before.
            Ok(response) if !is_first && self.last_id.is_none() => {
                return Err(ServiceError::not_ours(response.status(), &self.client.base));
            }
            Ok(response) => {
                self.response = Some(response);
                self.has_connected = true;
            }
            // The log no longer reaches back to the last event.
            Err(error) if self.last_id.is_some() && error.is_bad_usage() => {
                eprintln!("some changes were missed: the event log no longer has them");
                self.last_id = None;
                self.has_connected = false;
            }
            Err(error) if is_first || !error.is_transient() => return Err(error),
            // The service may be restarting.
            Err(_) => {}
        }
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: String,
    data: String,
}

/// Splits what arrives into events.
#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    begun: Event,
}

impl Lines {
    fn add(&mut self, chunk: &[u8]) {
        self.text.extend_from_slice(chunk);
    }

    fn is_too_long(&self) -> bool {
        self.text.len() > MAX_LINE
    }

    fn next_event(&mut self) -> Option<Event> {
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                return Some(std::mem::take(&mut self.begun));
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "id" => self.begun.id = Some(value),
                "event" => self.begun.name = value,
                "data" => self.begun.data.push_str(&value),
                // A comment, or a field that we do not need.
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_chunks_of_any_size() {
        let text =
            b": here\nevent: position\nid: a\ndata:\n\nevent: session\nid: b\ndata: {\"stream\":\"\xe5\x90\x8d\"}\n\n";
        for size in [1, 2, 7, 1_000] {
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for chunk in text.chunks(size) {
                lines.add(chunk);
                events.extend(std::iter::from_fn(|| lines.next_event()));
            }
            let event = |id: &str, name: &str, data: &str| Event {
                id: Some(id.to_owned()),
                name: name.to_owned(),
                data: data.to_owned(),
            };
            assert_eq!(events, [event("a", "position", ""), event("b", "session", r#"{"stream":"名"}"#)], "{size}");
        }
    }
}
