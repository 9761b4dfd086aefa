//! A receiver that applies what it gets by `revision` knows what the API knows.

use std::collections::HashMap;

use chrono::DateTime;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use streamtally::model::event::OwnEvent;
use streamtally::platform::clock;
use streamtally::reconciler::rebuild::Purpose;
use test_support::messages::Push;
use tokio::sync::oneshot;

use super::receiver::{Behavior, Receiver};
use super::{SENDS, create};
use crate::folding::rebuild::differences;
use crate::helpers::{ADMIN_TOKEN, TestApp, until};
use crate::polling::append;

/// Without the role `sender`: the two others of a test have it.
const ROLES: [&str; 4] = [SENDS[0], SENDS[1], "--roles", "receiver,api,reconciler"];

/// What the receiver knows of each session: the newest that it was told.
fn model(receiver: &Receiver) -> HashMap<String, Value> {
    let mut newest: HashMap<String, (i64, Value)> = HashMap::new();
    for request in receiver.requests().iter().filter(|request| request.accepted) {
        let event = request.json();
        let revision = event["data"]["revision"].as_i64().unwrap();
        let mut session = event["data"]["session"].clone();
        let is_withdrawn = event["type"] == "session.withdrawn";
        // Of a live session, only the API has a duration: so far. The API has other words for renditions.
        for member in ["duration_seconds", "rendition_template"] {
            session.as_object_mut().unwrap().remove(member);
        }
        let id = session["session_id"].as_str().unwrap().to_owned();
        let session = if is_withdrawn { Value::Null } else { session };
        let known = newest.entry(id).or_insert((0, Value::Null));
        if known.0 <= revision {
            // The same event always has the same content.
            assert!(known.0 < revision || known.1 == session);
            *known = (revision, session);
        }
    }
    newest.into_iter().map(|(id, (_, session))| (id, session)).filter(|(_, session)| !session.is_null()).collect()
}

/// The same of the API.
async fn known(app: &TestApp, members: &Value) -> HashMap<String, Value> {
    let sessions = app.list("/v1/sessions?limit=500").await;
    let named = |session: Value| {
        let session = session.as_object().unwrap().clone();
        let id = session["session_id"].as_str().unwrap().to_owned();
        let kept = session.into_iter().filter(|(name, _)| members.get(name).is_some());
        (id, Value::Object(kept.collect()))
    };
    sessions.into_iter().map(named).collect()
}

struct History {
    app: TestApp,
    chance: StdRng,
    began: i64,
}

impl History {
    fn push(&mut self) -> Push {
        let stream = format!("room{}", self.chance.random_range(0..4));
        let publish_timestamp = self.began - 60 * self.chance.random_range(1..4);
        Push { publish_timestamp, ..Push::of(&stream, 0) }
    }

    async fn any_of(&mut self, path: &str) -> Option<Value> {
        self.app.list(path).await.choose(&mut self.chance).cloned()
    }

    async fn act(&mut self) {
        match self.chance.random_range(0..12) {
            0..6 => {
                let push = self.push();
                let late = push.message("PUBLISH", clock::now().timestamp() - 100_000);
                let message = [push.start(), push.end(), push.end(), late].choose(&mut self.chance).unwrap().clone();
                self.app.callback(&message, 200).await;
            }
            6..8 => self.operate().await,
            8 => self.confirm().await,
            9 => self.release().await,
            _ => self.read_history().await,
        }
    }

    /// The provider's history has a push, under its own start or one nearby; or it turns out to be that of another session.
    async fn read_history(&mut self) {
        let push = self.push();
        let publish_timestamp = push.publish_timestamp + self.chance.random_range(0..2);
        let event = if self.chance.random_bool(0.7) { OwnEvent::History } else { OwnEvent::Replaced };
        append(&self.app, &Push { publish_timestamp, ..push }, event).await;
    }

