//! Parses answers of the provider's API.
//!
//! A list that cannot be parsed is an error and never an empty list.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use super::sweep::PAGE;

/// Times in answers, in seconds.
const TIMES: RangeInclusive<i64> = 0..=9_999_999_999;

/// A row of the list of streams on air.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedStream {
    pub app: String,
    pub stream: String,
    /// Start of the push, in whole seconds, by the provider's clock.
    pub started_at: DateTime<Utc>,
    pub client_ip: Option<String>,
}

/// A page of the list of streams on air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The rows of all pages.
    pub total: u32,
    pub streams: Vec<ListedStream>,
}

/// A row of the history: a push that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPush {
    pub app: String,
    pub stream: String,
    /// First and last second, by the provider's clock. May be cut at the bounds that were asked for.
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// Whether it came from an encoder, and not from a third party.
    pub from_encoder: bool,
}

/// A page of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    pub total: u32,
    pub pushes: Vec<PastPush>,
}

/// Where the provider sends a domain's callbacks, and how it signs them.
#[derive(Debug, Clone)]
pub struct CallbackSettings {
    /// May contain the secret path.
    pub url: SecretString,
    /// `None`: callbacks are unsigned.
    pub key: Option<SecretString>,
}

/// An answer that is not what the provider documents. The text contains nothing of the answer, which may contain keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the answer is not JSON of the documented form: {0}")]
    Form(String),
    #[error("the answer has a row of another domain")]
    OtherDomain,
    #[error("the answer has more than {PAGE} rows")]
    TooManyRows,
}

#[derive(Deserialize)]
struct ListBody {
    total_num: u32,
    // Absent or null in an empty list.
    streams: Option<Vec<ListRow>>,
}

#[derive(Deserialize)]
struct ListRow {
    publish_domain: String,
    app: String,
    stream: String,
    start_time: String,
    client_ip: Option<String>,
}

#[derive(Deserialize)]
struct HistoryBody {
    total: u32,
    history_stream_list: Option<Vec<HistoryRow>>,
}

#[derive(Deserialize)]
struct HistoryRow {
    domain: String,
    app: String,
    stream: String,
    #[serde(rename = "type")]
    kind: u8,
    start_time: String,
    end_time: String,
}

#[derive(Deserialize)]
struct CallbackBody {
    url: Option<SecretString>,
    auth_sign_key: Option<SecretString>,
}

/// # Errors
/// [`Unreadable`].
pub fn read_list(domain: &str, body: &[u8]) -> Result<ListPage, Unreadable> {
    let ListBody { total_num, streams } = read(body)?;
    let row = |row: ListRow| {
        if row.publish_domain != domain {
            return Err(Unreadable::OtherDomain);
        }
        let ListRow { app, stream, client_ip, .. } = row;
        Ok(ListedStream { app, stream, started_at: read_time(&row.start_time)?, client_ip })
    };
    let streams = read_rows(streams)?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(ListPage { total: total_num, streams })
}

/// # Errors
/// [`Unreadable`].
pub fn read_history(domain: &str, body: &[u8]) -> Result<HistoryPage, Unreadable> {
    let HistoryBody { total, history_stream_list } = read(body)?;
    let row = |row: HistoryRow| {
        if row.domain != domain {
            return Err(Unreadable::OtherDomain);
        }
        let started_at = read_time(&row.start_time)?;
        let ended_at = read_time(&row.end_time)?;
        Ok(PastPush { app: row.app, stream: row.stream, started_at, ended_at, from_encoder: row.kind == 0 })
    };
    let pushes = read_rows(history_stream_list)?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(HistoryPage { total, pushes })
}

/// `None`: no callbacks are sent.
///
/// # Errors
/// [`Unreadable`].
pub fn read_callback_settings(body: &[u8]) -> Result<Option<CallbackSettings>, Unreadable> {
    let CallbackBody { url, auth_sign_key } = read(body)?;
    let is_given = |text: &SecretString| !text.expose_secret().is_empty();
    Ok(url.filter(is_given).map(|url| CallbackSettings { url, key: auth_sign_key.filter(is_given) }))
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text quotes values.
        let what = match error.classify() {
            Category::Io | Category::Eof => "it is cut off",
            Category::Syntax => "it is not JSON",
            Category::Data => "a member is missing or has another type",
        };
        Unreadable::Form(format!("{what}, at line {}, column {}", error.line(), error.column()))
    })
}

