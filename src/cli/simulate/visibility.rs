//! Measures the time from sending a start to its visibility in the API, for some sessions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::outcome::LoadReport;
use super::supply::Prepared;
use crate::cli::client::Client;
use crate::simulation::push_lifecycle::What;

/// Minimum time between two watched sessions.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

const POLL_INTERVAL: Duration = Duration::from_millis(2);

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Polls some sessions until they are visible.
pub struct Watch {
    client: Rc<Client>,
    outcome: Rc<LoadReport>,
    last: Cell<Option<Instant>>,
    watching: RefCell<JoinSet<()>>,
}

impl Watch {
    pub fn new(client: Rc<Client>, outcome: Rc<LoadReport>) -> Self {
        let last = Cell::new(None);
        let watching = RefCell::default();
        Self { client, outcome, last, watching }
    }

    /// Watches a sample of the sessions whose start was answered 200.
    pub fn consider(self: &Rc<Self>, prepared: &Prepared, status: StatusCode, sent_at: Instant) {
        let recent = self.last.get().is_some_and(|last| last.elapsed() < SAMPLE_INTERVAL);
        if recent || prepared.what != What::Start || status != StatusCode::OK {
            return;
        }
        self.last.set(Some(Instant::now()));
        self.watching.borrow_mut().spawn_local(Rc::clone(self).watch(prepared.session_id, sent_at));
    }

    async fn watch(self: Rc<Self>, session_id: Uuid, sent_at: Instant) {
        let path = format!("/v1/sessions/{session_id}");
        while sent_at.elapsed() < VISIBILITY_TIMEOUT {
            if matches!(self.client.find(&path).await, Ok(Some(_))) {
                self.outcome.visible_times.note(sent_at.elapsed());
                return;
            }
            sleep(POLL_INTERVAL).await;
        }
        self.outcome.visible_times.note(VISIBILITY_TIMEOUT);
    }

    /// Waits for all watched sessions.
    pub async fn finish(&self) {
        let watching = self.watching.take();
        watching.join_all().await;
    }
}
