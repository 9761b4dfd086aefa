//! Settings: flags, then environment variables, then a TOML file, then defaults.
//!
//! The values of the file become the defaults of the command line, so that each setting has one name, one parser and one
//! description. Secrets come only from the environment or the data folder: everyone on the machine can see flags.

mod environment;
mod file;
mod limits;
mod listening;
mod polling;
mod secrets;
mod webhooks;

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::TimeDelta;
use chrono_tz::Tz;
use clap::{Args, Command, FromArgMatches, ValueEnum};
use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;

use crate::huawei::admission::Limits;
use crate::model::close_rule::read_duration_until_end;
use crate::model::duration;
use crate::platform::tls::{Certificate, TlsFiles};
use crate::reconciler::infer::InferencePolicy;
use crate::reconciler::retention;
use crate::rejection::kept::KeepingPolicy;
use crate::telemetry::LogFormat;

pub use environment::reject_quotes;
pub use file::with_file;
pub use limits::LimitOptions;
pub use listening::ListenOptions;
pub use polling::PollOptions;
pub use secrets::{ADMIN_TOKEN_FILE, admin_token, make_admin_token, master_keys};
pub use webhooks::WebhookOptions;

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Receives callbacks.
    Receiver,
    /// Folds the log into sessions.
    Reconciler,
    /// Serves the API and the dashboard.
    Api,
    /// Sends webhooks.
    Sender,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Receiver, Self::Reconciler, Self::Api, Self::Sender];
}

/// Headings of settings in --help.
const DATA: &str = "Database and secrets";
const NETWORK: &str = "Network";
const ADMISSION: &str = "Authentication and quarantine";
const SESSIONS: &str = "Ends of sessions";
const DASHBOARD: &str = "Dashboard";
const STORAGE: &str = "Storage and retention";
const LOGS: &str = "Logs and traces";

/// The location of the settings file and of the data folder.
#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Args)]
pub struct FolderOptions {
    /// TOML file with settings; each has the name of its flag, with underscores for hyphens
    #[arg(long, help_heading = DATA, env = "STREAMTALLY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Folder for the private database and secrets. Default: /var/lib/streamtally for root, otherwise the XDG data folder
    #[arg(long, help_heading = DATA, env = "STREAMTALLY_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// The location of an installation.
#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Args)]
pub struct InstallationOptions {
    #[command(flatten)]
    pub folders: FolderOptions,

    /// PostgreSQL 15 or later, as postgres://USER:PASSWORD@HOST:PORT/DATABASE. Unset: a private server
    #[arg(long, help_heading = DATA, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,

    /// Folder of the PostgreSQL programs, for the private database. Unset: PATH and the usual folders are searched
    #[arg(long, help_heading = DATA, env = "STREAMTALLY_PG_BIN", value_name = "FOLDER")]
    pub pg_bin: Option<PathBuf>,
}

/// Limits on the times of a callback.
#[derive(Debug, Clone, Copy, Args)]
pub struct AdmissionOptions {
    /// How long after its expiry a signature still counts. Later callbacks are quarantined
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_SIGNATURE_GRACE", default_value = "10m", value_parser = duration::read, value_name = "DURATION")]
    pub signature_grace: TimeDelta,

    /// Maximum time from receipt to the expiry of a signature. Callbacks beyond it are rejected
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_SIGNATURE_MAX_FUTURE", default_value = "24h", value_parser = duration::read, value_name = "DURATION")]
    pub signature_max_future: TimeDelta,

    /// Maximum time from a push's start to the expiry of its start callback's signature. A start callback beyond it is
    /// quarantined
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_START_WINDOW_BEFORE", default_value = "24h", value_parser = duration::read, value_name = "DURATION")]
    pub start_window_before: TimeDelta,

    /// Maximum time from the expiry of a start callback's signature to the start of its push. A start callback beyond it
    /// is quarantined. Without signatures, the time of receipt counts instead of the expiry
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_START_WINDOW_AFTER", default_value = "5m", value_parser = duration::read, value_name = "DURATION")]
    pub start_window_after: TimeDelta,

