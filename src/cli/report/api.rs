//! Reports from a running service, page by page.

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{ReportKind, ReportRequest, finish};
use crate::cli::output::Printer;
use crate::cli::{BadUsage, unreachable_at};

/// Rows per page.
const LIMIT: &str = "500";

/// # Errors
/// The service is unreachable or returns an error.
pub(super) async fn print(
    service: &Url,
    token: Option<SecretString>,
    asked: &ReportRequest,
    mut printer: Printer,
) -> anyhow::Result<()> {
    let token = token.ok_or_else(|| BadUsage("--url needs a token: set --token or STREAMTALLY_TOKEN".to_owned()))?;
    let client = Client::new();
    let mut url = service.join(asked.kind.path()).context("--url is not a valid base URL")?;
    {
        let mut query = url.query_pairs_mut();
        for (name, value) in &asked.parameters {
            query.append_pair(name, value.as_str().unwrap_or_default());
        }
        if asked.kind == ReportKind::PushDuration {
            query.append_pair("limit", LIMIT);
        }
    }
    let mut next = url.clone();
    loop {
        let mut page = get(&client, next, &token).await?;
        for row in page.get_mut("data").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default() {
            printer.row(&row)?;
        }
        let cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        let Some(cursor) = cursor else { return Ok(finish(printer, &page)?) };
        next = url.clone();
        next.query_pairs_mut().append_pair("cursor", &cursor);
    }
}

async fn get(client: &Client, url: Url, token: &SecretString) -> anyhow::Result<Value> {
    let answer =
        client.get(url.clone()).bearer_auth(token.expose_secret()).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| unreachable_at(&url))?;
    let status = answer.status();
    let body: Value = answer.json().await.context("the response is not JSON; check --url")?;
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::BAD_REQUEST => Err(BadUsage(describe_invalid(&body)).into()),
        _ => bail!("the service answered {status}: {}", text(&body, "detail")),
    }
}

fn describe_invalid(problem: &Value) -> String {
    let invalid = problem.get("invalid_parameters").and_then(Value::as_array).into_iter().flatten();
    let words = |invalid: &Value| format!("--{} {}", text(invalid, "name").replace('_', "-"), text(invalid, "reason"));
    invalid.map(words).collect::<Vec<_>>().join("; ")
}

fn text(object: &Value, member: &str) -> String {
    object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}