    async fn operate(&mut self) {
        let Some(session) = self.any_of("/v1/sessions").await else { return };
        let path = format!("/v1/sessions/{}/end", session["session_id"].as_str().unwrap());
        let ended_at = DateTime::from_timestamp(session["publish_timestamp"].as_i64().unwrap() + 30, 0).unwrap();
        let ended_at = self.chance.random::<bool>().then_some(ended_at);
        let request = json!({ "ended_at": ended_at, "reason": "seen" });
        try_post(&self.app, &path, &request).await;
    }

    async fn confirm(&mut self) {
        let Some(session) = self.any_of("/v1/sessions?status=live").await else { return };
        let path = format!("/v1/sessions/{}/confirm", session["session_id"].as_str().unwrap());
        try_post(&self.app, &path, &json!({ "reason": "seen" })).await;
    }

    async fn release(&mut self) {
        let Some(event) = self.any_of("/v1/events?disposition=quarantined&limit=500").await else { return };
        let path = format!("/v1/events/{}/release", event["event_id"].as_str().unwrap());
        try_post(&self.app, &path, &json!({})).await;
    }
}

/// Asks for what may be refused: the log may be further than what was shown.
async fn try_post(app: &TestApp, path: &str, body: &Value) {
    let request = app.client.post(format!("{}{path}", app.address)).bearer_auth(ADMIN_TOKEN).json(body);
    request.send().await.unwrap();
}

/// How the receiver behaves from now on; mostly well.
fn behavior(chance: &mut impl Rng) -> Behavior {
    match chance.random_range(0..8) {
        0 => Behavior::Status(500),
        1 => Behavior::Status(503),
        2 => Behavior::Reset,
        _ => Behavior::Status(204),
    }
}

/// With two senders, of which each stops and starts, and a receiver that fails now and then.
#[tokio::test]
async fn a_receiver_that_applies_events_by_revision_knows_what_the_api_knows() {
    let app = TestApp::start_with(&ROLES).await;
    let receiver = Receiver::start().await;
    let types =
        json!({ "event_types": ["session.started", "session.ended", "session.corrected", "session.withdrawn"] });
    let (id, _) = create(&app, &receiver, types.clone()).await;
    let mut history = History { app, chance: StdRng::seed_from_u64(7), began: clock::now().timestamp() };
    let mut senders: [Option<(String, oneshot::Sender<()>)>; 2] = [None, None];
    for _ in 0..150 {
        history.act().await;
        if history.chance.random_bool(0.1) {
            receiver.behave(behavior(&mut history.chance));
        }
        if history.chance.random_bool(0.1) {
            let sender = senders.choose_mut(&mut history.chance).unwrap();
            *sender = match sender.take() {
                Some(_) => None,
                None => Some(history.app.start_another(&SENDS_ONLY).await),
            };
        }
    }
    receiver.behave(Behavior::Status(204));
    let app = history.app;
    senders[0] = Some(app.start_another(&SENDS_ONLY).await);
    let path = format!("/v1/webhooks/{id}");
    let change = async || {
        let settings = json!({ "name": "of a test", "url": receiver.url, "event_types": types["event_types"] });
        app.put(&path, &settings, 200).await;
    };
    // The receiver is attempted at once. When each event has had its turn, those that have failed are due at once.
    change().await;
    until(async || app.get(&path, 200).await["oldest_unsent_at"].is_null()).await;
    change().await;
    until(async || app.list(&format!("{path}/deliveries?state=waiting")).await.is_empty()).await;
    let told = model(&receiver);
    let members = told.values().next().unwrap();
    assert_eq!(told, known(&app, members).await);
    assert!(model(&receiver).len() > 5);
    // Folding anew changes nothing, so it tells nothing.
    let told = receiver.requests().len();
    assert_eq!(differences(&app, Purpose::Replace).await, []);
    app.callback(&Push::of("last", 60).start(), 200).await;
    until(async || receiver.events().last().is_some_and(|(_, stream)| stream == "last")).await;
    assert_eq!(receiver.requests().len(), told + 1);
}

const SENDS_ONLY: [&str; 4] = [SENDS[0], SENDS[1], "--roles", "sender"];
