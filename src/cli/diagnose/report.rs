//! The report: labeled lines for people, or JSON. Content of the callback is escaped; the report contains no secrets.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::basis::{Basis, NamedKey};
use super::next_command;
use crate::huawei::admission::{DomainPolicy, Verdict};
use crate::huawei::advice;
use crate::huawei::diagnosis::capture::{self, Notice, SignatureForm};
use crate::huawei::diagnosis::signing::{self, Fit, Remedy};
use crate::huawei::notification::{Event, Notification};
use crate::huawei::signature;
use crate::model::access::SignatureRule;
use crate::model::rejection::RejectionReason;

const LABEL_WIDTH: usize = 13;

/// Width of sentences, without the label.
const TEXT_WIDTH: usize = 66;

/// The verdict and the findings, in order.
#[derive(Default)]
pub(super) struct Report {
    outcome: &'static str,
    cause: Option<String>,
    findings: Vec<Finding>,
}

struct Finding {
    label: &'static str,
    words: String,
    /// Sentences are wrapped. Advice has no label and continues below the finding before it.
    is_sentence: bool,
}

const ADVICE: &str = "advice";

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for Finding { label, words, is_sentence } in &self.findings {
            let mut label = if *label == ADVICE { "" } else { label };
            for words in if *is_sentence { wrapped(words) } else { vec![words.clone()] } {
                lines.push(format!("{label:LABEL_WIDTH$}{words}").trim_end().to_owned());
                label = "";
            }
        }
        formatter.write_str(&lines.join("\n"))
    }
}

impl Report {
    pub(super) fn to_json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| json!({ "name": finding.label, "words": finding.words }));
        json!({ "outcome": self.outcome, "cause": self.cause, "findings": findings.collect::<Vec<_>>() })
    }

    pub(super) fn add_notice(&mut self, notice: &Notice) {
        self.add_sentence("notice", &notice.to_string());
    }

    /// A rejection before admission.
    pub(super) fn add_rejection(&mut self, cause: &str, advice: &str) {
        (self.outcome, self.cause) = ("rejected", Some(cause.to_owned()));
        self.add_sentence("verdict", &format!("rejected: {cause}"));
        self.add_sentence(ADVICE, advice);
    }

    pub(super) fn add_message(&mut self, message: &Notification) {
        self.add_line(
            "event",
            &match &message.event {
                Event::Publish => "PUBLISH: a push starts".to_owned(),
                Event::PublishDone => "PUBLISH_DONE: a push ends".to_owned(),
                Event::Other(word) => format!("{word:?}: undocumented, has no effect on sessions"),
            },
        );
        self.add_line("domain", &format!("{:?}", message.domain));
        self.add_line("app", &format!("{:?}", message.app));
        self.add_line("stream", &format!("{:?}", message.stream));
        if let Some(started_at) = DateTime::from_timestamp(message.publish_timestamp, 0) {
            self.add_line("started at", &words_of_time(started_at));
        }
        if !message.altered.is_empty() {
            let members: Vec<_> = message.altered.iter().map(|member| member.as_str()).collect();
            self.add_line("altered", &format!("{}: stored as far as readable", members.join(", ")));
        }
        for notice in capture::notices_of_message(message) {
            self.add_notice(&notice);
        }
    }

    pub(super) fn add_basis(&mut self, message: &Notification, basis: &Basis) {
        if basis.is_registered_data {
            let meant =
                basis.meant_domain.as_ref().map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            let unknown = format!("no domain with exactly this name{meant}");
            self.add_sentence("registered", &basis.policy.as_ref().map_or(unknown, words_of_policy));
        }
        for name in &basis.similar_domains {
            self.add_line("similar", &format!("{name:?} is registered; {:?} is a different name", message.domain));
        }
        for notice in &basis.notices {
            self.add_sentence("notice", notice);
        }
    }

    /// Returns whether a key fits.
    pub(super) fn add_signature(&mut self, message: &Notification, basis: &Basis) -> bool {
        let Some(auth_sign) = &message.auth_sign else {
            self.add_line("signature", "none");
            return false;
        };
        self.add_line("signature", &SignatureForm::of(auth_sign).to_string());
        if signature::from_hex(auth_sign).is_none() {
            self.add_line("fits", "no key: not the 64 hexadecimal digits of an HMAC-SHA256");
            return false;
        }
        let mut fits_any = false;
        for named in &basis.keys {
            for fit in signing::fits_of(message, named.key.expose_secret()) {
                fits_any = true;
                self.add_fit(named, fit, message, basis);
            }
        }
        if basis.keys.is_empty() {
            self.add_line("fits", "no key to try");
        } else if !fits_any {
            self.add_line("fits", "none of the keys, in any way of signing that was tried");
        }
        fits_any
    }

    fn add_fit(&mut self, named: &NamedKey, fit: Fit, message: &Notification, basis: &Basis) {
        self.add_line("fits", &format!("{}, {}", named.name, fit.key));
        self.add_line("separator", &words_of_joiner(fit.joiner));
        self.add_line("fields", &fit.fields.to_string());
        let expected = basis.policy.as_ref().map(|policy| policy.joiner);
        let Some(remedy) = expected.and_then(|joiner| fit.remedy(joiner)) else { return };
        self.add_sentence("to do", &remedy.to_string());
        let command = match remedy {
            Remedy::SetSeparator(separator) => next_command::to_set_separator(separator, message, basis),
            Remedy::TrimKey | Remedy::Unsupported => None,
        };
        self.add_command(command);
    }

    /// A command is not wrapped, so that it can be copied.
    fn add_command(&mut self, command: Option<String>) {
        if let Some(command) = command {
            self.add_line("run", &command);
        }
    }

    pub(super) fn add_expiry(&mut self, message: &Notification, now: DateTime<Utc>) {
        let Some(seconds) = message.auth_timestamp else { return self.add_line("expiry", "none") };
        let words = match (seconds.to_string().len(), DateTime::from_timestamp(seconds, 0)) {
            (10, Some(expiry)) => format!("{}, {}", words_of_time(expiry), words_of_distance(expiry - now)),
            (digits, _) => format!("{seconds} has {digits} digits; a time in seconds has ten"),
        };
        self.add_line("expiry", &words);
        self.add_line("as of", &words_of_time(now));
    }

    pub(super) fn add_verdict(&mut self, verdict: &Verdict) {
        let (outcome, cause) = match verdict {
            Verdict::Accept(_) => ("accepted", None),
            Verdict::Quarantine(_, reason) => ("quarantined", Some(reason.as_str())),
            Verdict::Reject(cause) => ("rejected", Some(cause.as_str())),
        };
        self.outcome = outcome;
        self.cause = cause.map(str::to_owned);
        self.add_line("verdict", &cause.map_or(outcome.to_owned(), |cause| format!("{outcome}: {cause}")));
    }

    /// What the verdict means, and what to do. `fits` says that a key fits in another way of signing than the domain's.
    pub(super) fn add_advice(&mut self, verdict: &Verdict, fits: bool, message: &Notification, basis: &Basis) {
        match verdict {
            Verdict::Accept(_) => {}
            Verdict::Quarantine(_, reason) => self.add_sentence(ADVICE, advice::of_reason(*reason)),
            Verdict::Reject(RejectionReason::SignatureMismatch) if fits => self.add_sentence(
                ADVICE,
                "The signature was made with the key above, but in another way than the domain's settings say: see what \
                 to do there.",
            ),
            Verdict::Reject(cause) => {
                self.add_sentence(ADVICE, advice::of_rejection(*cause));
                self.add_command(next_command::after_rejection(*cause, message, basis));
            }
        }
    }

    fn add_line(&mut self, label: &'static str, words: &str) {
        self.findings.push(Finding { label, words: words.to_owned(), is_sentence: false });
    }

    fn add_sentence(&mut self, label: &'static str, words: &str) {
        self.findings.push(Finding { label, words: words.to_owned(), is_sentence: true });
    }
}

