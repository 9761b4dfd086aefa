//! How the provider behaves. The default is a well-behaved provider.

use std::{collections::BTreeSet, ops::RangeInclusive};

use chrono::{DateTime, Utc};

use crate::faults::FaultKind;

/// The credentials that the provider knows. It has no `Debug`, since it holds a secret key.
#[derive(Clone)]
pub struct Account {
    pub access_key: String,
    pub secret_key: String,
    pub project_id: String,
    /// If set, requests must carry and sign it, as with temporary keys.
    pub security_token: Option<String>,
    /// The host that is signed, if requests reach the fake by another name. `None`: the host of the request.
    pub host: Option<String>,
}

/// The APIs, which have separate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// `GET /v1/{project}/realtime/streams`.
    Streams,
    /// `GET /v2/{project}/stats/history/streams`.
    History,
    /// `/v1/{project}/notifications/publish`.
    Notifications,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    ByName,
    /// Newest first.
    ByStart,
    /// Another order in every call.
    Shuffled,
}

/// Which of several listed pushes of one name have a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameName {
    NewestPush,
    EveryPush,
}

/// How a list without rows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyList {
    Array,
    Null,
    Absent,
}

/// What a request about an unknown domain gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownDomain {
    /// 404 `LIVE.103011019`.
    NotFound,
    /// 200 and an empty list.
    Empty,
}

/// How a request above the limit is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttling {
    /// 429 `APIGW.0308`.
    Apigw,
    /// 429 `APIG.0308`.
    Apig,
    /// 500 `LIVE.100011007`.
    Live,
}

/// The form of errors of the service. The gateway always uses `Snake`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// `{"error_code", "error_msg", "request_id"}`.
    Snake,
    /// `{"code", "message"}`.
    Plain,
    /// `{"errorCode", "errorMsg"}`.
    Camel,
    /// `{"error": {"code", "message"}}`.
    Nested,
}

impl ErrorShape {
    pub const ALL: [Self; 4] = [Self::Snake, Self::Plain, Self::Camel, Self::Nested];
}

/// Requests per minute, for each API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub streams: u32,
    pub history: u32,
    pub notifications: u32,
}

impl Limits {
    pub fn of(self, api: Api) -> u32 {
        match api {
            Api::Streams => self.streams,
            Api::History => self.history,
            Api::Notifications => self.notifications,
        }
    }
}

/// What is wrong during an outage.
#[derive(Debug, Clone, PartialEq)]
pub enum OutageKind {
    /// Every request fails in one of these ways, chosen by the seed.
    Failure(Vec<FaultKind>),
    /// This share of the streams is missing from the list, although they are on air; 1.0 empties it.
    MissingStreams(f64),
}

/// A period of virtual time in which the provider fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub until: DateTime<Utc>,
    pub kind: OutageKind,
}

impl Outage {
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until
    }
}

/// Ranges are in seconds; the seed chooses a value for each push. Chances are from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// From the start of a push until it is listed.
    pub appearing_lag_seconds: RangeInclusive<i64>,
    /// From the end of a push until it is no longer listed.
    pub disappearing_lag_seconds: RangeInclusive<i64>,
    /// The chance that a push is missing from the list during a minute.
    pub flapping: f64,
    /// `start_time` of the list minus the true start.
    pub start_difference_seconds: RangeInclusive<i64>,
    pub lists_renditions: bool,
    pub same_name: SameName,
    pub order: Order,
    pub empty_list: EmptyList,
    pub unknown_domain: UnknownDomain,

    /// From the end of a push until the history has it.
    pub history_delay_seconds: RangeInclusive<i64>,
    /// Either time of the history minus the true one.
    pub history_difference_seconds: RangeInclusive<i64>,
    /// Whether times of the history are cut at the bounds of the request.
    pub history_is_clipped: bool,

    pub limits: Limits,
    pub throttling: Throttling,
    /// Whether rejected requests count against the limit, too.
    pub throttled_requests_count: bool,
    /// The header `retry-after` of throttled requests.
    pub retry_after_seconds: Option<u32>,
    /// APIs for which the account lacks the permission: 403 `APIGW.0302`.
    pub forbidden: BTreeSet<Api>,
    /// Wrong signatures in succession after which the access key is locked, and for how long.
    pub lockout_failures: u32,
    pub lockout_seconds: i64,
    /// The provider's clock minus the true time.
    pub clock_skew_seconds: i64,

    /// The chance that a request fails in one of the ways of `fault_kinds`.
    pub faults: f64,
    pub fault_kinds: Vec<FaultKind>,
    /// The forms of errors; the seed chooses one for each request.
    pub error_shapes: Vec<ErrorShape>,
    /// The target of [`FaultKind::Redirect`].
    pub redirect_to: String,
    pub outage: Option<Outage>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            appearing_lag_seconds: 120..=240,
            disappearing_lag_seconds: 0..=240,
            flapping: 0.0,
            start_difference_seconds: 0..=0,
            lists_renditions: false,
            same_name: SameName::NewestPush,
            order: Order::ByName,
            empty_list: EmptyList::Array,
            unknown_domain: UnknownDomain::NotFound,
            history_delay_seconds: 0..=0,
            history_difference_seconds: 0..=0,
            history_is_clipped: true,
            limits: Limits { streams: 1_000, history: 20, notifications: 300 },
            throttling: Throttling::Apigw,
            throttled_requests_count: true,
            retry_after_seconds: None,
            forbidden: BTreeSet::new(),
            lockout_failures: 5,
            lockout_seconds: 300,
            clock_skew_seconds: 0,
            faults: 0.0,
            fault_kinds: FaultKind::ALL.to_vec(),
            error_shapes: vec![ErrorShape::Snake],
            redirect_to: "https://login.example.com/".to_owned(),
            outage: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_outage_ends_before_its_last_moment() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let outage = Outage { from: at(10), until: at(20), kind: OutageKind::MissingStreams(1.0) };
        assert_eq!([9, 10, 19, 20].map(|second| outage.is_active(at(second))), [false, true, true, false]);
    }
}
