//! Composes answers.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    message::Answer,
    settings::{ErrorShape, Settings, Throttling},
};

/// An error that a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Rejection {
    pub(crate) fn new(status: u16, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned() }
    }

    pub(crate) fn invalid(parameter: &str) -> Self {
        Self::new(400, "LIVE.100011001", &format!("Invalid request parameter: {parameter}"))
    }

    pub(crate) fn unknown_domain() -> Self {
        Self::new(404, "LIVE.103011019", "The domain does not exist")
    }

    pub(crate) fn wrong_project() -> Self {
        Self::new(401, "LIVE.100011015", "Invalid project id")
    }

    pub(crate) fn throttled(throttling: Throttling, limit: u32) -> Self {
        let message = format!(
            "The throttling threshold has been reached: policy user over ratelimit,limit:{limit},time:1 minute"
        );
        match throttling {
            Throttling::Apigw => Self::new(429, "APIGW.0308", &message),
            Throttling::Apig => Self::new(429, "APIG.0308", &message),
            Throttling::Live => {
                let message = "The number of concurrent API requests exceeds the upper limit";
                Self::new(500, "LIVE.100011007", message)
            }
        }
    }

    pub(crate) fn is_throttling(&self) -> bool {
        ["APIGW.0308", "APIG.0308", "LIVE.100011007"].contains(&self.code)
    }
}

/// What the answers to one request have in common.
pub(crate) struct Responder {
    pub(crate) request_id: String,
    date: String,
    shape: ErrorShape,
    retry_after_seconds: Option<u32>,
}

impl Responder {
    pub(crate) fn new(request_id: String, shape: ErrorShape, settings: &Settings, now: DateTime<Utc>) -> Self {
        let date = provider_time(settings, now).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Self { request_id, date, shape, retry_after_seconds: settings.retry_after_seconds }
    }

    pub(crate) fn json(&self, status: u16, body: &Value) -> Answer {
        self.answer(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn html(&self, status: u16) -> Answer {
        let body = "<html><head><title>Gateway</title></head><body>Try again later.</body></html>";
        self.answer(status, "text/html", body.into())
    }

    pub(crate) fn empty(&self, status: u16) -> Answer {
        let headers = self.common_headers();
        Answer { status, headers, body: Vec::new() }
    }

    pub(crate) fn redirect(&self, target: &str) -> Answer {
        let mut answer = self.empty(302);
        answer.headers.push(("location".to_owned(), target.to_owned()));
        answer
    }

    pub(crate) fn error(&self, rejection: &Rejection) -> Answer {
        let Rejection { status, code, message } = rejection;
        let is_of_gateway = !code.starts_with("LIVE.");
        let body = match self.shape {
            _ if is_of_gateway => json!({"error_code": code, "error_msg": message, "request_id": self.request_id}),
            ErrorShape::Snake => json!({"error_code": code, "error_msg": message, "request_id": self.request_id}),
            ErrorShape::Plain => json!({"code": code, "message": message}),
            ErrorShape::Camel => json!({"errorCode": code, "errorMsg": message}),
            ErrorShape::Nested => json!({"error": {"code": code, "message": message}}),
        };
        let mut answer = self.json(*status, &body);
        if let Some(seconds) = self.retry_after_seconds.filter(|_| rejection.is_throttling()) {
            answer.headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        answer
    }

    fn answer(&self, status: u16, content_type: &str, body: Vec<u8>) -> Answer {
        let mut headers = self.common_headers();
        headers.push(("content-type".to_owned(), content_type.to_owned()));
        Answer { status, headers, body }
    }

    fn common_headers(&self) -> Vec<(String, String)> {
        vec![("date".to_owned(), self.date.clone()), ("x-request-id".to_owned(), self.request_id.clone())]
    }
}

/// The time by the provider's clock.
pub(crate) fn provider_time(settings: &Settings, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(settings.clock_skew_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responder(shape: ErrorShape) -> Responder {
        let settings = Settings { clock_skew_seconds: 90, retry_after_seconds: Some(7), ..Settings::default() };
        Responder::new("id".to_owned(), shape, &settings, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn errors_of_the_service_have_four_shapes_and_those_of_the_gateway_one() {
        let rejection = Rejection::invalid("domain");
        let message = "Invalid request parameter: domain";
        for (shape, expected) in [
            (ErrorShape::Snake, json!({"error_code": "LIVE.100011001", "error_msg": message, "request_id": "id"})),
            (ErrorShape::Plain, json!({"code": "LIVE.100011001", "message": message})),
            (ErrorShape::Camel, json!({"errorCode": "LIVE.100011001", "errorMsg": message})),
            (ErrorShape::Nested, json!({"error": {"code": "LIVE.100011001", "message": message}})),
        ] {
            let answer = responder(shape).error(&rejection);
            assert_eq!((answer.status, answer.json()), (400, Some(expected)));
            let gateway = responder(shape).error(&Rejection::throttled(Throttling::Apig, 5));
            assert_eq!(gateway.json().unwrap()["error_code"], "APIG.0308");
        }
    }

    #[test]
    fn answers_carry_the_date_of_the_provider_and_the_id_of_the_request() {
        let answer = responder(ErrorShape::Snake).html(502);
        assert_eq!(answer.header("date"), Some("Thu, 01 Jan 1970 00:01:30 GMT"));
        assert_eq!(answer.header("x-request-id"), Some("id"));
        assert_eq!(answer.json(), None);
        assert_eq!(responder(ErrorShape::Snake).redirect("/x").header("location"), Some("/x"));
    }

    #[test]
    fn only_throttled_requests_are_asked_to_wait() {
        for throttling in [Throttling::Apigw, Throttling::Apig, Throttling::Live] {
            let answer = responder(ErrorShape::Snake).error(&Rejection::throttled(throttling, 5));
            assert_eq!(answer.header("retry-after"), Some("7"));
        }
        assert_eq!(responder(ErrorShape::Snake).error(&Rejection::unknown_domain()).header("retry-after"), None);
    }
}
