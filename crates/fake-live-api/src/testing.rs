//! What the unit tests share.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Account, Answer, FakeApi, Request, Settings,
    signature::{canonical_request, sign},
};

pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const DOMAIN: &str = "push.example.com";
const HOST: &str = "live.cn-north-4.myhuaweicloud.com";

pub(crate) fn account() -> Account {
    Account {
        access_key: "AKIDEXAMPLE0000000AK".to_owned(),
        secret_key: "SKEXAMPLE00000000000000000000000000000SK".to_owned(),
        project_id: PROJECT.to_owned(),
        security_token: None,
        host: None,
    }
}

/// 2026-11-27 03:15:00 and so many seconds.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_749_300 + seconds)
}

pub(crate) fn signed(method: &str, target: &str, body: &[u8], now: DateTime<Utc>) -> Request {
    let account = account();
    let date = now.format("%Y%m%dT%H%M%SZ").to_string();
    let mut headers = [("Host", HOST), ("X-Project-Id", &account.project_id), ("X-Sdk-Date", &date)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let mut request =
        Request { method: method.to_owned(), target: target.to_owned(), headers: headers.clone(), body: body.to_vec() };
    let names = ["host", "x-project-id", "x-sdk-date"].map(str::to_owned);
    let signature = sign(&account.secret_key, &date, &canonical_request(&request, &names, None));
    let authorization = format!(
        "SDK-HMAC-SHA256 Access={}, SignedHeaders={}, Signature={signature}",
        account.access_key,
        names.join(";")
    );
    headers.push(("Authorization".to_owned(), authorization));
    request.headers = headers;
    request
}

pub(crate) fn fake(settings: Settings) -> FakeApi {
    FakeApi::new(7, account(), settings)
}

/// The answer to a signed request without a body.
pub(crate) fn get(api: &mut FakeApi, target: &str, now: DateTime<Utc>) -> Answer {
    api.answer(&signed("GET", target, b"", now), now).answer().unwrap().clone()
}

pub(crate) fn streams_target(query: &str) -> String {
    format!("/v1/{PROJECT}/realtime/streams?publish_domain={DOMAIN}{query}")
}

pub(crate) fn history_target(query: &str) -> String {
    format!("/v2/{PROJECT}/stats/history/streams?domain={DOMAIN}{query}")
}
