//! The simulated provider: signs as the real one does, and sends over HTTP.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

use super::demo_streams::{UNKNOWN, WRONG_KEY};
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::SigningKey;
use crate::model::access::FieldSeparator;
use crate::platform::clock;
use crate::simulation::push_lifecycle::What;

/// Validity of a signature in seconds.
const VALID_SECONDS: i64 = 60;

/// One in this many callbacks is preceded by a copy that is rejected.
const REJECTED: usize = 25;

/// A callback of the demo. Times are Unix milliseconds.
#[derive(Debug, Clone)]
pub struct DemoCallback {
    pub sent_at: i64,
    pub signed_at: i64,
    pub domain: &'static str,
    pub app: &'static str,
    pub stream: String,
    pub what: What,
    /// Unix second at which the push started.
    pub publish_timestamp: i64,
    /// The last part of the encoder's address.
    pub client: u8,
}

/// Sends the callbacks of the demo's streams.
pub struct Provider {
    keys: HashMap<&'static str, SigningKey>,
    wrong_key: SigningKey,
}

impl Provider {
    /// A provider that has these keys, and signs for other domains with a wrong one.
    pub fn new(keys: HashMap<&'static str, SigningKey>) -> Self {
        Self { keys, wrong_key: SigningKey::new("this is not the key of the demo's domain") }
    }

    /// The body of a callback.
    pub fn body(&self, callback: &DemoCallback) -> String {
        let message = Message {
            domain: callback.domain,
            app: callback.app,
            stream: &callback.stream,
            user_args: "",
            // Addresses reserved for documentation.
            client_ip: &format!("203.0.113.{}", callback.client),
            node_ip: "198.51.100.1",
            publish_timestamp: callback.publish_timestamp,
            event: match callback.what {
                What::Start => &Event::Publish,
                What::End => &Event::PublishDone,
            },
        };
        let key = self.keys.get(callback.domain).unwrap_or(&self.wrong_key);
        let auth_timestamp = callback.signed_at.div_euclid(1_000) + VALID_SECONDS;
        compose(&message, Some(Signing { key, joiner: FieldSeparator::default(), auth_timestamp }))
    }

    /// Sends each callback when it is due. Some are preceded by one that is rejected.
    pub async fn send_when_due(&self, callbacks: impl Iterator<Item = DemoCallback>, address: SocketAddr) {
        let client = Client::new();
        let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        let url = format!("http://{}/callbacks/huawei", SocketAddr::new(ip, address.port()));
        let mut rejected = [WRONG_KEY, WRONG_KEY, UNKNOWN].into_iter().cycle();
        for (number, callback) in callbacks.enumerate() {
            let due = callback.sent_at - clock::now().timestamp_millis();
            sleep(Duration::from_millis(u64::try_from(due).unwrap_or_default())).await;
            let mut bodies = vec![self.body(&callback)];
            if number % REJECTED == 0
                && let Some(domain) = rejected.next()
            {
                bodies.insert(0, self.body(&DemoCallback { domain, app: "live", ..callback }));
            }
            for body in bodies {
                if let Err(error) = client.post(&url).body(body).send().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a callback of the demo was not accepted");
                }
            }
        }
    }
}
