//! Rejected callbacks as cards: one for each domain and cause, with its trend, an example, and the repair.
//!
//! Anyone can send callbacks that are rejected. Those that claim an unregistered domain are one card, after all others.

use std::cmp::{Ordering, Reverse};

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{links, words};
use super::long_text;
use crate::model::access::Scope;
use crate::model::rejection::RejectionReason;
use crate::query::Rows;
use crate::rejection::Sample;
use crate::store::rejection::RejectionGroupRow;

/// Maximum number of groups.
pub const MAX_GROUPS: u16 = 100;

/// How many unregistered domains are listed for each cause.
const STRANGERS_OF_CAUSE: usize = 10;

const HOURS: usize = 24;

/// The rejected callbacks of registered domains.
pub fn of_registered(visitor: &Visitor, rejected: &Rows<RejectionGroupRow>) -> Markup {
    let text = visitor.view.language;
    let groups = worst_first(rejected.rows.iter().filter(|row| row.is_registered));
    html! {
        @if !groups.is_empty() {
            h2 #rejected { (text.problems_rejected()) }
            p.hint {
                (text.problems_rejected_hint())
                @if rejected.more && rejected.rows.iter().all(|row| row.is_registered) { " " (text.problems_rejected_more(MAX_GROUPS)) }
                @if !visitor.principal.may(Scope::Admin) { " " (text.problems_set_up_by_admin()) }
            }
            div.cards { @for row in groups { (card(visitor, row)) } }
        }
    }
}

/// The rejected callbacks that claim no registered domain, by cause.
pub fn of_strangers(visitor: &Visitor, rejected: &Rows<RejectionGroupRow>) -> Markup {
    let text = visitor.view.language;
    let mut groups = worst_first(rejected.rows.iter().filter(|row| !row.is_registered));
    // Stable: within a cause, the worst stay first.
    groups.sort_by_key(|row| row.cause);
    html! {
        @if !groups.is_empty() {
            h2 #strangers { (text.problems_strangers()) }
            p.hint { (text.problems_strangers_hint()) @if rejected.more { " " (text.problems_rejected_more(MAX_GROUPS)) } }
            div.card.warning {
                @for of_cause in groups.chunk_by(|one, next| one.cause == next.cause) { (strangers_of_cause(visitor, of_cause)) }
            }
        }
    }
}

fn strangers_of_cause(visitor: &Visitor, groups: &[&RejectionGroupRow]) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let Some(cause) = groups.first().map(|row| row.cause) else { return html! {} };
    html! {
        section.strangers {
            h3 { (text.rejection_name(cause)) }
            div.advice { (long_text(text, text.rejection_advice(cause))) }
            div.scroll { table {
                thead { tr {
                    th { (text.problems_claimed_domain()) } th.number { (text.callbacks()) } th { (text.problems_last()) }
                    th { (text.problems_example_title()) } th.number { (text.action()) }
                } }
                tbody { @for row in groups.iter().take(STRANGERS_OF_CAUSE) { tr {
                    td.name { @if row.claimed_domain.is_empty() { (text.none()) } @else { bdi { (row.claimed_domain) } } }
                    td.number data-label=(text.callbacks()) { (words::count(row.count)) }
                    td.when { (words::ago(view, row.last_at)) }
                    td.muted { (example(view, row)) }
                    td.number { @if let Some((name, path)) = repair(visitor, row) { a.button.small href=(path) { (name) } } }
                } } }
            } }
            @if groups.len() > STRANGERS_OF_CAUSE { p.hint { (text.problems_strangers_more(groups.len() - STRANGERS_OF_CAUSE)) } }
        }
    }
}

pub fn card(visitor: &Visitor, row: &RejectionGroupRow) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        section.card.error {
            h3 { (text.rejection_name(row.cause)) " · " bdi { (row.claimed_domain) } }
            div.trouble {
                strong { (number_of_callbacks(text, row.count)) }
                (bars(view, row))
                span.muted { (trend(view, row)) }
            }
            p.muted { (when(view, row.count == 1, row.first_at, row.last_at)) }
            div.advice { (long_text(text, text.rejection_advice(row.cause))) }
            p.hint.example { (words::fill(&text.problems_example(), &[example(view, row)])) }
            @if let Some((name, path)) = repair(visitor, row) { div.actions { a.button href=(path) { (name) } } }
        }
    }
}

