//! Whether the service knows a domain. A list that is empty because its domain is misspelled looks like one without rows.

use anyhow::bail;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;
use serde_json::Value;

use super::problem::ServiceError;
use super::{Client, Query};
use crate::cli::suggestion::closest;
use crate::cli::table::escape;

/// What a path must encode. The names of domains are free of slashes, but not of question marks and the like.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of a list of a domain.
pub(in crate::cli) fn path_of(domain: &str, list: &str) -> String {
    format!("/v1/domains/{}/{list}", utf8_percent_encode(domain, ENCODED))
}

/// More domains are not compared with a name.
const MAX_DOMAINS: usize = 5_000;

impl Client {
    /// For a list that is empty: whether its domain is known, as far as the token may see that.
    ///
    /// # Errors
    /// The domain is neither registered nor in the history, as far as the token may know that. Suggests a similar one.
    pub(in crate::cli) async fn reject_unknown_domain(&self, domain: Option<&str>) -> anyhow::Result<()> {
        let Some(domain) = domain else { return Ok(()) };
        let query = Query::default().with("domain", Some(domain)).with("limit", Some(1));
        let Some(streams) = permitted(self.get("/v1/streams", &query).await)? else { return Ok(()) };
        if streams.pointer("/data/0").is_some() {
            return Ok(());
        }
        let Domains { names, are_all } = self.domains().await?;
        if names.iter().any(|name| name == domain) {
            return Ok(());
        }
        let shown = escape(domain);
        match closest(domain, names.iter().map(String::as_str)) {
            Some(meant) => bail!("no domain {shown} is known; did you mean {}?", escape(meant)),
            None if are_all => bail!("no domain {shown} is known"),
            // It may be registered, and have no pushes yet.
            None => Ok(()),
        }
    }

    /// The registered domains for an administrator; for others, those with live streams.
    async fn domains(&self) -> anyhow::Result<Domains> {
        let name = |row: &Value| row.get("domain").and_then(Value::as_str).map(str::to_owned);
        match self.rows("/v1/domains", &Query::default(), MAX_DOMAINS).await {
            Ok(rows) => return Ok(Domains { names: rows.iter().filter_map(name).collect(), are_all: true }),
            Err(error) if !is_forbidden(&error) => return Err(error),
            Err(_) => {}
        }
        let live = self.get("/v1/live", &Query::default().with("group_by", Some("domain"))).await?;
        let groups = live.get("groups").and_then(Value::as_array).into_iter().flatten();
        Ok(Domains { names: groups.filter_map(name).collect(), are_all: false })
    }
}

/// The domains that the token may know.
struct Domains {
    names: Vec<String>,
    are_all: bool,
}

/// `None` if the token lacks the scope.
pub(in crate::cli) fn permitted(answer: Result<Value, ServiceError>) -> Result<Option<Value>, ServiceError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.status() == Some(StatusCode::FORBIDDEN) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(in crate::cli) fn is_forbidden(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ServiceError>();
    error.is_some_and(|error| error.status() == Some(StatusCode::FORBIDDEN))
}
