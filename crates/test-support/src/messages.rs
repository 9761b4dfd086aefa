//! Messages as the provider sends them.

use serde_json::{Value, json};
use streamtally::huawei::signature::{self, SignedFields, SigningKey};
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;

pub const DOMAIN: &str = "push.example.com";
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// One push of a stream, from which its messages are made.
#[derive(Clone)]
pub struct Push {
    pub domain: String,
    pub app: String,
    pub stream: String,
    pub publish_timestamp: i64,
    pub key: String,
    pub joiner: FieldSeparator,
    pub client_ip: String,
}

impl Push {
    /// A push of `stream` that began `seconds_ago`.
    pub fn of(stream: &str, seconds_ago: i64) -> Self {
        Self {
            domain: DOMAIN.to_owned(),
            app: "live".to_owned(),
            stream: stream.to_owned(),
            publish_timestamp: clock::now().timestamp() - seconds_ago,
            key: KEY.to_owned(),
            joiner: FieldSeparator::Nothing,
            client_ip: "203.0.113.7".to_owned(),
        }
    }

    pub fn start(&self) -> Value {
        self.message("PUBLISH", self.expiry())
    }

    pub fn end(&self) -> Value {
        self.message("PUBLISH_DONE", self.expiry())
    }

    /// Not now, and not that of another push: one signature counts for one push.
    fn expiry(&self) -> i64 {
        clock::now().timestamp() + 60 + self.publish_timestamp % 10_000
    }

    /// A signed message whose signature expires at `auth_timestamp`.
    pub fn message(&self, event: &str, auth_timestamp: i64) -> Value {
        let Self { domain, app, stream, .. } = self;
        let fields = SignedFields { event, domain, app, stream, auth_timestamp };
        let auth_sign = signature::sign(&SigningKey::new(&self.key), self.joiner, &fields);
        json!({
            "domain": domain,
            "app": app,
            "stream": stream,
            "user_args": "auth_info=very-secret&cdn=hw",
            "client_ip": self.client_ip,
            "node_ip": "198.51.100.2",
            "publish_timestamp": self.publish_timestamp.to_string(),
            "event": event,
            "auth_timestamp": auth_timestamp,
            "auth_sign": hex::encode(auth_sign),
        })
    }
}
