//! The ways in which requests fail.

use rand::RngExt;

use crate::{
    dice::{Generator, choose, happens},
    message::{Answer, Reply},
    respond::{Rejection, Responder},
    settings::{OutageKind, Settings},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// 401 `LIVE.100011014`: the account is in arrears.
    AccountFrozen,
    /// 401 `LIVE.100011015`.
    WrongProject,
    /// 403 `LIVE.103011016`.
    Forbidden,
    /// 404 `LIVE.103011019`.
    NotFound,
    /// 500 `LIVE.100011000`.
    InternalError,
    /// As above the limit.
    Throttled,
    /// An HTML page, with status 200 or 502.
    Html,
    /// 200 with an empty JSON object.
    EmptyObject,
    /// The body ends too early, with a `content-length` that agrees.
    TruncatedJson,
    /// The body is shorter than its `content-length`.
    ShortBody,
    Reset,
    Stall,
    Drip,
    /// 302 to [`Settings::redirect_to`].
    Redirect,
}

impl FaultKind {
    pub const ALL: [Self; 14] = [
        Self::AccountFrozen,
        Self::WrongProject,
        Self::Forbidden,
        Self::NotFound,
        Self::InternalError,
        Self::Throttled,
        Self::Html,
        Self::EmptyObject,
        Self::TruncatedJson,
        Self::ShortBody,
        Self::Reset,
        Self::Stall,
        Self::Drip,
        Self::Redirect,
    ];

    /// Faults that need no socket and no timeout.
    pub const ANSWERS: [Self; 10] = [
        Self::AccountFrozen,
        Self::WrongProject,
        Self::Forbidden,
        Self::NotFound,
        Self::InternalError,
        Self::Throttled,
        Self::Html,
        Self::EmptyObject,
        Self::TruncatedJson,
        Self::Redirect,
    ];
}

/// The fault of a request, if it has one. `failure` is the outage of this moment.
pub(crate) fn choose_fault(
    generator: &mut Generator,
    settings: &Settings,
    outage: Option<&OutageKind>,
) -> Option<FaultKind> {
    if let Some(OutageKind::Failure(kinds)) = outage {
        return Some(choose(generator, kinds).unwrap_or(FaultKind::InternalError));
    }
    happens(generator, settings.faults).then(|| choose(generator, &settings.fault_kinds)).flatten()
}

/// The reply of a request with a fault. `serve` answers it as if it had none, which some faults then spoil.
pub(crate) fn spoil(
    kind: FaultKind,
    generator: &mut Generator,
    settings: &Settings,
    responder: &Responder,
    serve: impl FnOnce() -> Answer,
) -> Reply {
    let rejection = match kind {
        FaultKind::AccountFrozen => Rejection::new(401, "LIVE.100011014", "The account is frozen"),
        FaultKind::WrongProject => Rejection::wrong_project(),
        FaultKind::Forbidden => Rejection::new(403, "LIVE.103011016", "The operation is not allowed"),
        FaultKind::NotFound => Rejection::unknown_domain(),
        FaultKind::InternalError => Rejection::new(500, "LIVE.100011000", "Internal error"),
        FaultKind::Throttled => Rejection::throttled(settings.throttling, 1_000),
        FaultKind::Html => return Reply::Answer(responder.html(if generator.random() { 200 } else { 502 })),
        FaultKind::EmptyObject => return Reply::Answer(responder.json(200, &serde_json::json!({}))),
        FaultKind::TruncatedJson => return cut(generator, serve(), false),
        FaultKind::ShortBody => return cut(generator, serve(), true),
        FaultKind::Reset => return Reply::Reset,
        FaultKind::Stall => return Reply::Stall,
        FaultKind::Drip => return Reply::Drip(serve()),
        FaultKind::Redirect => return Reply::Answer(responder.redirect(&settings.redirect_to)),
    };
    Reply::Answer(responder.error(&rejection))
}