    /// How long after its first use a signature may also be used by one other push, as when two pushes end in the same
    /// second
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_SIGNATURE_SHARING_WINDOW", default_value = "10s", value_parser = duration::read, value_name = "DURATION")]
    pub signature_sharing_window: TimeDelta,

    /// How long ago a push may have started if its start callback was not received. If it started earlier, its end
    /// callback is quarantined
    #[arg(long, help_heading = ADMISSION, env = "STREAMTALLY_MISSING_START_LIMIT", default_value = "30d", value_parser = duration::read, value_name = "DURATION")]
    pub missing_start_limit: TimeDelta,
}

#[derive(Debug, Clone, Default, Args)]
pub struct MaskingOptions {
    /// Query parameters of push URLs, separated by commas, whose values are masked in addition to those that look like
    /// credentials
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_MASK_PARAMETERS", value_delimiter = ',', value_name = "NAMES")]
    pub mask_parameters: Vec<String>,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ClockOptions {
    /// Maximum difference between the clocks of this machine and the database. Beyond it, new reports are answered 503, no end is
    /// inferred, and nothing is redacted or dropped
    #[arg(long, help_heading = DATA, env = "STREAMTALLY_CLOCK_TOLERANCE", default_value = "1m", value_parser = duration_of_clock, value_name = "DURATION")]
    pub clock_tolerance: TimeDelta,
}

/// Settings of the service.
#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    #[command(flatten)]
    pub listening: ListenOptions,

    /// Private key of the certificate: PEM, unencrypted
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    #[command(flatten)]
    pub limits: LimitOptions,

    /// Origins whose pages may call the API (CORS), separated by commas; * for all. Unset: none
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_CORS_ORIGINS", value_delimiter = ',', value_parser = origin, value_name = "ORIGINS")]
    pub cors_origins: Vec<String>,

