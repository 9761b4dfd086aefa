//! A client of a running service, for the commands that ask it.
//!
//! - [`options`]: which service, and with which token.
//! - [`profile`]: the service that `login` stored.
//! - [`problem`]: errors in the words of the command line.
//! - [`changes`]: live changes as they come.
//! - [`domains`]: whether a domain exists, and which one was meant.
//!
//! A token is sent only to the origin that it is for: redirects are not followed, and plain HTTP is only for this machine.

pub(super) mod changes;
pub(super) mod domains;
pub(super) mod options;
pub(super) mod problem;
pub(super) mod profile;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use self::problem::ServiceError;
use super::output::PrintError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the service takes for the first byte of a report.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The most rows of a page.
const PAGE: usize = 500;

/// Parameters of a request: those that are given.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value.to_string())));
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// As the members of a body.
    pub(super) fn into_members(self) -> Map<String, Value> {
        self.0.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    }
}

/// A token, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Token {
    secret: SecretString,
    /// Such as `--token`, for errors.
    source: String,
}

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
}

fn builder(base: &Url) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(redirect::Policy::none());
    // A proxy would see the token.
    if options::is_this_machine(base) { builder.no_proxy() } else { builder }
}

impl Client {
    /// # Errors
    /// The certificates of this machine are not readable.
    pub(super) fn new(base: Url, token: Option<Token>) -> anyhow::Result<Self> {
        Ok(Self { http: builder(&base).read_timeout(READ_TIMEOUT).build()?, base, token })
    }

    /// `path` begins with a slash; the base URL may have a path, too.
    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// # Errors
    /// The service is unreachable, or answers with an error.
    pub(super) async fn get(&self, path: &str, query: &Query) -> Result<Value, ServiceError> {
        self.ask(self.request(Method::GET, path, query)).await
    }

    /// `None` if it does not exist.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub(super) async fn find(&self, path: &str) -> Result<Option<Value>, ServiceError> {
        match self.get(path, &Query::default()).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// As of [`get`](Self::get).
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ServiceError> {
        self.ask(self.request(Method::POST, path, &Query::default()).json(body)).await
    }

    /// Sends a callback. Returns the status and the body, whatever they are.
    ///
    /// # Errors
    /// The service is unreachable.
    pub(super) async fn send_callback(&self, path: &str, body: String) -> Result<(StatusCode, String), ServiceError> {
        let response = self.request(Method::POST, path, &Query::default()).body(body).send().await;
        let response = response.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        Ok((status, response.text().await.map_err(|error| self.unreachable(&error))?))
    }

    /// The parts of the service, also if one is not ready.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub(super) async fn readiness(&self) -> Result<Vec<Value>, ServiceError> {
        let response = self.http.get(self.at("/readyz")).send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body: Value = response.json().await.map_err(|_| ServiceError::not_ours(status, &self.base))?;
        let parts = body.get("parts").and_then(Value::as_array);
        parts.cloned().ok_or_else(|| ServiceError::not_ours(status, &self.base))
    }

    /// Passes the body to `take`, chunk by chunk.
    ///
    /// # Errors
    /// As of [`get`](Self::get), or `take` failed.
    pub(super) async fn download(
        &self,
        path: &str,
        query: &Query,
        mut take: impl FnMut(&[u8]) -> Result<(), PrintError>,
    ) -> anyhow::Result<()> {
        // The rows of a workbook come when the last of them is known, which can take minutes.
        let patient = Self { http: builder(&self.base).build()?, base: self.base.clone(), token: self.token.clone() };
        let mut response = patient.send(patient.request(Method::GET, path, query)).await?;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            take(&chunk)?;
        }
        Ok(())
    }

    /// Passes up to `limit` rows of a list to `take`. Returns the other members of the last page; its `next_cursor` is null
    /// unless there are more rows.
    ///
    /// # Errors
    /// As of [`get`](Self::get), or `take` failed.
    pub(super) async fn list(
        &self,
        path: &str,
        query: &Query,
        limit: usize,
        mut take: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Value> {
        let (mut left, mut cursor) = (limit, None);
        loop {
            let page_query = query.clone().with("limit", Some(left.min(PAGE))).with("cursor", cursor);
            let mut page = self.get(path, &page_query).await?;
            let rows = page.get_mut("data").map(Value::take).unwrap_or_default();
            for row in rows.as_array().into_iter().flatten() {
                take(row)?;
                left = left.saturating_sub(1);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || left == 0 {
                return Ok(page);
            }
        }
    }

    /// The rows of a list, up to `limit`.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub(super) async fn rows(&self, path: &str, query: &Query, limit: usize) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        self.list(path, query, limit, |row| {
            rows.push(row.clone());
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    fn request(&self, method: Method, path: &str, query: &Query) -> RequestBuilder {
        let mut url = self.at(path);
        if !query.0.is_empty() {
            url.query_pairs_mut().extend_pairs(&query.0);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.secret.expose_secret()),
            None => request,
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, ServiceError> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|_| ServiceError::not_ours(status, &self.base))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ServiceError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let location =
            response.headers().get("location").and_then(|location| location.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.unwrap_or_default();
        let source = self.token.as_ref().map(|token| token.source.as_str());
        Err(ServiceError::of_response(status, location.as_deref(), &body, source, &self.base))
    }

    fn unreachable(&self, error: &reqwest::Error) -> ServiceError {
        ServiceError::unreachable(error, &self.base)
    }
}
