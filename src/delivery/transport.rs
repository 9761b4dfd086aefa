//! Sends deliveries: over HTTPS, to checked addresses only, without redirections and proxies, in bounded time, and reading
//! little of the response.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, Url};
use uuid::Uuid;

use super::answer::Answer;
use super::signature::{self, WebhookSecret};
use crate::platform::address::{AddressPolicy, ForbiddenAddress};
use crate::platform::outgoing::{CheckingResolver, build_client, forbidden_address};

/// How much of a response is read, and how much of it is kept for administrators.
const MAX_READ: usize = 4_096;
const MAX_KEPT: usize = 1_024;

const MAX_URL: usize = 2_048;

/// Names the installation that sends, so that it rejects its own deliveries instead of sending in circles.
pub const INSTALLATION_HEADER: &str = "x-streamtally-installation";

/// Says that someone asked for the event to be sent again.
const REPLAY_HEADER: HeaderName = HeaderName::from_static("webhook-replay");

/// Why a URL cannot be a webhook's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("must be an absolute URL of at most {MAX_URL} characters")]
    Malformed,
    #[error("must begin with https://; --webhook-allow-http allows http://")]
    NotHttps,
    /// It would be sent to the receiver, and shown to administrators.
    #[error("must not contain a user name or password; set the header Authorization instead")]
    HasCredentials,
    #[error("must not contain a fragment (#)")]
    HasFragment,
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
}

/// Why an attempt has no response. The texts contain nothing of the URL, which may contain secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
    #[error("no response in time")]
    TimedOut,
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// What is sent in an attempt.
pub struct Outgoing<'a> {
    /// The same in all attempts.
    pub id: &'a str,
    /// Whether someone asked for it to be sent again.
    pub replayed: bool,
    pub url: &'a Url,
    /// Sign it: the current one, and during a rotation the one before.
    pub secrets: &'a [&'a WebhookSecret],
    /// Further headers.
    pub headers: &'a HeaderMap,
    pub content_type: Option<&'a str>,
    pub body: Vec<u8>,
}

/// The result of an attempt.
#[derive(Debug)]
pub struct Attempt {
    pub took: Duration,
    pub result: Result<Received, AttemptError>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub answer: Answer,
    pub status: u16,
    /// The beginning of the body, for administrators.
    pub text: String,
}

/// Sends deliveries of an installation.
#[derive(Clone)]
pub struct Transport {
    client: Client,
    policy: AddressPolicy,
    allow_http: bool,
    installation: HeaderValue,
}

impl Transport {
    /// `authorities` are certificates that are trusted in addition to the public ones. `timeout` is that of an attempt, from
    /// the connection to the end of the response.
    ///
    /// # Errors
    /// The TLS library rejects a certificate.
    pub fn new(
        policy: AddressPolicy,
        allow_http: bool,
        authorities: Vec<Certificate>,
        timeout: Duration,
        installation_id: Uuid,
    ) -> Result<Self, reqwest::Error> {
        Self::with_resolver(
            CheckingResolver::new(policy.clone()),
            policy,
            allow_http,
            authorities,
            timeout,
            installation_id,
        )
    }

    fn with_resolver(
        resolver: CheckingResolver,
        policy: AddressPolicy,
        allow_http: bool,
        authorities: Vec<Certificate>,
        timeout: Duration,
        installation_id: Uuid,
    ) -> Result<Self, reqwest::Error> {
        let client = build_client(resolver, allow_http, authorities, timeout)?;
        let installation = HeaderValue::from_str(&installation_id.to_string())
            .unwrap_or_else(|_| unreachable!("a UUID is a header's value"));
        Ok(Self { client, policy, allow_http, installation })
    }

    /// Reads a URL that deliveries may go to. Names are looked up only when something is sent.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong.
    pub fn read_url(&self, text: &str) -> Result<Url, UrlError> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL).ok_or(UrlError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(UrlError::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::HasCredentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::HasFragment);
        }
        self.policy.check_url(&url)?;
        Ok(url)
    }

    /// Whether a value of [`INSTALLATION_HEADER`] names this installation.
    pub fn is_own(&self, value: &[u8]) -> bool {
        self.installation.as_bytes() == value
    }

    /// Attempts a delivery once.
    pub async fn attempt(&self, outgoing: Outgoing<'_>, now: DateTime<Utc>) -> Attempt {
        let begun = Instant::now();
        let result = self.send(outgoing, now).await;
        Attempt { took: begun.elapsed(), result }
    }

    async fn send(&self, outgoing: Outgoing<'_>, now: DateTime<Utc>) -> Result<Received, AttemptError> {
        let Outgoing { id, replayed, url, secrets, headers, content_type, body } = outgoing;
        self.policy.check_url(url)?;
        let request = self
            .client
            .post(url.clone())
            .headers(headers.clone())
            .headers(replayed.then_some((REPLAY_HEADER, HeaderValue::from_static("true"))).into_iter().collect())
            .headers(content_type.into_iter().map(|text| (CONTENT_TYPE, text)).filter_map(to_header).collect())
            .header("webhook-id", id)
            .header("webhook-timestamp", now.timestamp())
            .header("webhook-signature", signature::sign(secrets.iter().copied(), id, now, &body))
            .header(INSTALLATION_HEADER, self.installation.clone())
            .body(body);
        let response = request.send().await.map_err(error_of)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let answer = Answer::of(status, retry_after, now);
        // The receiver has answered; what follows cannot change that.
        let text = read_beginning(response).await;
        Ok(Received { answer, status, text })
    }
}