    /// Proxies whose Forwarded or X-Forwarded-For, -Proto and -Host headers are trusted: addresses or networks such as
    /// 10.0.0.0/8, separated by commas. Unset: none
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network, value_name = "NETWORKS")]
    pub trusted_proxies: Vec<IpNet>,

    /// Replica that answers queries, as a URL like that of --database-url. Unset: the database itself answers them
    #[arg(long, help_heading = DATA, env = "STREAMTALLY_READ_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub read_database_url: Option<SecretString>,

    #[command(flatten)]
    pub clock: ClockOptions,

    /// Roles of this process, separated by commas
    #[arg(
        long,
        env = "STREAMTALLY_ROLES",
        default_value = "receiver,reconciler,api,sender",
        value_delimiter = ',',
        value_enum
    )]
    pub roles: Vec<Role>,

    #[command(flatten)]
    pub admission: AdmissionOptions,

    /// Show a session as unconfirmed after it has been live this long
    #[arg(long, help_heading = SESSIONS, env = "STREAMTALLY_UNCONFIRMED_AFTER", default_value = "12h", value_parser = duration::read, value_name = "DURATION")]
    pub unconfirmed_after: TimeDelta,

    /// A push without an end callback counts as superseded once a later push of the same stream has lasted this long
    #[arg(long, help_heading = SESSIONS, env = "STREAMTALLY_SUPERSEDE_AFTER", default_value = "5m", value_parser = duration::read, value_name = "DURATION")]
    pub supersede_after: TimeDelta,

    /// End a session automatically after it has been live this long, since its start or since an operator or the provider's list confirmed it.
    /// A domain may have a rule of its own. Unset: no limit
    #[arg(long, help_heading = SESSIONS, env = "STREAMTALLY_CLOSE_UNCONFIRMED_AFTER", value_parser = read_duration_until_end, value_name = "DURATION")]
    pub close_unconfirmed_after: Option<TimeDelta>,

    #[command(flatten)]
    pub webhooks: WebhookOptions,

    #[command(flatten)]
    pub polling: PollOptions,

    /// Time zone of the dashboard, such as Asia/Shanghai, for visitors who have not chosen one
    #[arg(long, help_heading = DASHBOARD, env = "STREAMTALLY_TIME_ZONE", default_value = "UTC", value_parser = time_zone, value_name = "ZONE")]
    pub time_zone: Tz,

    /// Retention of the event log, at least 31 days; whole months are dropped. Unset: no limit
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_KEEP_EVENTS", value_parser = duration_of_events, value_name = "DURATION")]
    pub keep_events: Option<TimeDelta>,

    /// Retention of IP addresses, user_args and undocumented JSON members of callbacks, at least 1 day and not longer than
    /// that of events. Unset: that of events
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_KEEP_PERSONAL", value_parser = duration_of_personal, value_name = "DURATION")]
    pub keep_personal: Option<TimeDelta>,

    /// How long rejected callbacks are kept so that they can be retried; not longer than --keep-personal
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_KEEP_REJECTIONS", default_value = "7d", value_parser = duration::read, value_name = "DURATION")]
    pub keep_rejections: TimeDelta,

    /// Maximum size of kept rejections, in MiB; 0 keeps none. While the part of a domain is used up, further callbacks that
    /// claim it are only counted
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_REJECTION_CAPACITY", default_value = "64", value_parser = clap::value_parser!(u32).range(0..=65_536), value_name = "MEBIBYTES")]
    pub rejection_capacity: u32,

    #[command(flatten)]
    pub masking: MaskingOptions,

    /// Maximum number of callbacks that wait in memory for the database. While it is reached, callbacks are answered 503
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_QUEUE_CAPACITY", default_value = "65536", value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "CALLBACKS")]
    pub queue_capacity: u32,

    /// Maximum size of the spool in the data folder, in MiB. While it is full, callbacks are answered 503
    #[arg(long, help_heading = STORAGE, env = "STREAMTALLY_SPOOL_CAPACITY", default_value = "1024", value_parser = clap::value_parser!(u32).range(1..=1_048_576), value_name = "MEBIBYTES")]
    pub spool_capacity: u32,

    /// Base URL of an OpenTelemetry collector. Traces of all requests except callbacks are sent to URL/v1/traces, by
    /// OTLP over HTTP. Unset: no traces. Pass credentials in OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, help_heading = LOGS, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = collector, value_name = "URL")]
    pub otlp_endpoint: Option<Url>,

    /// Format of log lines, which go to standard error
    #[arg(long, help_heading = LOGS, env = "STREAMTALLY_LOG_FORMAT", default_value = "pretty", value_enum)]
    pub log_format: LogFormat,

    /// Log level: error, warn, info, debug, trace, or directives of tracing's EnvFilter
    #[arg(
        long, help_heading = LOGS,
        env = "STREAMTALLY_LOG",
        default_value = "info,actix_server=warn,actix_http=off,sqlx=warn",
        value_name = "FILTER"
    )]
    pub log: String,
}

impl ServeOptions {
    #[must_use]
    pub fn inference_rules(&self) -> InferencePolicy {
        InferencePolicy { supersede_after: self.supersede_after, close_unconfirmed_after: self.close_unconfirmed_after }
    }

    /// # Errors
    /// Events would be dropped while their signatures can still count. Replays could then not be detected.
    pub fn retention_rules(&self) -> anyhow::Result<retention::RetentionPolicy> {
        let AdmissionOptions { signature_grace, signature_max_future, .. } = self.admission;
        let (keep_events, keep_personal) = (self.keep_events, self.keep_personal);
        if keep_events.is_some_and(|kept| kept < signature_max_future + signature_grace + TimeDelta::days(1)) {
            bail!("--keep-events must be at least a day longer than --signature-max-future plus --signature-grace");
        }
        Ok(retention::RetentionPolicy { keep_events, keep_personal })
    }

    /// Kept rejections contain personal data, so they are kept no longer than these.
    #[must_use]
    pub fn keeping_policy(&self) -> KeepingPolicy {
        let keep = self.keep_personal.map_or(self.keep_rejections, |kept| kept.min(self.keep_rejections));
        KeepingPolicy { capacity_bytes: u64::from(self.rejection_capacity) << 20, keep }
    }

