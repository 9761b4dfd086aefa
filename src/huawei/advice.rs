//! Advice for operators about a callback that did not count: why, and what to do.
//!
//! The one place for these sentences; the command line, the API and the dashboard show the same. They contain nothing of the
//! callback.

use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

pub const NOT_A_NOTIFICATION: &str = "The body is not a callback that can be parsed; it is answered 400. No key or setting changes that. Check that it was \
     captured completely and unchanged, and that it came from the provider.";

pub const TOO_LONG: &str = "The body is longer than 64 KiB, which no callback is; it is answered 413. Check that the capture holds one body and \
     nothing else.";

#[expect(clippy::too_many_lines, reason = "one text a reason")]
pub fn of_rejection(cause: RejectionReason) -> &'static str {
    match cause {
        RejectionReason::NotANotification => NOT_A_NOTIFICATION,
        RejectionReason::Milliseconds => {
            "publish_timestamp is in milliseconds, but the provider sends seconds; it is answered 400. Something between the \
             provider and this service rewrites callbacks, or this one is not from the provider."
        }
        RejectionReason::OtherCallback => {
            "The body is a recording or snapshot callback (it has publish_domain or event_type); it is answered 400. The \
             recording callback at the provider is set to this URL by mistake: set it to the service that handles \
             recordings, and use this URL only for callbacks about the start and the end of pushes."
        }
        RejectionReason::WrongPath => {
            "No callback URL has this path; it is answered 404. Compare the callback URL at the provider with the domain's: \
             its path is /callbacks/huawei or, for an unsigned domain, its secret path, and nothing else."
        }
        RejectionReason::WrongMethod => {
            "Callbacks are POST requests; every other method is answered 405. The test button of a console, a browser or a \
             health check sends GET or HEAD, which only shows that the URL is reachable. To see a callback arrive, send a \
             test callback or start a push."
        }
        RejectionReason::TooLarge => {
            "The body is longer than 64 KiB, which no callback is; it is answered 413. Something else sends to this URL: find \
             out what, and give it a URL of its own."
        }
        RejectionReason::TooSlow => {
            "The body did not arrive within 10 seconds; it is answered 408. Check the network between the provider and \
             this service, and the proxy if there is one. If the provider sent it, the callback is lost unless the provider \
             retries."
        }
        RejectionReason::UnsupportedEncoding => {
            "The body's Content-Encoding is not supported; it is answered 415. At the relay or CDN that compresses it, \
             choose gzip or deflate, or turn compression off."
        }
        RejectionReason::UnknownDomain => {
            "No domain with exactly this name is registered; case, dots and spaces count. Register it as the provider sends \
             it, or correct the callback URL at the provider."
        }
        RejectionReason::AppNotAllowed => {
            "The domain accepts callbacks only of the listed apps, and this app is not listed. Add it to the list if it is \
             yours."
        }
        RejectionReason::SecretPathMissing => {
            "The domain's callbacks are not signed, so only its secret path authenticates them. Set the URL with the secret \
             path at the provider, or add a key and require signatures."
        }
        RejectionReason::SecretPathWrong => {
            "The secret path is not, or no longer, this domain's. Create a new secret path, and set the complete URL at the \
             provider."
        }
        RejectionReason::NoKey => {
            "The domain requires signatures but has no usable key. Add the key that is set at the provider."
        }
        RejectionReason::SignatureMissing => {
            "auth_sign or auth_timestamp is missing, and the domain requires them. Set a key for the domain at the provider; \
             without one it does not sign."
        }
        RejectionReason::SignatureMalformed => {
            "auth_sign is not 64 hexadecimal digits, which an HMAC-SHA256 has. Capture the callback again if it was \
             truncated or masked; if the provider really sends it like this, report it."
        }
        RejectionReason::ExpiryMalformed => {
            "auth_timestamp does not have exactly ten digits; 13 digits are milliseconds, but seconds are documented. \
             In the signed text, auth_timestamp follows the stream's name without a separator. If it has neither ten \
             nor 13 digits, somebody may have moved digits between the two in a captured callback, which leaves its \
             signature valid: treat it as forged, unless the provider itself sends it."
        }
        RejectionReason::ExpiryTooFar => {
            "The signature is valid, but expires further in the future than the service allows. Check the clock of this \
             machine; if the provider signs for that long, raise --signature-max-future."
        }
        RejectionReason::SignatureMismatch => {
            "No key of the domain produces this signature. Most often another key is set at the provider: add it here. If the \
             key matches with another separator, correct the domain's separator (joiner); if it matches in no way, the \
             callback was changed in transit or is forged."
        }
    }
}

pub fn of_reason(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::Expired => {
            "The callback's signature is valid, but expired longer ago than the service allows: the callback is late, or was \
             replayed by somebody who captured it. Check the clock of this machine; if the provider is often this late, \
             raise --signature-grace."
        }
        QuarantineReason::StartOutsideWindow => {
            "The callback is authenticated, but its push started too long before or after the signature's expiry. The \
             signature does not cover the start time: somebody who changes it in a captured callback could create a \
             session that never was. If the provider itself sent the callback, raise --start-window-before or \
             --start-window-after. For an unsigned domain, this reason means that the push's start is before 2015, or \
             later than the callback's arrival by more than --start-window-after: find out who else knows the secret \
             path."
        }
        QuarantineReason::EndPredatesSession => {
            "The callback is authenticated, but the push that it ends started after the signature had expired. The \
             signature does not cover the start time: this is most likely the end of an earlier push, aimed at a later \
             one. For an unsigned domain, this reason means that the push's start is later than the callback's arrival \
             by more than --start-window-after."
        }
        QuarantineReason::SignatureOfAnotherStream => {
            "The callback's signature is valid, but this signature arrived before with another app and stream: the \
             names are signed without a separator, and somebody may have split them differently. To rule this out, set \
             the list of the domain's accepted apps; release the callback if it is the genuine one."
        }
        QuarantineReason::SignatureOfAnotherPush => {
            "The callback's signature is valid, but this signature arrived before with another push of the stream. \
             publish_timestamp is not signed, so a captured callback can be aimed at another push. Two pushes that \
             start or end in the same second share a signature and are accepted. This callback came too long after the \
             other push's, belongs to a third push, or is not plausible. Not plausible are: a start more than 2 seconds \
             from that of the other push; an end whose push has no received start, has a start that itself shares a \
             signature, or has ended already; and an undocumented event. Release the callback if it is genuine."
        }
        QuarantineReason::EndOfUnknownPush => {
            "The callback's signature is valid, but the start of the push that it ends was never received and lies \
             further back than --missing-start-limit allows. Check publish_timestamp: with a wrong one, years would \
             be billed. Release the callback if the push really began then."
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