/// Wraps at [`TEXT_WIDTH`]; a longer word gets its own line.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= TEXT_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn words_of_policy(policy: &DomainPolicy) -> String {
    let signature = match policy.signature {
        SignatureRule::Required => "signature required",
        SignatureRule::None => "not signed",
    };
    let apps = policy.apps.as_ref().map_or("all".to_owned(), |apps| apps.join(", "));
    let joiner = words_of_joiner(policy.joiner.as_str());
    format!("{signature}, separator {joiner}, apps {apps}, usable keys {}", policy.keys.len())
}

fn words_of_joiner(joiner: &str) -> String {
    if joiner.is_empty() { "nothing".to_owned() } else { format!("{joiner:?}") }
}

fn words_of_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time until an expiry, in its two largest units.
fn words_of_distance(distance: TimeDelta) -> String {
    match distance.num_seconds() {
        0 => "expires now".to_owned(),
        seconds @ 1.. => format!("expires in {}", words_of_duration(seconds.unsigned_abs())),
        seconds => format!("expired {} ago", words_of_duration(seconds.unsigned_abs())),
    }
}

fn words_of_duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let units = [(days, "d"), (hours % 24, "h"), (minutes % 60, "min"), (seconds % 60, "s")];
    let from_first = units.into_iter().skip_while(|(count, _)| *count == 0).take(2);
    from_first
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_shown_in_its_two_largest_units() {
        for (seconds, words) in [
            (0, "expires now"),
            (6, "expires in 6 s"),
            (-60, "expired 1 min ago"),
            (-61, "expired 1 min 1 s ago"),
            (-(3 * 3600 + 2 * 60 + 1), "expired 3 h 2 min ago"),
            (86_400 + 59, "expires in 1 d"),
            (-(400 * 86_400 + 5 * 3600), "expired 400 d 5 h ago"),
        ] {
            assert_eq!(words_of_distance(TimeDelta::seconds(seconds)), words);
        }
        assert_eq!(words_of_distance(TimeDelta::milliseconds(-999)), "expires now");
    }

    #[test]
    fn sentences_are_wrapped_below_each_other_without_their_label() {
        let mut report = Report::default();
        report.add_sentence("notice", &"word ".repeat(20));
        report.add_sentence(ADVICE, &"x".repeat(100));
        let lines: Vec<String> = report.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("notice       word word"));
        assert!(lines[1].starts_with("             word"));
        assert_eq!(lines[2].len(), LABEL_WIDTH + 100);
        assert!(lines.iter().all(|line| !line.ends_with(' ')));
    }
}
