//! How long after it was sent a start shows in the API: of some of them, asked for until they are there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::outcome::Outcome;
use super::supply::Prepared;
use crate::simulation::push_lifecycle::What;

/// The time between two that are watched.
const EVERY: Duration = Duration::from_millis(50);

/// The time between two questions.
const ASK: Duration = Duration::from_millis(2);

/// When a session is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Watches some sessions until they are there.
pub struct Watch {
    client: Client,
    url: Url,
    token: SecretString,
    outcome: Rc<Outcome>,
    last: Cell<Option<Instant>>,
    watching: RefCell<JoinSet<()>>,
}

impl Watch {
    pub fn new(url: Url, token: SecretString, outcome: Rc<Outcome>) -> Self {
        let (client, last, watching) = (Client::new(), Cell::new(None), RefCell::default());
        Self { client, url, token, outcome, last, watching }
    }

    /// Watches the session of a start that was answered 200, now and then.
    pub fn consider(self: &Rc<Self>, prepared: &Prepared, status: StatusCode, sent_at: Instant) {
        let recent = self.last.get().is_some_and(|last| last.elapsed() < EVERY);
        if recent || prepared.what != What::Start || status != StatusCode::OK {
            return;
        }
        self.last.set(Some(Instant::now()));
        self.watching.borrow_mut().spawn_local(Rc::clone(self).watch(prepared.session_id, sent_at));
    }

    async fn watch(self: Rc<Self>, session_id: Uuid, sent_at: Instant) {
        let Ok(url) = self.url.join(&format!("/v1/sessions/{session_id}")) else { return };
        while sent_at.elapsed() < PATIENCE {
            let answer = self.client.get(url.clone()).bearer_auth(self.token.expose_secret()).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                self.outcome.visible_times.note(sent_at.elapsed());
                return;
            }
            sleep(ASK).await;
        }
        self.outcome.visible_times.note(PATIENCE);
    }

    /// Waits until all that are watched are there.
    pub async fn finish(&self) {
        let watching = self.watching.take();
        watching.join_all().await;
    }
}
