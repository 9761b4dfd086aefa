//! The fake: routes a request through faults, the gateway and the API it names.

use chrono::{DateTime, Utc};
use rand::RngExt;

use crate::{
    dice::{Dice, choose},
    faults::{FaultKind, choose_fault, spoil},
    gateway::Gateway,
    history,
    lists::Context,
    message::{Answer, Reply, Request},
    notifications,
    request_log::LoggedRequest,
    respond::{Rejection, Responder},
    settings::{Account, Api, ErrorShape, Settings},
    streams,
    world::{Push, World},
};

/// The provider's API over a world of pushes. It has no clock and no sockets: the same calls with the same seed have the
/// same replies.
pub struct FakeApi {
    pub world: World,
    /// May be changed between requests.
    pub settings: Settings,
    /// May be changed between requests, as when a key is rotated.
    pub account: Account,
    dice: Dice,
    gateway: Gateway,
    requests: Vec<LoggedRequest>,
    /// How many requests arrived.
    number: u64,
}

impl FakeApi {
    pub fn new(seed: u64, account: Account, settings: Settings) -> Self {
        Self {
            world: World::default(),
            settings,
            account,
            dice: Dice::new(seed),
            gateway: Gateway::default(),
            requests: Vec::new(),
            number: 0,
        }
    }

    /// Answers a request that arrives at this time.
    pub fn answer(&mut self, request: &Request, now: DateTime<Utc>) -> Reply {
        self.number += 1;
        let route = Route::of(request);
        let (reply, fault) = self.reply(request, route.as_ref(), now);
        self.requests.push(LoggedRequest {
            received_at: now,
            api: route.map(|route| route.api),
            method: request.method.clone(),
            target: request.target.clone(),
            status: reply.status(),
            fault,
        });
        reply
    }

    /// All requests since the start or the last [`take_requests`](Self::take_requests), in order of arrival.
    pub fn requests(&self) -> &[LoggedRequest] {
        &self.requests
    }

    pub fn take_requests(&mut self) -> Vec<LoggedRequest> {
        std::mem::take(&mut self.requests)
    }

    /// Whether the list of streams has this push, by lags, flapping and outages, unless it hides renditions or a newer push
    /// of the same name has the row.
    pub fn is_visible(&self, push: &Push, now: DateTime<Utc>) -> bool {
        streams::is_visible(push, &self.settings, self.dice, now)
    }

    fn reply(&mut self, request: &Request, route: Option<&Route>, now: DateTime<Utc>) -> (Reply, Option<FaultKind>) {
        let parts = [request.target.as_bytes(), &now.timestamp_millis().to_le_bytes(), &self.number.to_le_bytes()];
        let mut generator = self.dice.ask("request", &parts);
        let request_id = format!("{:032x}", generator.random::<u128>());
        let shape = choose(&mut generator, &self.settings.error_shapes).unwrap_or(ErrorShape::Snake);
        let responder = Responder::new(request_id, shape, &self.settings, now);
        let Some(route) = route else {
            let message = "The API does not exist or has not been published in the environment";
            return (Reply::Answer(responder.error(&Rejection::new(404, "APIGW.0101", message))), None);
        };
        let outage = self.settings.outage.as_ref().filter(|outage| outage.is_active(now)).map(|outage| &outage.kind);
        let fault = choose_fault(&mut generator, &self.settings, outage);
        let settings = self.settings.clone();
        let mut serve = || match self.serve(request, route, &responder, now) {
            Ok(answer) => answer,
            Err(rejection) => responder.error(&rejection),
        };
        let reply = match fault {
            Some(kind) => spoil(kind, &mut generator, &settings, &responder, serve),
            None => Reply::Answer(serve()),
        };
        (reply, fault)
    }

    fn serve(
        &mut self,
        request: &Request,
        route: &Route,
        responder: &Responder,
        now: DateTime<Utc>,
    ) -> Result<Answer, Rejection> {
        let Self { world, settings, account, dice, gateway, number, .. } = self;
        gateway.authenticate(request, account, settings, now)?;
        gateway.limit_rate(route.api, settings, now)?;
        if settings.forbidden.contains(&route.api) {
            let message = "The IAM user is not allowed to access the API";
            return Err(Rejection::new(403, "APIGW.0302", message));
        }
        let project = account.project_id.as_str();
        if route.project != project || request.header("x-project-id") != Some(project) {
            return Err(Rejection::wrong_project());
        }
        let context = Context { world, settings, dice: *dice, number: *number, now };
        match route.api {
            Api::Streams => {
                let body = streams::list(&context, request, &responder.request_id)?;
                Ok(responder.json(200, &body))
            }
            Api::History => Ok(responder.json(200, &history::list(&context, request)?)),
            Api::Notifications => notifications::answer(world, settings.unknown_domain, request, responder),
        }
    }
}