/// When the first and the last of some callbacks arrived.
pub fn when(view: View, is_one: bool, first: DateTime<Utc>, last: DateTime<Utc>) -> Markup {
    if is_one {
        return words::ago(view, last);
    }
    words::fill(&view.language.problems_first_and_last(), &[words::ago(view, first), words::ago(view, last)])
}

pub fn number_of_callbacks(text: Language, count: i64) -> String {
    if count == 1 { text.problems_one_callback() } else { text.problems_count_of_callbacks(&words::count(count)) }
}

/// Those of the last hour first, then by their number.
fn worst_first<'a>(groups: impl Iterator<Item = &'a RejectionGroupRow>) -> Vec<&'a RejectionGroupRow> {
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by_key(|row| (in_last_hour(row) == 0, Reverse(row.count)));
    groups
}

fn in_last_hour(row: &RejectionGroupRow) -> i64 {
    counts_by_hour(row).last().copied().unwrap_or_default()
}

/// The counts of the last 24 hours, the oldest first.
fn counts_by_hour(row: &RejectionGroupRow) -> [i64; HOURS] {
    let mut counts = [0; HOURS];
    for (hours_ago, count) in row.hours_ago.iter().zip(&row.hourly) {
        let place = usize::try_from(*hours_ago).unwrap_or(0).min(HOURS - 1);
        if let Some(sum) = counts.get_mut(HOURS - 1 - place) {
            *sum += count;
        }
    }
    counts
}

/// The last hour against the average hour since the first callback.
fn trend(view: View, row: &RejectionGroupRow) -> String {
    let text = view.language;
    let last = in_last_hour(row);
    if last == 0 {
        return text.problems_none_in_last_hour();
    }
    let hours_before = (view.now - row.first_at).num_hours().clamp(1, 23);
    let before = row.count - last;
    let direction = match (last * hours_before).cmp(&before) {
        Ordering::Greater if before > 0 => Some(text.problems_rising()),
        Ordering::Less => Some(text.problems_falling()),
        Ordering::Greater | Ordering::Equal => None,
    };
    let count = text.problems_in_last_hour(&words::count(last));
    direction.map_or(count.clone(), |direction| format!("{count}, {direction}"))
}

/// A bar for each of the last 24 hours.
fn bars(view: View, row: &RejectionGroupRow) -> Markup {
    let counts = counts_by_hour(row);
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let label = view.language.problems_chart(&words::count(in_last_hour(row)));
    html! {
        svg.bars viewBox="0 0 96 24" preserveAspectRatio="none" role="img" aria-label=(label) {
            title { (label) }
            @for (hour, count) in counts.iter().enumerate() {
                @let height = if *count == 0 { 1 } else { (count * 24 / most).max(3) };
                rect.none[*count == 0] x=(hour * 4) y=(24 - height) width="3" height=(height) {}
            }
        }
    }
}

/// One of the callbacks. Its content is not authenticated.
fn example(view: View, row: &RejectionGroupRow) -> Markup {
    let text = view.language;
    let Ok(sample) = serde_json::from_value::<Sample>(row.sample.clone()) else { return html! {} };
    html! {
        (words::time(view, sample.received_at))
        @if let Some(problem) = &sample.problem { ", " bdi { (problem) } }
        @if let Some(event) = &sample.event { ", " code { bdi { (event) } } }
        @if let Some(app) = &sample.app { ", " (text.problems_example_app()) " " bdi { (app) } }
        @if let Some(stream) = &sample.stream { ", " (text.problems_example_stream()) " " bdi { (stream) } }
    }
}

