//! The callbacks, in the order of sending; signed in advance, so that sending is cheap.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use uuid::Uuid;

use super::SimulateCommand;
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::SigningKey;
use crate::model::access::FieldSeparator;
use crate::platform::clock;
use crate::session::{SessionKey, StreamKey};
use crate::simulation::duration_profile::USUAL;
use crate::simulation::push_lifecycle::{Life, StreamGroup, Telling, What};

/// How far in the past pushes start: older starts are quarantined after a day.
const PAST_MILLIS: i64 = 20 * 3_600_000;

/// Time from the event to the expiry of its signature: the expiry is one hour to one day from now, and differs between the pushes
/// of a stream.
const AHEAD_SECONDS: i64 = 21 * 3_600;

/// Default number of callbacks to sign in advance.
const DEFAULT_AHEAD: u64 = 300_000;

/// A callback that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub session_id: Uuid,
    pub what: What,
    pub body: Bytes,
}

/// Generates callbacks without end.
pub struct Supply {
    domain: String,
    app: String,
    key: SigningKey,
    joiner: FieldSeparator,
    streams: u32,
    /// Each push has a stream of its own.
    new_streams: bool,
    seed: u64,
    prefix: String,
    begin: i64,
    life: Life,
    /// How often the whole period was used.
    round: u64,
    ready: VecDeque<Prepared>,
}

impl Supply {
    pub fn new(command: &SimulateCommand, key: SigningKey, joiner: FieldSeparator) -> Self {
        let begin = clock::now().timestamp_millis() - PAST_MILLIS;
        let streams = command.streams;
        let seed = command.seed;
        let run = command.run.clone().unwrap_or_else(|| hex::encode(rand::random::<[u8; 4]>()));
        Self {
            domain: command.sender.domain.clone(),
            app: command.sender.app.clone(),
            key,
            joiner,
            streams,
            new_streams: command.new_streams,
            seed,
            prefix: format!("sim-{run}-"),
            begin,
            life: Life::new(seed, &[StreamGroup { streams, habits: USUAL, from: begin }]),
            round: 0,
            ready: VecDeque::new(),
        }
    }

    /// The prefix of all stream names.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn sign_ahead(&mut self, most: Option<u64>) {
        for _ in 0..most.map_or(DEFAULT_AHEAD, |most| most.min(2 * DEFAULT_AHEAD)) {
            let prepared = self.prepare();
            self.ready.push_back(prepared);
        }
    }

    pub fn take(&mut self) -> Prepared {
        self.ready.pop_front().unwrap_or_else(|| self.prepare())
    }

    fn prepare(&mut self) -> Prepared {
        let telling = self.next_telling();
        let mut stream = format!("{}{}-{}", self.prefix, self.round, telling.stream);
        if self.new_streams {
            let _ = write!(stream, "-{}", telling.publish_timestamp);
        }
        let event = match telling.what {
            What::Start => Event::Publish,
            What::End => Event::PublishDone,
        };
        let message = Message {
            domain: &self.domain,
            app: &self.app,
            stream: &stream,
            user_args: "",
            client_ip: "203.0.113.1",
            node_ip: "198.51.100.1",
            publish_timestamp: telling.publish_timestamp,
            event: &event,
        };
        let auth_timestamp = telling.happened_at.div_euclid(1_000) + AHEAD_SECONDS;
        let body = compose(&message, Some(Signing { key: &self.key, joiner: self.joiner, auth_timestamp }));
        let key = StreamKey { domain: self.domain.clone(), app: self.app.clone(), stream };
        let session_id = SessionKey { stream: key, publish_timestamp: telling.publish_timestamp }.id().0;
        Prepared { session_id, what: telling.what, body: body.into() }
    }

    /// The next callback; at the end of the period, starts again with other streams.
    fn next_telling(&mut self) -> Telling {
        loop {
            match self.life.next() {
                Some(telling) if telling.sent_at < self.begin + PAST_MILLIS => return telling,
                _ => {
                    self.round += 1;
                    let group = StreamGroup { streams: self.streams, habits: USUAL, from: self.begin };
                    self.life = Life::new(self.seed + self.round, &[group]);
                }
            }
        }
    }
}
