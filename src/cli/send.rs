//! `send`: signs and sends one callback as the provider would, to test an installation.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::BadUsage;
use super::client::{Client, Query};
use super::output::{print_json, say};
use super::sender::SenderOptions;
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::platform::clock;
use crate::session::{SessionKey, StreamKey};

const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

const VALIDITY_SECONDS: i64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PushEvent {
    /// The push starts: PUBLISH
    Start,
    /// The push ends: PUBLISH_DONE
    End,
}

impl PushEvent {
    fn event(self) -> Event {
        match self {
            Self::Start => Event::Publish,
            Self::End => Event::PublishDone,
        }
    }
}

/// Sign and send one callback, as the provider would
///
/// Tests the service, the domain and its key together. The resulting session stays in the history: use a domain that is not
/// billed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SendCommand {
    /// The event to send
    event: PushEvent,
    /// Stream name
    #[arg(long)]
    stream: String,
    /// Start of the push, in Unix seconds. Default: for `start`, now; for `end`, the start of the stream's newest live
    /// session
    #[arg(long, value_name = "SECONDS")]
    publish_timestamp: Option<i64>,
    /// Send an unsigned callback to this secret path
    #[arg(
        long,
        env = "STREAMTALLY_CALLBACK_PATH",
        hide_env_values = true,
        value_name = "/callbacks/huawei/…",
        conflicts_with = "key_stdin"
    )]
    callback_path: Option<String>,
    /// Wait up to 10 s for the resulting session, and print it
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    sender: SenderOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally send start --domain push.example.com --stream room1 --wait   a push starts now
  streamtally send end --domain push.example.com --stream room1 --wait     and ends

Exit status: 0 if the response is 200 and, with --wait, the session shows the callback; 1 if not;
2 on bad usage.";

impl SendCommand {
    /// # Errors
    /// There is no key, the service is unreachable, or the response is not 200.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let publish_timestamp = self.find_publish_timestamp().await?;
        let body = self.compose_body(publish_timestamp).await?;
        let path = self.callback_path.as_deref().unwrap_or("/callbacks/huawei");
        // As the provider: without a token.
        let provider = Client::new(self.sender.url()?, None)?;
        let (status, answer) = provider.send_callback(path, body).await?;
        say!("{status}\n{answer}")?;
        if status.is_client_error() {
            bail!("the callback was rejected: `problems` and the dashboard's page Problems say why");
        }
        if status != StatusCode::OK {
            bail!("the callback was not stored");
        }
        if self.wait { self.wait_for_session(publish_timestamp).await } else { Ok(()) }
    }

    async fn find_publish_timestamp(&self) -> anyhow::Result<i64> {
        match (self.publish_timestamp, self.event) {
            (Some(seconds @ 0..=9_999_999_999), _) => Ok(seconds),
            (Some(_), _) => Err(BadUsage("--publish-timestamp must be Unix seconds".to_owned()).into()),
            (None, PushEvent::Start) => Ok(clock::now().timestamp()),
            (None, PushEvent::End) => self.newest_live_session().await,
        }
    }

    async fn newest_live_session(&self) -> anyhow::Result<i64> {
        let query = Query::default()
            .with("domain", Some(&self.sender.domain))
            .with("app", Some(&self.sender.app))
            .with("stream", Some(&self.stream))
            .with("status", Some("live"));
        let rows = self.sender.connect()?.rows("/v1/sessions", &query, 1).await?;
        rows.first()
            .and_then(|session| session.get("publish_timestamp")?.as_i64())
            .context("no session of this stream is live; set --publish-timestamp")
    }

    async fn compose_body(&self, publish_timestamp: i64) -> anyhow::Result<String> {
        let message = Message {
            domain: &self.sender.domain,
            app: &self.sender.app,
            stream: &self.stream,
            user_args: "",
            client_ip: "127.0.0.1",
            node_ip: "127.0.0.1",
            publish_timestamp,
            event: &self.event.event(),
        };
        if self.callback_path.is_some() {
            return Ok(compose(&message, None));
        }
        let (key, joiner) = self.sender.find_key().await?;
        let auth_timestamp = clock::now().timestamp() + VALIDITY_SECONDS;
        Ok(compose(&message, Some(Signing { key: &key, joiner, auth_timestamp })))
    }

    async fn wait_for_session(&self, publish_timestamp: i64) -> anyhow::Result<()> {
        let stream =
            StreamKey { domain: self.sender.domain.clone(), app: self.sender.app.clone(), stream: self.stream.clone() };
        let session_id = SessionKey { stream, publish_timestamp }.id().0;
        let client = self.sender.connect()?;
        let received = match self.event {
            PushEvent::Start => "start_received_at",
            PushEvent::End => "end_received_at",
        };
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            let session = client.find(&format!("/v1/sessions/{session_id}")).await?;
            if let Some(session) = session.filter(|session| !session.get(received).is_none_or(Value::is_null)) {
                return print_json(&session);
            }
            if Instant::now() > deadline {
                bail!(
                    "the callback is stored, but its session does not show it after 10 s; check whether it was quarantined"
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