/// The button that repairs it, and where it leads. Only administrators can repair.
fn repair(visitor: &Visitor, row: &RejectionGroupRow) -> Option<(String, String)> {
    let text = visitor.view.language;
    if !visitor.principal.may(Scope::Admin) {
        return None;
    }
    if !row.is_registered {
        return match row.cause {
            RejectionReason::UnknownDomain => (!row.claimed_domain.is_empty())
                .then(|| (text.problems_register(&row.claimed_domain), links::new_domain(&row.claimed_domain))),
            RejectionReason::WrongPath | RejectionReason::WrongMethod => {
                Some((text.problems_compare_url(), links::set_up()))
            }
            RejectionReason::SignatureMismatch
            | RejectionReason::NoKey
            | RejectionReason::SignatureMissing
            | RejectionReason::AppNotAllowed
            | RejectionReason::SecretPathMissing
            | RejectionReason::SecretPathWrong
            | RejectionReason::SignatureMalformed
            | RejectionReason::ExpiryMalformed
            | RejectionReason::ExpiryTooFar
            | RejectionReason::NotANotification
            | RejectionReason::Milliseconds
            | RejectionReason::OtherCallback
            | RejectionReason::TooLarge
            | RejectionReason::TooSlow
            | RejectionReason::UnsupportedEncoding => None,
        };
    }
    let domain = links::domain(&row.claimed_domain);
    Some(match row.cause {
        RejectionReason::SignatureMismatch | RejectionReason::NoKey | RejectionReason::SignatureMissing => {
            (text.problems_add_key(), format!("{domain}#keys"))
        }
        RejectionReason::AppNotAllowed => (text.problems_change_apps(), format!("{domain}#settings")),
        RejectionReason::SecretPathMissing | RejectionReason::SecretPathWrong => {
            (text.problems_secret_path(), format!("{domain}#secret-path"))
        }
        RejectionReason::SignatureMalformed
        | RejectionReason::ExpiryMalformed
        | RejectionReason::ExpiryTooFar
        | RejectionReason::NotANotification
        | RejectionReason::Milliseconds => (text.problems_check_callback(), links::diagnose()),
        // It is registered by now.
        RejectionReason::UnknownDomain => return None,
        RejectionReason::OtherCallback
        | RejectionReason::WrongPath
        | RejectionReason::WrongMethod
        | RejectionReason::TooLarge
        | RejectionReason::TooSlow
        | RejectionReason::UnsupportedEncoding => (text.problems_compare_url(), domain),
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use serde_json::Value;

    use super::*;

    fn group(hours_ago: &[i32], hourly: &[i64]) -> RejectionGroupRow {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        RejectionGroupRow {
            claimed_domain: "a".to_owned(),
            cause: RejectionReason::NoKey,
            is_registered: true,
            count: hourly.iter().sum(),
            first_at: at,
            last_at: at,
            sample: Value::Null,
            hours_ago: hours_ago.to_vec(),
            hourly: hourly.to_vec(),
        }
    }

    #[test]
    fn callbacks_are_counted_by_hour_with_the_last_hour_at_the_end() {
        let counts = counts_by_hour(&group(&[0, 3, 24], &[5, 7, 2]));
        assert_eq!((counts[23], counts[20], counts[0], counts.iter().sum::<i64>()), (5, 7, 2, 14));
    }

    #[test]
    fn the_trend_compares_the_last_hour_with_those_before() {
        let view = |hours| View {
            language: Language::English,
            zone: chrono_tz::UTC,
            now: DateTime::UNIX_EPOCH + TimeDelta::hours(hours),
        };
        assert_eq!(trend(view(4), &group(&[2], &[9])), "none in the last hour");
        assert_eq!(trend(view(0), &group(&[0], &[9])), "9 in the last hour");
        assert_eq!(trend(view(4), &group(&[0, 3], &[9, 9])), "9 in the last hour, rising");
        assert_eq!(trend(view(4), &group(&[0, 3], &[1, 9])), "1 in the last hour, falling");
    }

    #[test]
    fn trouble_that_goes_on_comes_before_larger_trouble_that_is_over() {
        let (over, small, large) = (group(&[5], &[900]), group(&[0], &[3]), group(&[0], &[30]));
        let counts: Vec<_> = worst_first([&over, &small, &large].into_iter()).iter().map(|row| row.count).collect();
        assert_eq!(counts, [30, 3, 900]);
    }
}