fn cut(generator: &mut Generator, mut answer: Answer, keeps_length: bool) -> Reply {
    let length = answer.body.len();
    if length == 0 {
        return Reply::Reset;
    }
    answer.body.truncate(generator.random_range(0..length));
    if keeps_length {
        answer.headers.push(("content-length".to_owned(), length.to_string()));
    }
    Reply::Answer(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        dice::Dice,
        settings::{ErrorShape, Throttling},
        testing::at,
    };

    fn reply(kind: FaultKind, settings: &Settings, seed: u64) -> Reply {
        let responder = Responder::new("id".to_owned(), ErrorShape::Snake, settings, at(0));
        let mut generator = Dice::new(seed).ask("fault", &[]);
        let serve = || responder.json(200, &json!({"total_num": 0, "streams": []}));
        spoil(kind, &mut generator, settings, &responder, serve)
    }

    #[test]
    fn each_fault_has_its_status_and_code() {
        let settings = Settings { throttling: Throttling::Live, ..Settings::default() };
        for (kind, status, code) in [
            (FaultKind::AccountFrozen, 401, "LIVE.100011014"),
            (FaultKind::WrongProject, 401, "LIVE.100011015"),
            (FaultKind::Forbidden, 403, "LIVE.103011016"),
            (FaultKind::NotFound, 404, "LIVE.103011019"),
            (FaultKind::InternalError, 500, "LIVE.100011000"),
            (FaultKind::Throttled, 500, "LIVE.100011007"),
        ] {
            let reply = reply(kind, &settings, 1);
            let answer = reply.answer().unwrap();
            assert_eq!((answer.status, &answer.json().unwrap()["error_code"]), (status, &json!(code)));
        }
        let redirect = reply(FaultKind::Redirect, &settings, 1);
        assert_eq!(redirect.answer().unwrap().header("location"), Some("https://login.example.com/"));
        assert_eq!(reply(FaultKind::Reset, &settings, 1), Reply::Reset);
        assert_eq!(reply(FaultKind::Stall, &settings, 1), Reply::Stall);
        assert!(matches!(reply(FaultKind::Drip, &settings, 1), Reply::Drip(answer) if answer.json().is_some()));
    }

    #[test]
    fn spoiled_answers_are_never_lists() {
        let settings = Settings::default();
        for seed in 0..200 {
            let truncated = reply(FaultKind::TruncatedJson, &settings, seed);
            let truncated = truncated.answer().unwrap();
            assert_eq!((truncated.status, truncated.json(), truncated.header("content-length")), (200, None, None));
            let short = reply(FaultKind::ShortBody, &settings, seed);
            let short = short.answer().unwrap();
            let length: usize = short.header("content-length").unwrap().parse().unwrap();
            assert!(short.body.len() < length);
            let html = reply(FaultKind::Html, &settings, seed);
            assert!([200, 502].contains(&html.status().unwrap()));
            assert_eq!(html.answer().unwrap().json(), None);
        }
    }

    #[test]
    fn faults_are_as_frequent_as_set_and_only_of_the_kinds_that_are_set() {
        let chosen = |faults, kinds: &[FaultKind], outage: Option<&OutageKind>| -> Vec<FaultKind> {
            let settings = Settings { faults, fault_kinds: kinds.to_vec(), ..Settings::default() };
            (0..1_000_u64)
                .filter_map(|seed| choose_fault(&mut Dice::new(seed).ask("fault", &[]), &settings, outage))
                .collect()
        };
        assert_eq!(chosen(0.0, &FaultKind::ALL, None), []);
        assert_eq!(chosen(1.0, &[], None), []);
        let some = chosen(0.2, &FaultKind::ALL, None);
        assert!((120..280).contains(&some.len()), "{}", some.len());
        assert!(FaultKind::ALL.iter().all(|kind| some.contains(kind)));
        let failure = OutageKind::Failure(vec![FaultKind::Reset, FaultKind::Html]);
        let all = chosen(0.0, &[], Some(&failure));
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|kind| [FaultKind::Reset, FaultKind::Html].contains(kind)));
        assert_eq!(chosen(0.0, &[], Some(&OutageKind::MissingStreams(1.0))), []);
    }
}
