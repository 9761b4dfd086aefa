//! The simulated provider: signs as the real one does, and sends over HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

use super::{DOMAIN, demo_streams};
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::SigningKey;
use crate::model::access::FieldSeparator;
use crate::platform::clock;
use crate::simulation::push_lifecycle::{Telling, What};

/// Validity of a signature in seconds.
const VALID_SECONDS: i64 = 60;

/// One in this many callbacks is preceded by a copy with a wrong key.
const WRONG_KEY: usize = 25;

/// Sends the callbacks of the demo's streams.
pub struct Provider {
    key: Arc<SigningKey>,
}

impl Provider {
    pub fn new(key: Arc<SigningKey>) -> Self {
        Self { key }
    }

    /// The body of a callback, signed at the time of its event.
    pub fn body(&self, telling: &Telling) -> String {
        signed(telling, &self.key)
    }

    /// Sends each callback when it is due.
    pub async fn send_for_ever(&self, life: impl Iterator<Item = Telling>, address: SocketAddr) {
        let client = Client::new();
        let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        let url = format!("http://{}/callbacks/huawei", SocketAddr::new(ip, address.port()));
        let wrong_key = SigningKey::new("this is not the key of the demo's domain");
        for (number, telling) in life.enumerate() {
            let due = telling.sent_at - clock::now().timestamp_millis();
            sleep(Duration::from_millis(u64::try_from(due).unwrap_or_default())).await;
            let mut bodies = vec![self.body(&telling)];
            if number % WRONG_KEY == 0 {
                bodies.insert(0, signed(&telling, &wrong_key));
            }
            for body in bodies {
                if let Err(error) = client.post(&url).body(body).send().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a callback of the demo was not \
                                                                              accepted"
                    );
                }
            }
        }
    }
}

fn signed(telling: &Telling, key: &SigningKey) -> String {
    let (app, stream) = demo_streams::name_of(telling.stream);
    let message = Message {
        domain: DOMAIN,
        app,
        stream,
        user_args: "",
        // Addresses reserved for documentation.
        client_ip: &format!("203.0.113.{}", telling.stream % 250 + 1),
        node_ip: "198.51.100.1",
        publish_timestamp: telling.publish_timestamp,
        event: match telling.what {
            What::Start => &Event::Publish,
            What::End => &Event::PublishDone,
        },
    };
    let auth_timestamp = telling.happened_at.div_euclid(1_000) + VALID_SECONDS;
    compose(&message, Some(Signing { key, joiner: FieldSeparator::default(), auth_timestamp }))
}