/// The rows of a page, not more than were asked for.
fn read_rows<T>(rows: Option<Vec<T>>) -> Result<Vec<T>, Unreadable> {
    let rows = rows.unwrap_or_default();
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    if rows.len() <= most { Ok(rows) } else { Err(Unreadable::TooManyRows) }
}

fn read_time(text: &str) -> Result<DateTime<Utc>, Unreadable> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ").ok().map(|time| time.and_utc());
    // Years may have a sign and more than four digits. The database has no room for all of them.
    time.filter(|time| TIMES.contains(&time.timestamp()))
        .ok_or_else(|| Unreadable::Form("a time is not of the form 2026-01-31T08:00:00Z".to_owned()))
}

/// Why the provider rejected a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests: to be repeated later. Some come with status 500.
    Throttled,
    /// The access key is unknown, locked, or may not; or the account is in arrears.
    Unauthorized,
    /// Neither the domain nor the project is known, or not there.
    NotFound,
    /// The request is invalid, or the provider fails.
    Failed,
}

/// Codes of the provider's limits: its gateways', and that of the service.
const THROTTLING: [&str; 3] = ["APIGW.0308", "APIG.0308", "LIVE.100011007"];

/// Classifies an answer that is not a success.
pub fn refusal(status: u16, code: Option<&str>) -> Refusal {
    if status == 429 || code.is_some_and(|code| THROTTLING.contains(&code)) {
        return Refusal::Throttled;
    }
    match status {
        401 | 403 => Refusal::Unauthorized,
        404 => Refusal::NotFound,
        _ => Refusal::Failed,
    }
}

