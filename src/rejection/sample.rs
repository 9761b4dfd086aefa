//! A rejected callback, as support sees it: enough to find the problem, and no credentials.

use std::fmt::Display;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event_log::receive::ReceivedCallback;
use crate::huawei::masking::Masker;
use crate::huawei::signature;
use crate::model::rejection::SampleSignature;

/// The first of a group of rejected callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub received_at: DateTime<Utc>,
    /// The problem, if the body is not readable as a callback. Never quotes the body.
    pub problem: Option<String>,
    pub event: Option<String>,
    pub app: Option<String>,
    pub stream: Option<String>,
    /// Start of the push, in Unix seconds.
    pub publish_timestamp: Option<i64>,
    /// Expiry of the signature, in Unix seconds.
    pub auth_timestamp: Option<i64>,
    pub signature: Option<SampleSignature>,
    /// Whether the request used a secret path, valid or not.
    pub secret_path: Option<bool>,
    pub source_ip: Option<String>,
    pub client_ip: Option<String>,
    pub node_ip: Option<String>,
    /// Query string of the push URL, with credentials masked.
    pub user_args: Option<String>,
}

impl Sample {
    /// From a callback that was rejected by admission.
    pub(super) fn of(arrival: &ReceivedCallback, used_secret_path: bool, masker: &Masker) -> Self {
        let message = &arrival.message;
        let signature = match message.auth_sign.as_deref() {
            None => SampleSignature::Missing,
            Some(text) if signature::from_hex(text).is_none() => SampleSignature::Malformed,
            Some(_) => SampleSignature::WellFormed,
        };
        Self {
            received_at: arrival.received_at,
            problem: None,
            event: Some(message.event.word().to_owned()),
            app: Some(message.app.clone()),
            stream: Some(message.stream.clone()),
            publish_timestamp: Some(message.publish_timestamp),
            auth_timestamp: message.auth_timestamp,
            signature: Some(signature),
            secret_path: Some(used_secret_path),
            source_ip: arrival.source_ip.map(|address| address.to_string()),
            client_ip: message.client_ip.clone(),
            node_ip: message.node_ip.clone(),
            user_args: message.user_args.as_ref().map(|user_args| masker.mask(user_args).text),
        }
    }

    /// From a request that is not readable as a callback.
    pub(super) fn of_unread(problem: &impl Display, received_at: DateTime<Utc>, source_ip: Option<IpAddr>) -> Self {
        Self {
            received_at,
            problem: Some(problem.to_string()),
            event: None,
            app: None,
            stream: None,
            publish_timestamp: None,
            auth_timestamp: None,
            signature: None,
            secret_path: None,
            source_ip: source_ip.map(|address| address.to_string()),
            client_ip: None,
            node_ip: None,
            user_args: None,
        }
    }
}
