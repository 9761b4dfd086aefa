//! Measures what it costs receiving to read the provider's lists of many domains.

use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::TimeDelta;
use fake_live_api::{Account, Api, FakeApi, Push, Server, Settings};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::Event;
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;

use crate::rows::{must_be_clean, number, quantiles};
use crate::service::{ADMIN_TOKEN, KEY, Kind, Served};

const ALLOW: [&str; 3] = ["--poll-allow-http", "--webhook-allow-networks", "127.0.0.0/8"];

/// Polled domains, and streams on air in each.
const DOMAINS: usize = 200;
const STREAMS: usize = 3;

const APP: &str = "live";

/// How often both modes are measured, by turns.
const ROUNDS: usize = 3;

/// A minute, in which each domain is polled once. As much as 64 connections can send, and a steady load.
const LOAD: [&str; 4] = ["--connections", "64", "--duration", "60s"];
const STEADY: [&str; 6] = ["--rate", "1000", "--connections", "64", "--duration", "60s"];

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";

/// Measures, and prints rows.
///
/// # Errors
/// A measurement failed.
pub async fn measure() -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let mut both = [0.0; 2];
        for (mode, rate) in ["off", "repair"].into_iter().zip(&mut both) {
            let (outcome, polls) = receive(mode, &LOAD).await?;
            *rate = number(&outcome, "acknowledged_per_second")?;
            println!(
                "| received by 64 connections, {DOMAINS} domains in {mode}, {polls} requests for lists | | {rate:.0}/s | |"
            );
        }
        rates.push(both);
    }
    let [off, repair] = [0, 1].map(|of| rates.iter().filter_map(|both| both.get(of)).sum::<f64>());
    println!("| all rounds: in repair | | {:.2} times | 0.95 times |", repair / off);
    for mode in ["off", "repair"] {
        let (outcome, polls) = receive(mode, &STEADY).await?;
        let answer = quantiles(&outcome, "answer_ms")?;
        println!(
            "| response time at 1,000/s, {DOMAINS} domains in {mode}, {polls} requests for lists | | {answer} | |"
        );
    }
    Ok(())
}

/// What the load reports while the domains are in this mode, and how many requests for lists were answered meanwhile.
async fn receive(mode: &str, load: &[&str]) -> anyhow::Result<(Value, usize)> {
    let served = Served::start_with(Kind::Service, &ALLOW).await?;
    let provider = Server::start(FakeApi::new(1, account(), Settings::default()), Arc::new(clock::now))?;
    set_up(&served, &provider, mode).await?;
    provider.api().take_requests();
    let outcome = served.simulate(load).await?;
    must_be_clean(&outcome)?;
    let requests = provider.api().take_requests();
    if requests.iter().any(|request| request.status != Some(200)) {
        bail!("the fake of the provider has rejected a request");
    }
    let lists = requests.iter().filter(|request| request.api == Some(Api::Streams)).count();
    if (mode == "off") != (lists == 0) {
        bail!("{lists} requests for lists were sent in {mode}");
    }
    Ok((outcome, lists))
}

fn account() -> Account {
    Account {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        project_id: PROJECT.to_owned(),
        security_token: None,
        host: None,
    }
}

/// Registers the domains, with streams that are live, and that the provider lists.
async fn set_up(served: &Served, provider: &Server, mode: &str) -> anyhow::Result<()> {
    let account = json!({
        "name": "main", "endpoint": provider.url(), "project_id": PROJECT,
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    });
    let caller = Caller { client: Client::new(), url: format!("http://{}", served.address) };
    let account = caller.ask(Method::POST, "/v1/provider-accounts", &account.to_string()).await?;
    let account = account.get("account_id").context("the id of the account")?;
    let started_at = clock::now() - TimeDelta::minutes(10);
    let domains: Vec<String> = (0..DOMAINS).map(|number| format!("push{number}.bench.example")).collect();
    for domain in &domains {
        let settings = json!({ "provider_account": account, "poll_mode": mode });
        let path = format!("/v1/domains/{domain}");
        // The fake knows the domain before it is polled.
        for stream in 0..STREAMS {
            provider.api().world.add_push(Push::new(domain, APP, &format!("room{stream}"), started_at));
        }
        caller.ask(Method::PUT, &path, &settings.to_string()).await?;
        caller.ask(Method::POST, &format!("{path}/keys"), &json!({ "key": KEY }).to_string()).await?;
    }
    // Every process accepts a domain within two seconds.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for domain in &domains {
        for stream in 0..STREAMS {
            let body = start(domain, &format!("room{stream}"), started_at.timestamp());
            caller.ask(Method::POST, "/callbacks/huawei", &body).await?;
        }
    }
    Ok(())
}

fn start(domain: &str, stream: &str, publish_timestamp: i64) -> String {
    let message = Message {
        domain,
        app: APP,
        stream,
        user_args: "",
        client_ip: "203.0.113.1",
        node_ip: "198.51.100.1",
        publish_timestamp,
        event: &Event::Publish,
    };
    let auth_timestamp = clock::now().timestamp() + 3_600;
    let key = SigningKey::new(KEY);
    compose(&message, Some(Signing { key: &key, joiner: FieldSeparator::default(), auth_timestamp }))
}

/// The administrator, and the provider that calls back.
struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    async fn ask(&self, method: Method, path: &str, body: &str) -> anyhow::Result<Value> {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(ADMIN_TOKEN);
        let answer = request.header("content-type", "application/json").body(body.to_owned()).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