/// The code of an error, for each of the known shapes of its body. Messages are left out: the gateway's repeat the signed request.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
    let code = ["error_code", "code", "errorCode"].into_iter().find_map(|name| error.get(name)?.as_str())?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (code.len() <= 40 && code.bytes().all(is_code)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROW: &str = r#"{"publish_domain":"push.example.com","app":"live","stream":"room1","video_codec":"H264",
        "client_ip":"192.0.2.1","start_time":"2026-11-27T03:15:00Z"}"#;

    fn list(body: &str) -> Result<ListPage, Unreadable> {
        read_list("push.example.com", body.as_bytes())
    }

    #[test]
    fn an_empty_list_is_one_that_says_so() {
        let empty = Ok(ListPage { total: 0, streams: Vec::new() });
        for body in [r#"{"total_num":0,"streams":[]}"#, r#"{"total_num":0,"streams":null}"#, r#"{"total_num":0}"#] {
            assert_eq!(list(body), empty);
        }
        for body in
            ["", "{}", "[]", "<html>", r#"{"streams":[]}"#, r#"{"total_num":"0"}"#, r#"{"total_num":0,"streams":{}}"#]
        {
            assert!(matches!(list(body), Err(Unreadable::Form(_))), "{body}");
        }
    }

    #[test]
    fn a_row_is_a_push_of_the_domain_that_was_asked_for() {
        let page = list(&format!(r#"{{"total_num":1,"streams":[{ROW}]}}"#)).unwrap();
        let started_at = "2026-11-27T03:15:00Z".parse().unwrap();
        let expected = ListedStream {
            app: "live".to_owned(),
            stream: "room1".to_owned(),
            started_at,
            client_ip: Some("192.0.2.1".to_owned()),
        };
        assert_eq!(page.streams, [expected]);
        let other = ROW.replace("push.example.com", "other.example.com");
        assert_eq!(list(&format!(r#"{{"total_num":1,"streams":[{other}]}}"#)), Err(Unreadable::OtherDomain));
        for time in [
            "2026-11-27T03:15:00+08:00",
            "2026-11-27 03:15:00",
            "",
            "-9999-11-27T03:15:00Z",
            "1969-12-31T23:59:59Z",
            "+99999-11-27T03:15:00Z",
        ] {
            let row = ROW.replace("2026-11-27T03:15:00Z", time);
            assert!(list(&format!(r#"{{"total_num":1,"streams":[{row}]}}"#)).is_err(), "{time}");
        }
    }

    #[test]
    fn a_page_has_not_more_rows_than_were_asked_for() {
        let row = r#"{"domain":"push.example.com","app":"live","stream":"room1","type":0,
            "start_time":"2026-11-27T03:15:00Z","end_time":"2026-11-27T03:16:00Z"}"#;
        for (rows, is_read) in [(100, true), (101, false)] {
            let lists = [ROW, row].map(|row| vec![row; rows].join(","));
            let expected = if is_read { Ok(rows) } else { Err(Unreadable::TooManyRows) };
            let page = list(&format!(r#"{{"total_num":{rows},"streams":[{}]}}"#, lists[0]));
            assert_eq!(page.map(|page| page.streams.len()), expected);
            let history = format!(r#"{{"total":{rows},"history_stream_list":[{}]}}"#, lists[1]);
            let page = read_history("push.example.com", history.as_bytes());
            assert_eq!(page.map(|page| page.pushes.len()), expected);
        }
    }

    #[test]
    fn callback_settings_have_a_url_and_perhaps_a_key() {
        let read_text = |body: &Value| {
            let settings = read_callback_settings(body.to_string().as_bytes())?;
            let text = |text: SecretString| text.expose_secret().to_owned();
            Ok::<_, Unreadable>(settings.map(|settings| (text(settings.url), settings.key.map(text))))
        };
        let url = "https://streamtally.example.com/callbacks/huawei".to_owned();
        let key = "k".to_owned();
        for (body, expected) in [
            (
                json!({ "url": url, "auth_sign_key": key, "call_back_area": "mainland_china" }),
                Some((url.clone(), Some(key))),
            ),
            (json!({ "url": url, "auth_sign_key": "" }), Some((url.clone(), None))),
            (json!({ "url": url, "auth_sign_key": null }), Some((url.clone(), None))),
            (json!({ "url": url }), Some((url.clone(), None))),
            (json!({}), None),
            (json!({ "url": "" }), None),
            (json!({ "url": null, "auth_sign_key": "k" }), None),
        ] {
            assert_eq!(read_text(&body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn an_error_quotes_nothing_of_the_answer() {
        for body in [json!({ "url": ["of-the-answer"] }), json!({ "auth_sign_key": { "of-the-answer": 1 } })] {
            let error = read_callback_settings(body.to_string().as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("of-the-answer"), "{error}");
        }
        let error = list(&json!({ "total_num": "of-the-answer" }).to_string()).unwrap_err();
        assert!(!error.to_string().contains("of-the-answer"), "{error}");
    }

    #[test]
    fn the_code_of_an_error_is_found_in_every_shape_and_its_message_is_not() {
        for body in [
            r#"{"error_code":"LIVE.100011001","error_msg":"Request Illegal","request_id":"1"}"#,
            r#"{"code":"LIVE.100011001","message":"Request Illegal"}"#,
            r#"{"errorCode":"LIVE.100011001","errorMsg":"Request Illegal"}"#,
            r#"{"error":{"code":"LIVE.100011001","message":"Request Illegal"}}"#,
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), Some("LIVE.100011001"), "{body}");
        }
        for body in ["<html>", "{}", r#"{"error_code":7}"#, r#"{"error_code":"a b"}"#, r#"{"error_code":"\n"}"#] {
            assert_eq!(error_code(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn throttling_is_recognized_though_it_comes_as_a_failure() {
        for (status, code, expected) in [
            (429, None, Refusal::Throttled),
            (429, Some("APIGW.0308"), Refusal::Throttled),
            (500, Some("LIVE.100011007"), Refusal::Throttled),
            (500, Some("LIVE.100011000"), Refusal::Failed),
            (401, Some("LIVE.100011014"), Refusal::Unauthorized),
            (401, Some("APIGW.0301"), Refusal::Unauthorized),
            (403, Some("APIGW.0302"), Refusal::Unauthorized),
            (404, Some("LIVE.103011019"), Refusal::NotFound),
            (400, Some("LIVE.100011001"), Refusal::Failed),
            (302, None, Refusal::Failed),
        ] {
            assert_eq!(refusal(status, code), expected, "{status} {code:?}");
        }
    }
}
