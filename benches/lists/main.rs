//! Demonstrates what the provider's lists are worth: three domains get the same callbacks of simulated pushes in real time, of
//! which some are lost. One does not read the lists, one observes, one repairs.
//!
//! Run by `scripts/bench-lists`; `benches/README.md` has the results.

mod observed;
mod schedule;
mod service;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use clap::Parser;
use fake_live_api::{Account, FakeApi, Server, Settings};
use reqwest::Method;
use serde_json::json;
use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::Event;
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;
use streamtally::simulation::push_lifecycle::What;
use tokio::time::sleep;

use observed::{Final, Observed};
use schedule::{Loss, PlannedCallback, PlannedPush, Schedule};
use service::{KEY, Service};
use table::DomainResult;

/// The domains, with their poll modes. The first is what the others are compared with.
const DOMAINS: [(&str, &str); 3] =
    [("off.bench.example", "off"), ("observe.bench.example", "observe"), ("repair.bench.example", "repair")];

const APP: &str = "live";

/// Between two samples of what is live.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);

/// Signatures expire this long after their event: late callbacks count, too.
const VALID: TimeDelta = TimeDelta::hours(2);

/// For how long it goes on after the last push: until a lost end is shown, and the history was asked for it. Or, after a
/// restart, until the history was asked.
const AFTERWARDS: TimeDelta = TimeDelta::minutes(18);
const AFTER_RESTART: TimeDelta = TimeDelta::minutes(5);

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";