    /// # Errors
    /// The certificate is invalid, or only one of its two files is set. clap cannot check this: it ignores the settings file.
    pub fn certificate(&self) -> anyhow::Result<Option<Certificate>> {
        let files = match (self.listening.tls_cert.clone(), self.tls_key.clone()) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => TlsFiles { certificate, key },
            (Some(_), None) => bail!("--tls-cert requires --tls-key, the file of its private key"),
            (None, Some(_)) => bail!("--tls-key requires --tls-cert, the file of its certificate"),
        };
        Certificate::load(files).context("cannot serve HTTPS").map(Some)
    }
}

impl AdmissionOptions {
    /// Those of the environment, otherwise the defaults.
    ///
    /// # Errors
    /// A variable is not valid.
    pub fn from_environment() -> Result<Self, clap::Error> {
        let matches = Self::augment_args(Command::new("")).try_get_matches_from([""])?;
        Self::from_arg_matches(&matches)
    }

    #[must_use]
    pub fn limits(self) -> Limits {
        Limits {
            signature_grace: self.signature_grace,
            signature_max_future: self.signature_max_future,
            start_window_before: self.start_window_before,
            start_window_after: self.start_window_after,
            signature_sharing_window: self.signature_sharing_window,
            missing_start_limit: self.missing_start_limit,
        }
    }
}

fn duration_of_clock(text: &str) -> Result<TimeDelta, String> {
    let duration = duration::read(text)?;
    if duration < TimeDelta::seconds(1) { Err("at least 1s".to_owned()) } else { Ok(duration) }
}

fn duration_of_events(text: &str) -> Result<TimeDelta, String> {
    duration::read(text).and_then(|duration| at_least(31, duration))
}

fn duration_of_personal(text: &str) -> Result<TimeDelta, String> {
    duration::read(text).and_then(|duration| at_least(1, duration))
}

fn at_least(days: i64, duration: TimeDelta) -> Result<TimeDelta, String> {
    if duration < TimeDelta::days(days) {
        return Err(format!("at least {days}d"));
    }
    Ok(duration)
}

/// An origin exactly as browsers send it, because origins are compared as strings; or `*`.
fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && !text.contains('*'));
    let url = url.ok_or("write an origin like https://wall.example.com or http://localhost:3000, or * for all")?;
    let written = url.origin().ascii_serialization();
    if written == text { Ok(written) } else { Err(format!("browsers send this origin as {written}")) }
}

fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "write a name of the IANA database, such as Asia/Shanghai or UTC".to_owned())
}

/// An address, or a network without bits beyond its prefix. IPv4-mapped addresses are converted to IPv4, as those of peers.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network = network.map_err(|_| "write a proxy like 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32".to_owned())?;
    if network.addr().to_canonical() != network.addr() {
        return Err("write an IPv4-mapped network as the IPv4 network".to_owned());
    }
    if network != network.trunc() {
        return Err(format!("write this network as {}, or a single address without a prefix", network.trunc()));
    }
    Ok(network)
}

/// The base URL of a collector. Must not contain credentials: flags and settings are visible.
fn collector(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let url = url.ok_or("write the URL of a collector like http://localhost:4318")?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("the URL must not contain credentials or a query; pass credentials in OTEL_EXPORTER_OTLP_HEADERS"
            .to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{network, origin};

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for text in ["https://wall.example.com", "http://localhost:3000", "http://[::1]:8080", "*"] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        let wrong = ["https://wall.example.com/", "https://Wall.example.com", "https://wall.example.com:443"];
        for text in wrong.into_iter().chain(["https://me@wall.example.com", "https://wall.example.com?x"]) {
            assert_eq!(origin(text), Err("browsers send this origin as https://wall.example.com".to_owned()), "{text}");
        }
        for text in ["", "null", "wall.example.com", "https://", "https://*.example.com", "file:///x", " *"] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_an_address_or_a_network() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), Ok(expected));
        }
        for (text, words) in [
            ("10.1.2.3/8", "write this network as 10.0.0.0/8"),
            ("::ffff:10.0.0.0/104", "as the IPv4 network"),
            ("10.0.0.0/33", "write a proxy like"),
            ("proxy.example.com", "write a proxy like"),
            ("10.0.0.1:80", "write a proxy like"),
            ("", "write a proxy like"),
        ] {
            assert!(network(text).is_err_and(|error| error.contains(words)), "{text}");
        }
    }
}
