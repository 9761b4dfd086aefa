//! The command that repairs what a diagnosis has found.

use super::basis::Basis;
use crate::huawei::notification::Notification;
use crate::model::access::FieldSeparator;
use crate::model::rejection::RejectionReason;

/// For a callback that was rejected; `None` if no command helps.
pub(super) fn after_rejection(cause: RejectionReason, message: &Notification, basis: &Basis) -> Option<String> {
    if !basis.is_registered_data {
        return None;
    }
    let domain = name(&message.domain);
    let command = match cause {
        RejectionReason::UnknownDomain => format!("domain add {domain} --key-stdin <key.txt"),
        RejectionReason::NoKey | RejectionReason::SignatureMismatch => {
            format!("domain key add {domain} --key-stdin <key.txt")
        }
        RejectionReason::AppNotAllowed => {
            // The list replaces the one before.
            let apps = basis.policy.iter().flat_map(|policy| policy.apps.iter().flatten()).chain([&message.app]);
            let apps: Vec<_> = apps.map(|app| format!("--app {}", name(app))).collect();
            format!("domain set {domain} {}", apps.join(" "))
        }
        RejectionReason::SecretPathMissing => format!("domain set {domain} --reset=signature"),
        RejectionReason::SecretPathWrong => format!("domain callback-token {domain}"),
        RejectionReason::SignatureMissing
        | RejectionReason::SignatureMalformed
        | RejectionReason::ExpiryMalformed
        | RejectionReason::ExpiryTooFar
        | RejectionReason::NotANotification
        | RejectionReason::Milliseconds
        | RejectionReason::OtherCallback
        | RejectionReason::WrongPath
        | RejectionReason::WrongMethod
        | RejectionReason::TooLarge
        | RejectionReason::TooSlow
        | RejectionReason::UnsupportedEncoding => return None,
    };
    Some(format!("streamtally {command}"))
}

/// For a callback whose key fits with another separator.
pub(super) fn to_set_separator(separator: FieldSeparator, message: &Notification, basis: &Basis) -> Option<String> {
    let command = || format!("streamtally domain set {} --joiner '{separator}'", name(&message.domain));
    basis.is_registered_data.then(command)
}

/// A name that a shell takes as it is; a name with other characters comes from the callback, and is not repeated.
fn name(name: &str) -> &str {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if !name.starts_with('-') && name.chars().all(is_plain) { name } else { "NAME" }
}
