//! What to tell a person about a message that did not count: why, and what to do.
//!
//! The one place for these sentences; the command line, the API and the dashboard show them alike. They hold nothing
//! of the message.

use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

/// What the body's being no notification means.
pub const NOT_A_NOTIFICATION: &str = "The body cannot be read as a notification, so that no key and no setting will make it one; it is answered 400. \
     Check that it was captured whole and unchanged, and that it came from the provider.";

/// What a body that is too long means.
pub const TOO_LONG: &str = "The body has more than 64 KiB, which no notification needs; it is answered 413. Check that it is one body, without \
     anything else that was captured.";

/// What a rejection means and what to do about it.
#[expect(clippy::too_many_lines, reason = "one text a reason")]
pub fn of_rejection(cause: RejectionReason) -> &'static str {
    match cause {
        RejectionReason::NotANotification => NOT_A_NOTIFICATION,
        RejectionReason::Milliseconds => {
            "publish_timestamp is in milliseconds, where the provider sends seconds; it is answered 400. Something between \
             the provider and this service rewrites callbacks, or it is not from the provider."
        }
        RejectionReason::OtherCallback => {
            "The body is a recording or snapshot callback (it has publish_domain or event_type); it is answered 400. The \
             recording callback at the provider points to this address by mistake: point it to what handles recordings, and \
             leave this address to stream status notifications."
        }
        RejectionReason::WrongPath => {
            "No callback address has this path; it is answered 404. Compare the callback URL that is set at the provider \
             with the one of the domain: its path is /callbacks/huawei, or that and the domain's secret part, and nothing \
             after it."
        }
        RejectionReason::WrongMethod => {
            "Callbacks are sent by POST; every other method is answered 405. A console's test button, a browser or a \
             health check sends GET or HEAD, which only shows that the address can be reached. The provider itself posts: \
             send a test callback, or push, to see one arrive."
        }
        RejectionReason::TooLarge => {
            "The body has more than 64 KiB, which no stream status notification needs; it is answered 413. Something else \
             is set to send to this address: find out what it is, and give it an address of its own."
        }
        RejectionReason::TooSlow => {
            "The body did not arrive within 10 seconds; it is answered 408. Check the network between the provider and \
             this service, and the proxy if there is one. If the provider sent it, the message is lost unless it is sent \
             again."
        }
        RejectionReason::UnsupportedEncoding => {
            "The body's Content-Encoding is not one that the service decodes; it is answered 415. Set the relay or CDN \
             that compresses it to gzip or deflate, or to leave bodies as they are."
        }
        RejectionReason::UnknownDomain => {
            "No domain of exactly this name is registered; upper and lower case, dots and blanks count. Register it as \
             the provider sends it, or correct the notification URL that is set for it at the provider."
        }
        RejectionReason::AppNotAllowed => {
            "The domain lists the applications that may send, and this one is not listed. Add it to the list if it is \
             yours."
        }
        RejectionReason::SecretPathMissing => {
            "The domain's messages are not signed, so that only its secret path shows them to be genuine. Set the URL \
             with the secret path at the provider, or register a key and require signatures."
        }
        RejectionReason::SecretPathWrong => {
            "It came through a secret path that is not, or no longer, this domain's. Make a new secret path, and set \
             the whole URL at the provider."
        }
        RejectionReason::NoKey => {
            "The domain requires signatures and has no key that can be used. Add the key that is set at the provider."
        }
        RejectionReason::SignatureMissing => {
            "auth_sign or auth_timestamp is not there, and the domain requires them. Set a key for the domain at the \
             provider; without one it does not sign."
        }
        RejectionReason::SignatureMalformed => {
            "auth_sign is not 64 hexadecimal digits, which an HMAC-SHA256 has. Capture the message again if it was cut \
             or masked; if the provider really sends it so, report it."
        }
        RejectionReason::ExpiryMalformed => {
            "auth_timestamp does not have exactly ten digits; with 13 it is in milliseconds, where seconds are documented. The \
             signature joins it to the stream's name without a separator, so that another number of digits may mean that \
             digits of a captured message were moved between the two: treat it as forged, unless the provider itself \
             sends it so."
        }
        RejectionReason::ExpiryTooFar => {
            "The signature is genuine, but expires further in the future than the service allows. Check the clock of \
             this machine; if the provider signs for that long, raise --signature-max-future."
        }
        RejectionReason::SignatureMismatch => {
            "No key of the domain makes this signature. Most often another key is set at the provider: add it here. If the \
             key fits in another way of signing, the domain's joiner or the key as it is registered is wrong; if it fits \
             in none, the message was changed on its way, or is forged."
        }
    }
}

/// What a quarantine means and what to do about it.
pub fn of_reason(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::Expired => {
            "The message is genuine, but its signature expired longer ago than the service allows: it is late, or was \
             sent again by someone who captured it. Check the clock of this machine; if the provider is often so late, \
             raise --signature-grace."
        }
        QuarantineReason::StartOutsideWindow => {
            "The message is genuine, but the push that it announces started too long before or after the signature's \
             expiry. The start is not signed, so that a changed one would make up a session. If the provider itself \
             sends it so, raise --start-window-before or --start-window-after. Of an unsigned domain: it started before \
             2015, or later than the message came by more than --start-window-after; see who else knows the secret path."
        }
        QuarantineReason::EndPredatesSession => {
            "The message is genuine, but the push that it ends began after the signature had expired. The start is not \
             signed: this is most likely the end of an earlier push, aimed at a later one."
        }
        QuarantineReason::SignatureOfAnotherStream => {
            "The message is genuine by its signature, but the same signature came before with another application and \
             stream: the names are signed joined, and somebody may have split them in another way. List the domain's \
             applications, which rules that out; release the message if this one is the true one."
        }
        QuarantineReason::SignatureOfAnotherPush => {
            "The callback's signature is valid, but it came before with another push of the stream. publish_timestamp is \
             not signed, so a captured callback can be aimed at another push. Two pushes that start or end in the same \
             second share a signature and are accepted; this one came too late, was the third, or does not fit. Release \
             it if it is genuine."
        }
        QuarantineReason::EndOfUnknownPush => {
            "The callback's signature is valid, but the start of the push that it ends was never received and lies \
             further back than --missing-start-limit allows. Check publish_timestamp: a wrong one would bill years. \
             Release the callback if the push really began then."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_is_its_own_and_in_one_piece() {
        let mut sentences = vec![TOO_LONG];
        sentences.extend(RejectionReason::ALL.iter().copied().map(of_rejection));
        sentences.extend(QuarantineReason::ALL.iter().copied().map(of_reason));
        for sentence in &sentences {
            assert!(sentence.ends_with('.') && !sentence.contains("  ") && !sentence.contains('\n'), "{sentence}");
        }
        let all = sentences.len();
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), all);
    }
}
