//! Asks the provider's API: over HTTPS, to checked addresses only, without redirections and proxies, in bounded time, and
//! reading a bounded answer.
//!
//! Errors contain nothing of the provider's texts: those of its gateway repeat the signed request.

use std::fmt;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::header::{AUTHORIZATION, DATE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use secrecy::SecretString;
use uuid::Uuid;

use crate::huawei::live_api::answer::{self, CallbackSettings, HistoryPage, ListPage, Refusal, Unreadable};
use crate::huawei::live_api::signing::{self, RequestToSign};
use crate::model::polling::PollErrorKind;
use crate::platform::address::{AddressPolicy, ForbiddenAddress};
use crate::platform::outgoing::{CheckingResolver, build_client, forbidden_address};

/// Timeout of a request, from the connection to the end of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_ANSWER_BYTES: usize = 4 << 20;

const MAX_ENDPOINT: usize = 255;

/// How many characters of an access key are shown.
const SHOWN_OF_ACCESS_KEY: usize = 4;

/// Rows of a page of the history.
const HISTORY_PAGE: u32 = 100;

const PROJECT_HEADER: &str = "x-project-id";
const REQUEST_ID_HEADER: &str = "x-request-id";

/// Why a URL cannot be an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error(
        "must be an absolute URL of at most {MAX_ENDPOINT} characters, such as https://live.cn-north-4.myhuaweicloud.com"
    )]
    Malformed,
    #[error("must begin with https://; --poll-allow-http allows http://")]
    NotHttps,
    #[error("must have neither user name, password, path, query nor fragment")]
    HasMore,
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
}

/// An access key (AK). Its debug text has only its last characters.
#[derive(Clone)]
pub struct AccessKey(String);

impl AccessKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for AccessKey {
    fn from(access_key: String) -> Self {
        Self(access_key)
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AccessKey").field(&access_key_ending(&self.0)).finish()
    }
}

/// What is shown of an access key.
pub fn access_key_ending(access_key: &str) -> &str {
    let from = access_key.len().saturating_sub(SHOWN_OF_ACCESS_KEY);
    access_key.get(from..).unwrap_or_default()
}

/// A provider account with its secret key.
#[derive(Debug, Clone)]
pub struct Account {
    pub account_id: Uuid,
    /// Base URL of the provider's API, without a path.
    pub endpoint: String,
    pub project_id: String,
    pub access_key: AccessKey,
    pub secret_key: SecretString,
    /// Changes with the account's settings.
    pub version: i32,
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// The provider answered with another status than 200.
    #[error("the provider rejected the request: status {status}, code {}", code.as_deref().unwrap_or("none"))]
    Refused {
        refusal: Refusal,
        status: u16,
        /// Such as `LIVE.100011001`.
        code: Option<String>,
        /// For the provider's support.
        request_id: Option<String>,
        /// How long to wait, if the provider says so.
        retry_after: Option<Duration>,
    },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// The endpoint is not allowed by this process's settings, which may differ from those with which it was entered.
    #[error("the endpoint of the account {0}")]
    Endpoint(EndpointError),
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
    #[error("no answer in time")]
    TimedOut,
    #[error("cannot connect to the endpoint")]
    Unreachable,
    #[error("the connection broke")]
    Broken,
}

impl PollError {
    pub fn kind(&self) -> PollErrorKind {
        match self {
            Self::Refused { refusal, .. } => match refusal {
                Refusal::Throttled => PollErrorKind::Throttled,
                Refusal::Unauthorized => PollErrorKind::Unauthorized,
                Refusal::NotFound => PollErrorKind::NotFound,
                Refusal::Failed => PollErrorKind::Failed,
            },
            Self::Unreadable(_) | Self::TooLong => PollErrorKind::Unreadable,
            Self::Endpoint(_) | Self::Forbidden(_) => PollErrorKind::Forbidden,
            Self::TimedOut => PollErrorKind::TimedOut,
            Self::Unreachable => PollErrorKind::Unreachable,
            Self::Broken => PollErrorKind::Broken,
        }
    }
}

/// The result of a request.
#[derive(Debug)]
pub struct Polled<T> {
    pub result: Result<T, PollError>,
    /// How far the provider's clock is ahead of this machine's, accurate to about a second; `None` if there was no answer, or
    /// it does not say. The provider rejects requests from 15 minutes on.
    pub clock_difference: Option<TimeDelta>,
}

/// Asks the provider, with any account.
#[derive(Clone)]
pub struct ProviderClient {
    client: Client,
    policy: AddressPolicy,
    allow_http: bool,
}

/// A GET request.
struct Request<'a> {
    path: &'a str,
    /// Names and values, not encoded.
    query: &'a [(&'a str, &'a str)],
}