#[derive(Parser)]
#[command(about = "Demonstrates what the provider's lists are worth, in real time")]
struct Arguments {
    /// Minutes in which pushes start; the run takes half an hour more
    #[arg(long, default_value = "25")]
    minutes: u32,
    /// Number of pushes of each domain
    #[arg(long, default_value = "1000")]
    pushes: u32,
    /// The same seed gives the same pushes
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Restart the service this many minutes after the last push, and measure once more
    #[arg(long, value_name = "MINUTES")]
    restart_after: Option<u32>,
    /// The program to measure. Default: the one that was built with this
    #[arg(long)]
    program: Option<PathBuf>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let program = arguments.program.unwrap_or_else(|| env!("CARGO_BIN_EXE_streamtally").into());
    let mut service = Service::start(program).await?;
    let provider = Server::start(FakeApi::new(arguments.seed, account(), Settings::default()), Arc::new(clock::now))?;
    let id = add_account(&service, &provider).await?;
    for (domain, mode) in DOMAINS {
        provider.api().world.add_domain(domain);
        service.add_domain(domain, mode, &id).await?;
    }
    // Every process accepts a domain within two seconds.
    let begin = (clock::now() + TimeDelta::seconds(5)).trunc_subsecs(0);
    let within = TimeDelta::minutes(i64::from(arguments.minutes));
    let schedule = Schedule::new(arguments.seed, begin, within, arguments.pushes);
    for push in &schedule.pushes {
        for (domain, _) in DOMAINS {
            let known = fake_live_api::Push::new(domain, APP, &push.stream, push.started_at).ending(push.ended_at);
            provider.api().world.add_push(known);
        }
    }
    let mut observed = DOMAINS.map(|(domain, _)| Observed::new(domain, schedule.pushes.len(), begin));
    let until = schedule.last_end() + AFTERWARDS;
    eprintln!("{} callbacks of each domain, until {until}", schedule.callbacks.len());
    let (sent, watched) = tokio::join!(send(&service, &schedule), watch(&service, &schedule, &mut observed, until));
    sent?;
    watched?;
    conclude(&service, &schedule, &observed).await?;
    print_never_shown(&provider, &schedule, &observed);
    if let Some(minutes) = arguments.restart_after {
        let until = schedule.last_end() + TimeDelta::minutes(i64::from(minutes));
        watch(&service, &schedule, &mut observed, until).await?;
        service.restart().await?;
        watch(&service, &schedule, &mut observed, clock::now() + AFTER_RESTART).await?;
        conclude(&service, &schedule, &observed).await?;
    }
    Ok(())
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

/// Enters the account; returns its id.
async fn add_account(service: &Service, provider: &Server) -> anyhow::Result<serde_json::Value> {
    let account = json!({
        "name": "main", "endpoint": provider.url(), "project_id": PROJECT,
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    });
    let created = service.ask(Method::POST, "/v1/provider-accounts", Some(&account)).await?;
    Ok(created.get("account_id").cloned().unwrap_or_default())
}

/// Sends each callback to all domains when it is due.
async fn send(service: &Service, schedule: &Schedule) -> anyhow::Result<()> {
    let failed = AtomicUsize::new(0);
    let (one, failures) = (Arc::new(SigningKey::new(KEY)), &failed);
    for callback in &schedule.callbacks {
        sleep((callback.due - clock::now()).to_std().unwrap_or_default()).await;
        let sending = DOMAINS.map(|(domain, _)| service.send(body(&one, domain, callback)));
        for sent in futures_util::future::join_all(sending).await {
            if let Err(error) = sent {
                eprintln!("a callback failed: {error:#}");
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    match failed.into_inner() {
        0 => Ok(()),
        number => bail!("{number} callbacks were not answered 200"),
    }
}

fn body(key: &SigningKey, domain: &str, callback: &PlannedCallback) -> String {
    let event = match callback.what {
        What::Start => Event::Publish,
        What::End => Event::PublishDone,
    };
    let message = Message {
        domain,
        app: APP,
        stream: &callback.stream,
        user_args: "",
        client_ip: "203.0.113.1",
        node_ip: "198.51.100.1",
        publish_timestamp: callback.publish_timestamp,
        event: &event,
    };
    let auth_timestamp = (callback.happened_at + VALID).timestamp();
    compose(&message, Some(Signing { key, joiner: FieldSeparator::default(), auth_timestamp }))
}

/// Samples what is live.
async fn watch(
    service: &Service,
    schedule: &Schedule,
    observed: &mut [Observed],
    until: DateTime<Utc>,
) -> anyhow::Result<()> {
    while clock::now() < until {
        for observed in &mut *observed {
            let live = service.list(&format!("/v1/sessions?status=live&domain={}", observed.domain)).await?;
            observed.note(&schedule.pushes, &live, clock::now());
        }
        sleep(SAMPLE_INTERVAL).await;
    }
    Ok(())
}

/// Reads what is known of all domains, and prints the table.
async fn conclude(service: &Service, schedule: &Schedule, observed: &[Observed]) -> anyhow::Result<()> {
    let now = clock::now();
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (from, to) = (time(schedule.begin - TimeDelta::hours(1)), time(now + TimeDelta::hours(1)));
    let mut results = Vec::new();
    for observed in observed {
        let domain = observed.domain;
        let sessions = service.list(&format!("/v1/sessions?domain={domain}")).await?;
        let report = format!("/v1/reports/push-duration?domain={domain}&from={from}&to={to}&group_by=stream");
        let report = service.list(&report).await?;
        let mut events = 0;
        for event in ["LISTED", "UNLISTED", "HISTORY"] {
            events += service.list(&format!("/v1/events?domain={domain}&event={event}")).await?.len();
        }
        let differences = service.list(&format!("/v1/domains/{domain}/provider-differences?")).await?.len();
        results.push(DomainResult { observed, last: Final::new(&sessions, &report, events, differences) });
    }
    table::print(schedule, &results, now);
    Ok(())
}

/// Prints which lost ends are not shown, and for how long the provider's list had these pushes.
fn print_never_shown(provider: &Server, schedule: &Schedule, observed: &[Observed]) {
    let Some(repaired) = observed.last() else { return };
    let api = provider.api();
    for (push, shown) in schedule.pushes.iter().zip(&repaired.shown) {
        if push.loss != Loss::End || shown.over_at.is_some() {
            continue;
        }
        println!(
            "{}: {} s on air, listed for {} s, not shown as over",
            push.stream,
            push.true_seconds(),
            listed(&api, push)
        );
    }
}

fn listed(api: &FakeApi, push: &PlannedPush) -> usize {
    let (domain, _) = DOMAINS[2];
    let known = fake_live_api::Push::new(domain, APP, &push.stream, push.started_at).ending(push.ended_at);
    // The provider's list lags by up to four minutes.
    let seconds = 0..push.true_seconds() + 300;
    seconds.filter(|second| api.is_visible(&known, push.started_at + TimeDelta::seconds(*second))).count()
}
