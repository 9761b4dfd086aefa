//! The parts of the service: cards for those that fail, one line for the others.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::texts::Language;
use super::super::view::View;
use super::super::words;
use crate::http::health::{HealthCheck, ServicePart};
use crate::platform::tls::{Expiry, Validity};
use crate::store::fold::LagRow;

pub fn failing_parts(view: View, parts: &[HealthCheck], certificate: Option<Validity>) -> Markup {
    let text = view.language;
    let expiry = certificate.map(|certificate| (certificate.expiry(view.now), certificate.ends_at));
    let titles = expiry.and_then(|(expiry, ends_at)| match expiry {
        Expiry::Far => None,
        Expiry::Near => {
            Some(("warning", text.problems_certificate_near_title(), text.problems_certificate_near(), ends_at))
        }
        Expiry::Past => {
            Some(("error", text.problems_certificate_past_title(), text.problems_certificate_past(), ends_at))
        }
    });
    html! {
        @for part in parts.iter().filter(|part| !part.ready) {
            section.card.error {
                h3 { (text.problems_part_fails(&name_of(text, part))) }
                p lang="en" { (part.state) }
                p.hint { (text.problems_part_fails_hint()) }
            }
        }
        @if let Some((class, title, advice, ends_at)) = titles {
            section class=(format!("card {class}")) {
                h3 { (title) }
                p { (words::fill(&advice, &[words::time(view, ends_at)])) }
            }
        }
    }
}

pub fn all_parts(view: View, parts: &[HealthCheck], certificate: Option<Validity>, lag: LagRow) -> Markup {
    let text = view.language;
    let comma = match text {
        Language::English => ", ",
        Language::Chinese => "、",
    };
    let working: Vec<String> = parts.iter().filter(|part| part.ready).map(|part| name_of(text, part)).collect();
    let waited = |oldest: DateTime<Utc>| words::duration(text, (view.now - oldest).num_seconds().max(0));
    html! {
        details.parts {
            summary {
                @if working.len() == parts.len() { span.state.live { (text.problems_all_parts_work(&working.join(comma))) } }
                @else { (text.problems_more()) }
            }
            dl.facts {
                @for part in parts {
                    dt { (name_of(text, part)) }
                    dd lang="en" { @if part.ready { (part.state) } @else { span.wrong { (part.state) } } }
                }
                @if let Some(certificate) = certificate.filter(|certificate| certificate.expiry(view.now) == Expiry::Far) {
                    dt { (text.problems_part_certificate()) }
                    dd { (words::fill(&text.problems_certificate_far(), &[words::time(view, certificate.ends_at)])) }
                }
                dt { (text.problems_lag()) }
                dd {
                    @match lag.oldest_recorded_at {
                        Some(oldest) => (text.problems_lag_of(lag.entries, &waited(oldest))),
                        None => (text.problems_lag_none()),
                    }
                }
            }
        }
    }
}

fn name_of(text: Language, part: &HealthCheck) -> String {
    match part.name {
        ServicePart::Database => text.problems_part_database(),
        ServicePart::Clock => text.problems_part_clock(),
        ServicePart::Folding => text.problems_part_folding(),
        ServicePart::Spool => text.problems_part_spool(),
    }
}