impl ProviderClient {
    /// # Errors
    /// The TLS library fails.
    pub fn new(policy: AddressPolicy, allow_http: bool) -> Result<Self, reqwest::Error> {
        let client = build_client(CheckingResolver::new(policy.clone()), allow_http, Vec::new(), REQUEST_TIMEOUT)?;
        Ok(Self { client, policy, allow_http })
    }

    /// Reads the base URL of the provider's API. Names are looked up only when something is sent.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong.
    pub fn read_endpoint(&self, text: &str) -> Result<Url, EndpointError> {
        // Parsing ignores some control characters.
        if text.len() > MAX_ENDPOINT || text.chars().any(char::is_control) {
            return Err(EndpointError::Malformed);
        }
        // A name that is not ASCII becomes longer.
        let fits = |url: &Url| url.has_host() && url.origin().ascii_serialization().len() <= MAX_ENDPOINT;
        let url = Url::parse(text).ok().filter(fits).ok_or(EndpointError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(EndpointError::NotHttps),
        }
        let has_more = !url.username().is_empty()
            || url.password().is_some()
            || !["", "/"].contains(&url.path())
            || url.query().is_some()
            || url.fragment().is_some();
        if has_more {
            return Err(EndpointError::HasMore);
        }
        self.policy.check_url(&url)?;
        Ok(url)
    }

    /// A page of the streams of a domain that are on air, or, with `one`, of one stream by its app and name. `offset` counts
    /// rows; `limit` is 1 to 100.
    pub async fn list_streams(
        &self,
        account: &Account,
        domain: &str,
        (offset, limit): (u32, u32),
        one: Option<(&str, &str)>,
        now: DateTime<Utc>,
    ) -> Polled<ListPage> {
        let path = format!("/v1/{}/realtime/streams", account.project_id);
        let (offset, limit) = (offset.to_string(), limit.to_string());
        let mut query = vec![("publish_domain", domain), ("offset", &offset), ("limit", &limit)];
        if let Some((app, stream)) = one {
            query.extend([("app", app), ("stream", stream)]);
        }
        let polled = self.ask(account, Request { path: &path, query: &query }, now).await;
        polled.and_then(|body| Ok(answer::read_list(domain, &body)?))
    }

    /// A page of the pushes of a domain that are over, of 100 rows. `page` counts from 0. A period is at most a day long, and
    /// begins at most seven days ago.
    pub async fn list_history(
        &self,
        account: &Account,
        domain: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        page: u32,
        now: DateTime<Utc>,
    ) -> Polled<HistoryPage> {
        let path = format!("/v2/{}/stats/history/streams", account.project_id);
        let [from, to] = [from, to].map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
        // The provider calls the number of the page an offset.
        let (offset, limit) = (page.to_string(), HISTORY_PAGE.to_string());
        let query =
            [("domain", domain), ("start_time", &from), ("end_time", &to), ("offset", &offset), ("limit", &limit)];
        let polled = self.ask(account, Request { path: &path, query: &query }, now).await;
        polled.and_then(|body| Ok(answer::read_history(domain, &body)?))
    }

    /// Where the provider sends a domain's callbacks; `None` if nowhere.
    pub async fn get_callback_settings(
        &self,
        account: &Account,
        domain: &str,
        now: DateTime<Utc>,
    ) -> Polled<Option<CallbackSettings>> {
        let path = format!("/v1/{}/notifications/publish", account.project_id);
        let polled = self.ask(account, Request { path: &path, query: &[("domain", domain)] }, now).await;
        polled.and_then(|body| Ok(answer::read_callback_settings(&body)?))
    }

    /// The body of a successful answer.
    async fn ask(&self, account: &Account, request: Request<'_>, now: DateTime<Utc>) -> Polled<Vec<u8>> {
        let begun = Instant::now();
        let response = match self.send(account, request, now).await {
            Ok(response) => response,
            Err(error) => return Polled { result: Err(error), clock_difference: None },
        };
        let clock_difference = clock_difference(response.headers(), now, begun.elapsed());
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let request_id = response.headers().get(REQUEST_ID_HEADER).and_then(read_request_id);
        let result = match read_body(response).await {
            Ok(body) if status == 200 => Ok(body),
            Ok(body) => {
                let code = answer::error_code(&body);
                let refusal = answer::refusal(status, code.as_deref());
                Err(PollError::Refused { refusal, status, code, request_id, retry_after })
            }
            Err(error) => Err(error),
        };
        Polled { result, clock_difference }
    }

