//! The gateway before the service: authenticates requests and limits their rate.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::{
    message::Request,
    respond::{Rejection, provider_time},
    settings::{Account, Api, Settings},
    signature::{Authorization, DATE_HEADER, canonical_request, sign},
};

/// The largest difference between the time of a signature and the provider's clock.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(15);

/// A request's share of a bucket, in units in which a bucket gains its limit in each millisecond.
const REQUEST: i64 = 60_000;

#[derive(Clone, Default)]
pub(crate) struct Gateway {
    /// Wrong signatures in succession.
    failures: u32,
    locked_until: Option<DateTime<Utc>>,
    buckets: BTreeMap<Api, Bucket>,
}

impl Gateway {
    /// # Errors
    ///
    /// A 401 `APIGW.0301` or `APIGW.0303`.
    pub(crate) fn authenticate(
        &mut self,
        request: &Request,
        account: &Account,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Result<(), Rejection> {
        let authorization = request.header("authorization").and_then(Authorization::parse);
        let Some(authorization) = authorization.filter(|authorization| authorization.signs(DATE_HEADER)) else {
            return Err(unauthenticated("decrypt token fail"));
        };
        let date = request.header(DATE_HEADER).unwrap_or_default();
        if !is_current(date, provider_time(settings, now)) {
            let message = format!("Incorrect app authentication information: signature expired, timestamp: {date}");
            return Err(Rejection::new(401, "APIGW.0303", &message));
        }
        if authorization.access_key != account.access_key {
            return Err(unauthenticated(&format!("Get secretKey failed, ak: {}", authorization.access_key)));
        }
        if self.locked_until.is_some_and(|until| now < until) {
            return Err(unauthenticated("AK access failed to reach the limit,forbidden"));
        }
        let canonical = canonical_request(request, &authorization.signed_headers, account.host.as_deref());
        let is_right = sign(&account.secret_key, date, &canonical) == authorization.signature;
        if !is_right || !has_token(request, &authorization, account) {
            self.note_failure(settings, now);
            let canonical = canonical.replace('\n', "|");
            return Err(unauthenticated(&format!("verify aksk signature fail, canonicalRequest:{canonical}")));
        }
        self.failures = 0;
        Ok(())
    }

    fn note_failure(&mut self, settings: &Settings, now: DateTime<Utc>) {
        self.failures += 1;
        if self.failures >= settings.lockout_failures {
            self.failures = 0;
            self.locked_until = Some(now + TimeDelta::seconds(settings.lockout_seconds));
        }
    }

    /// # Errors
    ///
    /// One of the errors of [`Throttling`](crate::Throttling).
    pub(crate) fn limit_rate(&mut self, api: Api, settings: &Settings, now: DateTime<Utc>) -> Result<(), Rejection> {
        let limit = settings.limits.of(api);
        let bucket = self.buckets.entry(api).or_insert(Bucket { level: i64::from(limit) * REQUEST, filled_at: now });
        if bucket.take(limit, settings.throttled_requests_count, now) {
            Ok(())
        } else {
            Err(Rejection::throttled(settings.throttling, limit))
        }
    }
}

fn unauthenticated(reason: &str) -> Rejection {
    Rejection::new(401, "APIGW.0301", &format!("Incorrect IAM authentication information: {reason}"))
}

fn is_current(date: &str, provider_now: DateTime<Utc>) -> bool {
    let date = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ");
    date.is_ok_and(|date| (date.and_utc() - provider_now).abs() <= MAX_SKEW)
}

fn has_token(request: &Request, authorization: &Authorization, account: &Account) -> bool {
    let Some(token) = &account.security_token else {
        return true;
    };
    request.header("x-security-token") == Some(token) && authorization.signs("x-security-token")
}

#[derive(Clone)]
struct Bucket {
    /// Negative if rejected requests count.
    level: i64,
    filled_at: DateTime<Utc>,
}

impl Bucket {
    /// Returns whether there was enough for the request.
    fn take(&mut self, limit: u32, rejected_count: bool, now: DateTime<Utc>) -> bool {
        let capacity = i64::from(limit) * REQUEST;
        let elapsed = (now - self.filled_at).num_milliseconds().max(0);
        self.filled_at = self.filled_at.max(now);
        self.level = elapsed.saturating_mul(i64::from(limit)).saturating_add(self.level).min(capacity);
        let is_enough = self.level >= REQUEST;
        if is_enough || rejected_count {
            self.level = (self.level - REQUEST).max(-capacity);
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, at, signed};

    fn outcome(gateway: &mut Gateway, request: &Request, seconds: i64) -> Result<(), (u16, &'static str, String)> {
        let result = gateway.authenticate(request, &account(), &Settings::default(), at(seconds));
        result.map_err(|rejection| (rejection.status, rejection.code, rejection.message))
    }

    fn wrongly_signed(seconds: i64) -> Request {
        let mut request = signed("GET", "/v1/p/realtime/streams?a=b", b"", at(seconds));
        request.target.push('c');
        request
    }

    #[test]
    fn a_wrong_signature_is_answered_with_the_canonical_request() {
        let mut gateway = Gateway::default();
        assert_eq!(outcome(&mut gateway, &signed("GET", "/v1/p/realtime/streams?a=b", b"", at(0)), 0), Ok(()));
        let (status, code, message) = outcome(&mut gateway, &wrongly_signed(0), 0).unwrap_err();
        assert_eq!((status, code), (401, "APIGW.0301"));
        let expected = "verify aksk signature fail, canonicalRequest:GET|/v1/p/realtime/streams/|a=bc|host:";
        assert!(message.contains(expected), "{message}");
        let mut changed = signed("PUT", "/", b"body", at(0));
        changed.body.push(b'!');
        assert_eq!(outcome(&mut gateway, &changed, 0).unwrap_err().1, "APIGW.0301");
    }

    #[test]
    fn a_signature_is_valid_for_fifteen_minutes_in_both_directions() {
        let mut gateway = Gateway::default();
        let request = signed("GET", "/", b"", at(0));
        for (seconds, expected) in [(-901, false), (-900, true), (900, true), (901, false)] {
            let result = outcome(&mut gateway, &request, seconds);
            assert_eq!(result.is_ok(), expected, "{seconds}");
            assert!(result.is_ok() || result.unwrap_err().1 == "APIGW.0303");
        }
        let ahead = Settings { clock_skew_seconds: 901, ..Settings::default() };
        assert_eq!(gateway.authenticate(&request, &account(), &ahead, at(0)).unwrap_err().code, "APIGW.0303");
        let without_date = Request { headers: Vec::new(), ..request };
        assert_eq!(outcome(&mut gateway, &without_date, 0).unwrap_err().1, "APIGW.0301");
    }

    #[test]
    fn an_unknown_key_and_a_missing_token_are_rejected() {
        let mut gateway = Gateway::default();
        let request = signed("GET", "/", b"", at(0));
        let settings = Settings::default();
        let other = Account { access_key: "other".to_owned(), ..account() };
        let message = gateway.authenticate(&request, &other, &settings, at(0)).unwrap_err().message;
        assert!(message.contains("Get secretKey failed"), "{message}");
        let with_token = Account { security_token: Some("token".to_owned()), ..account() };
        assert_eq!(gateway.authenticate(&request, &with_token, &settings, at(0)).unwrap_err().code, "APIGW.0301");
    }

    #[test]
    fn five_wrong_signatures_lock_the_key_for_five_minutes() {
        let mut gateway = Gateway::default();
        for second in 0..5 {
            let message = outcome(&mut gateway, &wrongly_signed(second), second).unwrap_err().2;
            assert!(message.contains("canonicalRequest"), "{message}");
        }
        for (seconds, is_locked) in [(5, true), (303, true), (304, false)] {
            let result = outcome(&mut gateway, &signed("GET", "/", b"", at(seconds)), seconds);
            assert_eq!(result.is_err_and(|(.., message)| message.contains("reach the limit")), is_locked, "{seconds}");
        }
    }

    #[test]
    fn a_right_signature_forgives_the_wrong_ones_before() {
        let mut gateway = Gateway::default();
        for second in 0..20 {
            let request = if second % 5 == 4 { signed("GET", "/", b"", at(second)) } else { wrongly_signed(second) };
            let result = outcome(&mut gateway, &request, second);
            assert_eq!(result.is_ok(), second % 5 == 4);
        }
    }

    fn accepted(gateway: &mut Gateway, settings: &Settings, api: Api, requests: u32, millis: i64) -> usize {
        let now = at(0) + TimeDelta::milliseconds(millis);
        (0..requests).filter(|_| gateway.limit_rate(api, settings, now).is_ok()).count()
    }

    #[test]
    fn each_api_has_its_own_limit_which_refills_within_a_minute() {
        let settings = Settings { throttled_requests_count: false, ..Settings::default() };
        let mut gateway = Gateway::default();
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 0), 20);
        assert_eq!(accepted(&mut gateway, &settings, Api::Notifications, 400, 0), 300);
        assert_eq!(accepted(&mut gateway, &settings, Api::Streams, 1_500, 0), 1_000);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 2_999), 0);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 3_000), 1);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 600_000), 20);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 0), 0, "time that goes back refills nothing");
    }

    #[test]
    fn rejected_requests_count_if_set() {
        let mut gateway = Gateway::default();
        let settings = Settings::default();
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 50, 0), 20);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 1, 60_000), 0);
        assert_eq!(accepted(&mut gateway, &settings, Api::History, 1, 120_000), 1);
    }
}
