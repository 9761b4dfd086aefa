//! The errors of a service, in the words of the command line.

use std::io;

use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::api::problem::InvalidParameter;
use crate::cli::table::escape;

/// The service is unreachable, or answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct ServiceError {
    /// `None` without an answer of the service.
    status: Option<StatusCode>,
    is_transient: bool,
    words: String,
}

impl ServiceError {
    pub(in crate::cli) fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Whether the same request can succeed later: the service may be restarting.
    pub(in crate::cli) fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// Whether a flag or an argument of the command is wrong.
    #[must_use]
    pub fn is_bad_usage(&self) -> bool {
        self.status == Some(StatusCode::BAD_REQUEST)
    }

    pub(super) fn unreachable(error: &reqwest::Error, base: &Url) -> Self {
        let words = match cause_of(error) {
            Some(cause) => format!("{}: {cause}", unreachable_at(base)),
            None => unreachable_at(base),
        };
        Self { status: None, is_transient: true, words }
    }

    pub(super) fn not_ours(status: StatusCode, base: &Url) -> Self {
        let words = format!("{} answered {status}, but not as streamtally does; check --url", origin(base));
        let status = Some(status).filter(StatusCode::is_server_error);
        Self { status, is_transient: status.is_some(), words }
    }

    /// Of a response without success. `source` says where the token comes from.
    pub(super) fn of_response(
        status: StatusCode,
        location: Option<&str>,
        body: &[u8],
        source: Option<&str>,
        base: &Url,
    ) -> Self {
        if status.is_redirection() {
            let to = location.map(|location| format!(" to {}", escape(location))).unwrap_or_default();
            let words = format!("{} redirects{to}; set --url to the address of the service", origin(base));
            return Self { status: None, is_transient: false, words };
        }
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(detail) = problem.get("detail").and_then(Value::as_str).map(escape) else {
            return Self::not_ours(status, base);
        };
        let words = match status {
            StatusCode::BAD_REQUEST => describe_invalid(&invalid_parameters(&problem)),
            StatusCode::UNAUTHORIZED => match source {
                Some(source) => format!(
                    "{} rejected the token of {source}: it is wrong, revoked or expired; `streamtally login` stores another",
                    origin(base)
                ),
                None => detail,
            },
            StatusCode::FORBIDDEN => match source {
                Some(source) => format!("{detail} (the token of {source})"),
                None => detail,
            },
            StatusCode::TOO_MANY_REQUESTS => format!("{detail}; try again later"),
            _ => detail,
        };
        Self { status: Some(status), is_transient: status.is_server_error(), words }
    }
}

pub(in crate::cli) fn unreachable_at(url: &Url) -> String {
    format!("{} is unreachable; check that the service runs there, or set --url", origin(url))
}

/// Invalid parameters as their flags.
pub(in crate::cli) fn describe_invalid(invalid: &[InvalidParameter]) -> String {
    let words =
        invalid.iter().map(|invalid| format!("{} {}", flag_of(&invalid.name), in_words_of_flags(&invalid.reason)));
    words.collect::<Vec<_>>().join("; ")
}

/// The flag of a parameter or member; the few that differ are named here.
fn flag_of(name: &str) -> String {
    match name {
        "cause" => "--reason".to_owned(),
        "ended_at" => "--at".to_owned(),
        "format" => "--output".to_owned(),
        name => format!("--{}", escape(name).replace('_', "-")),
    }
}

/// The reasons of the API name other parameters, and say how to write them in a URL.
fn in_words_of_flags(reason: &str) -> String {
    let reason = escape(reason).replace("later than from", "later than --from");
    let words: Vec<&str> = reason.split("; ").filter(|part| !part.contains("%2B")).collect();
    words.join("; ")
}

fn invalid_parameters(problem: &Value) -> Vec<InvalidParameter> {
    let text = |invalid: &Value, member: &str| Some(invalid.get(member)?.as_str()?.to_owned());
    let read =
        |invalid: &Value| Some(InvalidParameter { name: text(invalid, "name")?, reason: text(invalid, "reason")? });
    let invalid = problem.get("invalid_parameters").and_then(Value::as_array);
    invalid.into_iter().flatten().filter_map(read).collect()
}

/// Shows only the origin of a URL, which may contain a password.
pub(in crate::cli) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The innermost cause of a failed request, if it says more than that the request failed.
fn cause_of(error: &reqwest::Error) -> Option<String> {
    if error.is_timeout() {
        return Some("it does not answer in time".to_owned());
    }
    let causes = || anyhow::Chain::new(error);
    let of_io = causes().filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    match of_io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => return Some("connection refused".to_owned()),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => {
            return Some("connection closed".to_owned());
        }
        _ => {}
    }
    let last = causes().last()?.to_string();
    let last = if last.contains("failed to lookup address") { "its name is not known".to_owned() } else { last };
    Some(escape(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_parameters_are_told_as_flags_without_advice_for_urls() {
        let invalid = |name: &str, reason: &str| InvalidParameter { name: name.to_owned(), reason: reason.to_owned() };
        let told = describe_invalid(&[
            invalid("from", "must be a date; write a plus sign as %2B"),
            invalid("to", "must be later than from"),
            invalid("cause", "must be one of x"),
            invalid("min_duration_seconds", "is \u{1b}empty"),
        ]);
        let expected = "--from must be a date; --to must be later than --from; --reason must be one of x; \
                        --min-duration-seconds is \\u{1b}empty";
        assert_eq!(told, expected);
    }
}