    async fn send(
        &self,
        account: &Account,
        Request { path, query }: Request<'_>,
        now: DateTime<Utc>,
    ) -> Result<Response, PollError> {
        // The settings may have changed since the account was entered.
        let mut url = self.read_endpoint(&account.endpoint).map_err(PollError::Endpoint)?;
        let host = host_of(&url);
        url.set_path(path);
        url.set_query(Some(&signing::canonical_query(query)));
        let headers = [("host", host.as_str()), (PROJECT_HEADER, &account.project_id)];
        let to_sign = RequestToSign { method: "GET", path, query, headers: &headers, body: b"" };
        let signed = signing::authorization(account.access_key.as_str(), &account.secret_key, &to_sign, now);
        // What an account has was checked when it was entered.
        let header =
            |text: &str| HeaderValue::from_str(text).map_err(|_| PollError::Endpoint(EndpointError::Malformed));
        let mut authorization = header(&signed)?;
        authorization.set_sensitive(true);
        let request = self
            .client
            .get(url)
            .header(HOST, header(&host)?)
            .header(PROJECT_HEADER, header(&account.project_id)?)
            .header(signing::DATE_HEADER, header(&signing::date(now))?)
            .header(AUTHORIZATION, authorization);
        request.send().await.map_err(|error| error_of(&error))
    }
}

impl<T> Polled<T> {
    fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, PollError>) -> Polled<U> {
        Polled { result: self.result.and_then(read), clock_difference: self.clock_difference }
    }
}

/// The host as the client sends it: with its port unless it is the default.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn clock_difference(headers: &HeaderMap, sent_at: DateTime<Utc>, took: Duration) -> Option<TimeDelta> {
    let date = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    // Answered, as it were, in the middle.
    let answered_at = sent_at + TimeDelta::from_std(took / 2).ok()?;
    Some(date.to_utc() - answered_at)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

/// The ID that the provider gave the request; `None` if it is something else.
fn read_request_id(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| text.to_owned())
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, PollError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error_of(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(PollError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the error's text, which has the URL and what a server said.
fn error_of(error: &reqwest::Error) -> PollError {
    if let Some(forbidden) = forbidden_address(error) {
        PollError::Forbidden(forbidden)
    } else if error.is_timeout() {
        PollError::TimedOut
    } else if error.is_connect() {
        PollError::Unreachable
    } else {
        PollError::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(allow_http: bool) -> ProviderClient {
        ProviderClient::new(AddressPolicy::default(), allow_http).unwrap()
    }

    #[test]
    fn an_endpoint_is_https_and_nothing_but_a_host() {
        let read = |text: &str| client(false).read_endpoint(text).map(|_| ());
        for endpoint in ["https://live.cn-north-4.myhuaweicloud.com", "https://live.example.com:8443/"] {
            assert_eq!(read(endpoint), Ok(()), "{endpoint}");
        }
        assert_eq!(read("http://live.example.com"), Err(EndpointError::NotHttps));
        assert_eq!(client(true).read_endpoint("http://live.example.com").map(|_| ()), Ok(()));
        for more in ["/v1", "?region=1", "#part"] {
            assert_eq!(read(&format!("https://live.example.com{more}")), Err(EndpointError::HasMore), "{more}");
        }
        assert_eq!(read("https://user@live.example.com"), Err(EndpointError::HasMore));
        let controls = ["\0https://live.example.com", "https://live.\nexample.com", "https://live.example.com\u{1b}"];
        for malformed in ["live.example.com", "", "https://"].into_iter().chain(controls) {
            assert_eq!(read(malformed), Err(EndpointError::Malformed), "{malformed:?}");
        }
        assert_eq!(read(&format!("https://{}.example.com", "a".repeat(255))), Err(EndpointError::Malformed));
        for address in ["127.0.0.1", "2130706433", "[::1]", "169.254.169.254"] {
            let read = read(&format!("https://{address}"));
            assert!(matches!(read, Err(EndpointError::Forbidden(_))), "{address}: {read:?}");
        }
    }

    #[test]
    fn the_clocks_are_compared_in_the_middle_of_a_request() {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let headers = |text: &str| [(DATE, HeaderValue::from_str(text).unwrap())].into_iter().collect::<HeaderMap>();
        let date = headers(&at(100).format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let difference = |took| clock_difference(&date, at(0), Duration::from_secs(took));
        assert_eq!(difference(0), Some(TimeDelta::seconds(100)));
        assert_eq!(difference(4), Some(TimeDelta::seconds(98)));
        assert_eq!(clock_difference(&headers("yesterday"), at(0), Duration::ZERO), None);
        assert_eq!(clock_difference(&HeaderMap::new(), at(0), Duration::ZERO), None);
    }

    #[test]
    fn the_host_is_signed_as_it_is_sent() {
        for (url, host) in [
            ("https://live.example.com/", "live.example.com"),
            ("https://live.example.com:443/", "live.example.com"),
            ("https://live.example.com:8443/", "live.example.com:8443"),
            ("http://127.0.0.1:80/", "127.0.0.1"),
        ] {
            assert_eq!(host_of(&Url::parse(url).unwrap()), host);
        }
    }

    #[test]
    fn a_request_id_is_one_word() {
        let read = |text: &str| read_request_id(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("a1-b2").as_deref(), Some("a1-b2"));
        for other in ["", "a b", "<script>", &"a".repeat(65)] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