/// A header from its text; `None` if the text cannot be one.
fn to_header((name, text): (HeaderName, &str)) -> Option<(HeaderName, HeaderValue)> {
    Some((name, HeaderValue::from_str(text).ok()?))
}

/// The beginning of a response's body as text.
async fn read_beginning(mut response: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= MAX_READ {
            break;
        }
    }
    read.truncate(MAX_KEPT);
    String::from_utf8_lossy(&read).into_owned()
}

fn error_of(error: reqwest::Error) -> AttemptError {
    let error = error.without_url();
    if let Some(forbidden) = forbidden_address(&error) {
        return AttemptError::Forbidden(forbidden);
    }
    // The innermost cause says what happened; the others only where.
    let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default();
    if error.is_timeout() {
        AttemptError::TimedOut
    } else if error.is_connect() {
        AttemptError::Unreachable(cause)
    } else {
        AttemptError::Broken(cause)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::platform::outgoing::Lookup;

    fn transport(allow_http: bool) -> Transport {
        Transport::new(AddressPolicy::default(), allow_http, Vec::new(), TIMEOUT, Uuid::nil()).unwrap()
    }

    const TIMEOUT: Duration = Duration::from_secs(5);

    async fn attempt(transport: &Transport, url: &str) -> Result<Received, AttemptError> {
        let outgoing = Outgoing {
            id: "evt_1",
            replayed: false,
            url: &Url::parse(url).unwrap(),
            secrets: &[],
            headers: &HeaderMap::new(),
            content_type: Some("application/json"),
            body: Vec::new(),
        };
        transport.attempt(outgoing, DateTime::UNIX_EPOCH).await.result
    }

    #[test]
    fn a_url_is_https_and_has_no_credentials_and_no_fragment() {
        let read = |text: &str| transport(false).read_url(text).map(|_| ());
        assert_eq!(read("https://receiver.example.com:8443/path?token=1"), Ok(()));
        assert_eq!(read("http://receiver.example.com/"), Err(UrlError::NotHttps));
        assert_eq!(read("ftp://receiver.example.com/"), Err(UrlError::NotHttps));
        assert_eq!(read("https://user@receiver.example.com/"), Err(UrlError::HasCredentials));
        assert_eq!(read("https://:secret@receiver.example.com/"), Err(UrlError::HasCredentials));
        assert_eq!(read("https://receiver.example.com/#part"), Err(UrlError::HasFragment));
        assert_eq!(read("receiver.example.com"), Err(UrlError::Malformed));
        assert_eq!(read(&format!("https://receiver.example.com/{}", "a".repeat(MAX_URL))), Err(UrlError::Malformed));
        assert_eq!(transport(true).read_url("http://receiver.example.com/").map(|_| ()), Ok(()));
    }

    #[test]
    fn an_address_is_checked_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[::7f00:1]",
            "169.254.169.254",
            "0",
            "[fd00:ec2::254]",
        ] {
            let read = transport(false).read_url(&format!("https://{host}/"));
            assert!(matches!(read, Err(UrlError::Forbidden(_))), "{host}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_connected_to() {
        let result = attempt(&transport(false), "https://localhost:1/").await;
        assert!(matches!(result, Err(AttemptError::Forbidden(_))), "{result:?}");
    }

    /// Receivers at an address that is allowed, and at one that is not, with the same port.
    async fn listen() -> (TcpListener, TcpListener, u16) {
        let forbidden = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = forbidden.local_addr().unwrap().port();
        let allowed = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
        (allowed, forbidden, port)
    }

    fn transport_with(lookup: Lookup) -> Transport {
        let policy = AddressPolicy::new(vec!["127.0.0.2/32".parse().unwrap()]);
        let resolver = CheckingResolver::with_lookup(policy.clone(), lookup);
        Transport::with_resolver(resolver, policy, true, Vec::new(), TIMEOUT, Uuid::nil()).unwrap()
    }

    fn addresses(last: &'static [u8]) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let address = |last: &u8| SocketAddr::from(([127, 0, 0, *last], 0));
        Box::pin(async move { Ok(last.iter().map(address).collect()) })
    }

    #[tokio::test]
    async fn a_name_with_one_forbidden_address_is_not_connected_to() {
        let (allowed, forbidden, port) = listen().await;
        let transport = transport_with(|_| addresses(&[2, 1]));
        let result = attempt(&transport, &format!("http://receiver.example.com:{port}/")).await;
        assert!(matches!(result, Err(AttemptError::Forbidden(_))), "{result:?}");
        for listener in [allowed, forbidden] {
            assert!(listener.accept().now_or_never().is_none());
        }
    }

    /// The name server answers with an allowed address when it is asked first, and with another one later.
    #[tokio::test]
    async fn a_name_is_checked_for_each_connection() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (allowed, forbidden, port) = listen().await;
        let transport = transport_with(|_| match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => addresses(&[2]),
            _ => addresses(&[1]),
        });
        let url = format!("http://receiver.example.com:{port}/");
        let answering = async {
            let (mut connection, _) = allowed.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                connection.read_buf(&mut request).await.unwrap();
            }
            connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
            connection
        };
        let (first, _connection) = tokio::join!(attempt(&transport, &url), answering);
        assert_eq!(first.unwrap().status, 204);
        let second = attempt(&transport, &url).await;
        assert!(matches!(second, Err(AttemptError::Forbidden(_))), "{second:?}");
        assert!(forbidden.accept().now_or_never().is_none());
    }
}