/// The API and the project that a path names.
struct Route {
    api: Api,
    project: String,
}

impl Route {
    fn of(request: &Request) -> Option<Self> {
        let path = request.path();
        let path: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let (api, project) = match (request.method.as_str(), path.as_slice()) {
            ("GET", ["", "v1", project, "realtime", "streams"]) => (Api::Streams, project),
            ("GET", ["", "v2", project, "stats", "history", "streams"]) => (Api::History, project),
            ("GET" | "PUT" | "DELETE", ["", "v1", project, "notifications", "publish"]) => {
                (Api::Notifications, project)
            }
            _ => return None,
        };
        Some(Self { api, project: (*project).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        settings::{Outage, OutageKind},
        testing::{DOMAIN, PROJECT, at, fake, get, signed, streams_target},
    };

    fn code(answer: &Answer) -> (u16, String) {
        (answer.status, answer.json().unwrap()["error_code"].as_str().unwrap().to_owned())
    }

    #[test]
    fn unknown_paths_methods_and_projects_are_rejected() {
        let mut api = fake(Settings::default());
        for (method, target, expected) in [
            ("GET", "/".to_owned(), (404, "APIGW.0101")),
            ("POST", streams_target(""), (404, "APIGW.0101")),
            ("GET", format!("/v2/{PROJECT}/realtime/streams"), (404, "APIGW.0101")),
            ("GET", "/v1/other/realtime/streams?publish_domain=a".to_owned(), (401, "LIVE.100011015")),
        ] {
            let reply = api.answer(&signed(method, &target, b"", at(0)), at(0));
            let (status, found) = code(reply.answer().unwrap());
            assert_eq!((status, found.as_str()), expected, "{method} {target}");
        }
        let mut request = signed("GET", &streams_target(""), b"", at(0));
        request.headers.retain(|(name, _)| name != "Authorization");
        assert_eq!(code(api.answer(&request, at(0)).answer().unwrap()), (401, "APIGW.0301".to_owned()));
        api.settings.forbidden.insert(Api::Streams);
        assert_eq!(code(&get(&mut api, &streams_target(""), at(0))), (403, "APIGW.0302".to_owned()));
    }

    #[test]
    fn requests_are_logged_and_limited() {
        let mut api = fake(Settings::default());
        api.settings.limits.streams = 2;
        api.world.add_domain(DOMAIN);
        let statuses: Vec<u16> = (0..3).map(|_| get(&mut api, &streams_target(""), at(0)).status).collect();
        assert_eq!(statuses, [200, 200, 429]);
        get(&mut api, "/other", at(5));
        let log = api.take_requests();
        let logged: Vec<_> = log.iter().map(|one| (one.api, one.status, one.received_at)).collect();
        let of_streams = |status| (Some(Api::Streams), Some(status), at(0));
        assert_eq!(logged, [of_streams(200), of_streams(200), of_streams(429), (None, Some(404), at(5))]);
        assert!(api.requests().is_empty());
    }

    fn replay(seed: u64, settings: &Settings) -> Vec<Reply> {
        let mut api = FakeApi::new(seed, crate::testing::account(), settings.clone());
        for number in 0..20 {
            api.world.add_push(Push::new(DOMAIN, "live", &format!("room{number}"), at(-600)));
        }
        (0..200).map(|second| api.answer(&signed("GET", &streams_target(""), b"", at(second)), at(second))).collect()
    }

    #[test]
    fn a_seed_replays_all_faults() {
        let settings = Settings {
            faults: 0.3,
            flapping: 0.2,
            order: crate::Order::Shuffled,
            error_shapes: ErrorShape::ALL.to_vec(),
            ..Settings::default()
        };
        let replies = replay(1, &settings);
        assert_eq!(replies, replay(1, &settings));
        assert_ne!(replies, replay(2, &settings));
        let faulty = replies.iter().filter(|reply| reply.status() != Some(200)).count();
        assert!((20..90).contains(&faulty), "{faulty}");
    }

    #[test]
    fn everything_fails_during_an_outage_and_nothing_after_it() {
        let kind = OutageKind::Failure(FaultKind::ALL.to_vec());
        let outage = Outage { from: at(50), until: at(100), kind };
        let mut api = fake(Settings { outage: Some(outage), ..Settings::default() });
        api.world.add_domain(DOMAIN);
        for second in 0..150 {
            api.answer(&signed("GET", &streams_target(""), b"", at(second)), at(second));
        }
        for logged in api.requests() {
            let is_out = (at(50)..at(100)).contains(&logged.received_at);
            assert_eq!(logged.fault.is_some(), is_out, "{logged:?}");
            assert!(is_out || logged.status == Some(200), "{logged:?}");
        }
        let busiest = crate::busiest_period(api.requests(), Api::Streams, TimeDelta::minutes(1));
        assert_eq!(busiest, 60);
    }
}
