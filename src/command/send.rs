//! `send`: one notification, signed and sent as the provider would, to see that everything fits together.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::database::api_token;
use super::{BadUsage, domain, secret_from_stdin};
use crate::clock;
use crate::config::InstallationOptions;
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::{Joiner, SigningKey};
use crate::session::{SessionKey, StreamKey};

/// How long `--wait` waits, at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the signature is good for.
const VALID_SECONDS: i64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Moment {
    /// The push starts: PUBLISH
    Start,
    /// The push ends: `PUBLISH_DONE`
    End,
}

impl Moment {
    fn event(self) -> Event {
        match self {
            Self::Start => Event::Publish,
            Self::End => Event::PublishDone,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct SendCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// What happens
    moment: Moment,
    /// Ingest domain
    #[arg(long)]
    domain: String,
    /// Application
    #[arg(long, default_value = "live")]
    app: String,
    /// Stream name
    #[arg(long)]
    stream: String,
    /// Unix second at which the push began; for a start now, for an end that of the newest live session
    #[arg(long, value_name = "SECONDS")]
    publish_timestamp: Option<i64>,
    /// Where the service is
    #[arg(long, env = "STREAMTALLY_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// Read the key from standard input; the domain's newest, from the database, when left out
    #[arg(long)]
    key_stdin: bool,
    /// With --key-stdin: what stands between the signed fields
    #[arg(long, default_value = "", value_parser = ["", "+"], requires = "key_stdin")]
    joiner: String,
    /// Send without a signature, through this secret path
    #[arg(long, value_name = "/callbacks/huawei/…", conflicts_with = "key_stdin")]
    callback_path: Option<String>,
    /// Wait for the session that comes of it, and print it
    #[arg(long)]
    wait: bool,
    /// API token for --wait, and to find the session that an end belongs to; the administrator's when unset
    #[arg(long, env = "STREAMTALLY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
}

impl SendCommand {
    /// Sends the notification; fails unless it is answered 200.
    ///
    /// # Errors
    /// When there is no key, the service cannot be reached, or it does not answer 200.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let api = Api { client: Client::builder().timeout(PATIENCE).build()?, url: self.url.clone() };
        let publish_timestamp = self.find_publish_timestamp(&api).await?;
        let body = self.notification(publish_timestamp).await?;
        let path = self.callback_path.as_deref().unwrap_or("/callbacks/huawei");
        let url = api.at(path)?;
        let response = api.client.post(url).body(body).send().await.map_err(reqwest::Error::without_url);
        let response = response.with_context(|| format!("{} cannot be reached", api.url))?;
        let status = response.status();
        println!("{status}\n{}", response.text().await?);
        if status != StatusCode::OK {
            bail!("the notification was not accepted");
        }
        if self.wait { self.wait_for_session(&api, publish_timestamp).await } else { Ok(()) }
    }

    async fn find_publish_timestamp(&self, api: &Api) -> anyhow::Result<i64> {
        match (self.publish_timestamp, self.moment) {
            (Some(seconds @ 0..=9_999_999_999), _) => Ok(seconds),
            (Some(_), _) => Err(BadUsage("--publish-timestamp must be Unix seconds".to_owned()).into()),
            (None, Moment::Start) => Ok(clock::now().timestamp()),
            (None, Moment::End) => self.newest_live_session(api).await,
        }
    }

    async fn newest_live_session(&self, api: &Api) -> anyhow::Result<i64> {
        let mut url = api.at("/v1/sessions")?;
        url.query_pairs_mut().extend_pairs([
            ("domain", self.domain.as_str()),
            ("app", &self.app),
            ("stream", &self.stream),
            ("status", "live"),
            ("limit", "1"),
        ]);
        let page = api
            .get(url, &api_token(&self.installation, self.token.as_ref())?)
            .await?
            .context("the service has no /v1/sessions")?;
        page.pointer("/data/0/publish_timestamp")
            .and_then(Value::as_i64)
            .context("no session of this stream is live; --publish-timestamp names another one")
    }

    async fn notification(&self, publish_timestamp: i64) -> anyhow::Result<String> {
        let message = Message {
            domain: &self.domain,
            app: &self.app,
            stream: &self.stream,
            user_args: "",
            client_ip: "127.0.0.1",
            node_ip: "127.0.0.1",
            publish_timestamp,
            event: &self.moment.event(),
        };
        if self.callback_path.is_some() {
            return Ok(compose(&message, None));
        }
        let (key, joiner) = self.find_key().await?;
        let key = SigningKey::new(key.expose_secret());
        let auth_timestamp = clock::now().timestamp() + VALID_SECONDS;
        Ok(compose(&message, Some(Signing { key: &key, joiner, auth_timestamp })))
    }

    async fn find_key(&self) -> anyhow::Result<(SecretString, Joiner)> {
        if self.key_stdin {
            return Ok((secret_from_stdin()?, Joiner::from_text(&self.joiner).unwrap_or_default()));
        }
        domain::find_key(&self.installation, &self.domain).await
    }

    async fn wait_for_session(&self, api: &Api, publish_timestamp: i64) -> anyhow::Result<()> {
        let stream = StreamKey { domain: self.domain.clone(), app: self.app.clone(), stream: self.stream.clone() };
        let session_id = SessionKey { stream, publish_timestamp }.id().0;
        let token = api_token(&self.installation, self.token.as_ref())?;
        let received = match self.moment {
            Moment::Start => "start_received_at",
            Moment::End => "end_received_at",
        };
        let patience = Instant::now() + PATIENCE;
        loop {
            let session = api.get(api.at(&format!("/v1/sessions/{session_id}"))?, &token).await?;
            if let Some(session) = session.filter(|session| !session.get(received).is_none_or(Value::is_null)) {
                println!("{}", serde_json::to_string_pretty(&session)?);
                return Ok(());
            }
            if Instant::now() > patience {
                bail!("the notification is stored, but after 10 s its session does not show it: was it quarantined?");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Api {
    client: Client,
    url: Url,
}

impl Api {
    fn at(&self, path: &str) -> anyhow::Result<Url> {
        self.url.join(path).context("--url and the path do not make an address")
    }

    /// What is there; `None` on 404.
    async fn get(&self, url: Url, token: &SecretString) -> anyhow::Result<Option<Value>> {
        let response = self.client.get(url).bearer_auth(token.expose_secret()).send().await;
        let response = response.with_context(|| format!("{} cannot be reached", self.url))?;
        match response.status() {
            StatusCode::OK => Ok(Some(response.json().await?)),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("the API answers {status}: {}", response.text().await?),
        }
    }
}
