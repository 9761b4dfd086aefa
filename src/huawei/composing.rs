//! Composes callbacks as the provider does, for tests of a domain and for load tests.

use serde::Serialize;

use super::notification::Event;
use super::signature::{self, SignedFields, SigningKey};
use crate::model::access::FieldSeparator;

/// The content of a callback.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Message<'a> {
    pub domain: &'a str,
    pub app: &'a str,
    pub stream: &'a str,
    pub user_args: &'a str,
    pub client_ip: &'a str,
    pub node_ip: &'a str,
    /// Start of the push, in Unix seconds. Sent as a string, as the provider does.
    #[serde(serialize_with = "as_string")]
    pub publish_timestamp: i64,
    #[serde(serialize_with = "as_word")]
    pub event: &'a Event,
}

/// The key and parameters of a signature.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    pub key: &'a SigningKey,
    pub joiner: FieldSeparator,
    /// Expiry of the signature, in Unix seconds.
    pub auth_timestamp: i64,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    message: &'a Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_sign: Option<String>,
}

/// The body of a callback; unsigned if `signing` is `None`.
pub fn compose(message: &Message<'_>, signing: Option<Signing<'_>>) -> String {
    let auth_sign = signing.map(|signing| {
        let fields = SignedFields {
            event: message.event.word(),
            domain: message.domain,
            app: message.app,
            stream: message.stream,
            auth_timestamp: signing.auth_timestamp,
        };
        hex::encode(signature::sign(signing.key, signing.joiner, &fields))
    });
    let body = Body { message, auth_timestamp: signing.map(|signing| signing.auth_timestamp), auth_sign };
    serde_json::to_string(&body).unwrap_or_else(|_| unreachable!("texts and numbers can be written as JSON"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn as_string<S: serde::Serializer>(seconds: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(seconds)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn as_word<S: serde::Serializer>(event: &&Event, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(event.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::notification;

    #[test]
    fn what_is_composed_is_read_as_it_was_meant_and_its_signature_fits() {
        let key = SigningKey::new("k".repeat(32).as_str());
        let message = Message {
            domain: "push.example.com",
            app: "live",
            stream: "room \"1\" مرحبا",
            user_args: "a=b",
            client_ip: "203.0.113.7",
            node_ip: "198.51.100.3",
            publish_timestamp: 1_587_954_134,
            event: &Event::PublishDone,
        };
        let signing = Signing { key: &key, joiner: FieldSeparator::default(), auth_timestamp: 1_587_954_140 };
        let read = notification::parse(compose(&message, Some(signing)).as_bytes()).expect("a notification");
        assert_eq!((read.stream.as_str(), read.publish_timestamp), (message.stream, message.publish_timestamp));
        assert_eq!((read.event.word(), read.auth_timestamp), ("PUBLISH_DONE", Some(1_587_954_140)));
        let fields = SignedFields {
            event: "PUBLISH_DONE",
            domain: &read.domain,
            app: &read.app,
            stream: &read.stream,
            auth_timestamp: 1_587_954_140,
        };
        let sign = signature::from_hex(read.auth_sign.as_deref().expect("signed")).expect("hexadecimal");
        assert!(signature::verify(&key, FieldSeparator::default(), &fields, &sign));
        let unsigned = notification::parse(compose(&message, None).as_bytes()).expect("a notification");
        assert_eq!((unsigned.auth_timestamp, unsigned.auth_sign), (None, None));
    }
}
