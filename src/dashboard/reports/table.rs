//! The table of a report. Each number leads to its sessions.

use maud::{Markup, html};

use super::super::texts::Language;
use super::super::view::View;
use super::super::words;
use super::choices::{Choices, SortBy};
use super::{ReportAt, naming};
use crate::model::report::{Certainty, WindowSize};
use crate::report::push_duration::NamedRow;
use crate::report::sweep::WindowTotals;

/// Width of the longest bar.
const BAR_WIDTH: i64 = 160;

/// Width of the shortest part that can be seen.
const MIN_WIDTH: i64 = 3;

pub fn table(view: View, choices: &Choices, report: &ReportAt, rows: &[NamedRow], totals: &WindowTotals) -> Markup {
    let text = view.language;
    let most = rows.iter().map(|row| row.counts.push_seconds()).max().unwrap_or(1).max(1);
    let size = report.layout.window;
    let has_windows = size != WindowSize::Whole;
    html! {
        (patterns())
        div.scroll { table.report {
            thead { tr {
                @if has_windows { th { (text.time()) } }
                (sortable(choices, SortBy::Name, &text.reports_name(), ""))
                th.number { (text.reports_sessions()) }
                (sortable(choices, SortBy::PushTime, &text.reports_push_hours(), "number"))
                th { (text.reports_shares()) }
                th.number { (text.reports_estimated()) } th.number { (text.reports_open()) }
                th.number { (text.reports_on_air_hours()) } th.number { (text.reports_peak()) }
            } }
            tbody { @for row in rows {
                @let window = (row.window_start, row.window_end);
                tr {
                    @if has_windows { td.when { (naming::window(view, size, window)) } }
                    td.name { (naming::group(text, &row.name)) }
                    (counts(text, &report.row(&row.name, window), &row.counts, Some(most)))
                }
            } }
            tfoot { tr { @if has_windows { td {} } td.name { (text.reports_total()) } (counts(text, report, totals, None)) } }
        } }
        @if rows.len() > 1 { p.hint { (text.reports_rounded()) } }
    }
}

/// The head of a column that the rows can be sorted by.
fn sortable(choices: &Choices, by: SortBy, name: &str, class: &str) -> Markup {
    let direction = match by {
        SortBy::Name => "ascending",
        SortBy::PushTime => "descending",
    };
    html! {
        th class=(class) aria-sort=[(choices.sort == by).then_some(direction)] {
            a href=(choices.link(&[("sort", Some(by.as_str()))])) { (name) }
        }
    }
}

/// The cells of a row; with a bar relative to `most`.
fn counts(text: Language, part: &ReportAt, counts: &WindowTotals, most: Option<i64>) -> Markup {
    let behind = |number: &Markup, certainty: Option<Certainty>| {
        html! { a href=(part.sessions(certainty)) title=(text.reports_show_sessions()) { (number) } }
    };
    let cell = |name: &str, seconds: i64, certainty: Option<Certainty>| {
        html! {
            @if seconds == 0 {
                td.number.muted data-label=(name) { "–" }
            } @else {
                td.number data-label=(name) { (behind(&words::hours(seconds), certainty)) }
            }
        }
    };
    html! {
        td.number data-label=(text.reports_sessions()) { (behind(&html! { (words::count(counts.sessions)) }, None)) }
        (cell(&text.reports_push_hours(), counts.push_seconds(), None))
        td.share { @if let Some(most) = most { (bar(counts, most)) } }
        (cell(&text.reports_estimated(), counts.estimated_seconds, Some(Certainty::Estimated)))
        (cell(&text.reports_open(), counts.open_seconds, Some(Certainty::Open)))
        (cell(&text.reports_on_air_hours(), counts.on_air_seconds, None))
        td.number data-label=(text.reports_peak()) { (behind(&html! { (words::count(counts.peak_live_sessions)) }, None)) }
    }
}

fn bar(counts: &WindowTotals, most: i64) -> Markup {
    let mut x = 0;
    let parts = Certainty::ALL.iter().map(|certainty| {
        let seconds = seconds_of(counts, *certainty);
        let width = if seconds == 0 { 0 } else { (seconds * BAR_WIDTH / most).max(MIN_WIDTH) };
        let begin = x;
        x += width;
        (certainty.as_str(), begin, width)
    });
    let parts: Vec<_> = parts.filter(|(_, _, width)| *width > 0).collect();
    html! {
        svg width=(BAR_WIDTH + 2 * MIN_WIDTH) height="14" aria-hidden="true" {
            @for (class, x, width) in parts { rect.(class) x=(x) width=(width) height="14" {} }
        }
    }
}

/// The seconds of a certainty.
pub fn seconds_of(counts: &WindowTotals, certainty: Certainty) -> i64 {
    match certainty {
        Certainty::Confirmed => counts.confirmed_seconds,
        Certainty::Estimated => counts.estimated_seconds,
        Certainty::Open => counts.open_seconds,
    }
}

/// The patterns of bars, which can be told apart without their colors.
fn patterns() -> Markup {
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            pattern #estimated width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect width="5" height="5" {} rect.line width="3" height="5" {}
            }
            pattern #open width="4" height="4" patternUnits="userSpaceOnUse" {
                rect width="4" height="4" {} rect.line width="2" height="4" {}
            }
        }
    }
}

pub fn certainty_name(text: Language, certainty: Certainty) -> String {
    match certainty {
        Certainty::Confirmed => text.reports_confirmed(),
        Certainty::Estimated => text.reports_estimated(),
        Certainty::Open => text.reports_open(),
    }
}

/// What the columns and the patterns mean, and which hours to bill.
pub fn legend(text: Language) -> Markup {
    let meaning = |certainty| match certainty {
        Certainty::Confirmed => text.reports_confirmed_mean(),
        Certainty::Estimated => text.reports_estimated_mean(),
        Certainty::Open => text.reports_open_mean(),
    };
    html! {
        div.card {
            h3 { (text.reports_which_hours()) }
            dl.facts {
                dt { (text.reports_push_hours()) } dd { (text.reports_push_hours_mean()) }
                dt { (text.reports_on_air_hours()) } dd { (text.reports_on_air_hours_mean()) }
                @for certainty in Certainty::ALL {
                    dt { span.swatch.(certainty.as_str()) {} " " (certainty_name(text, *certainty)) }
                    dd { (meaning(*certainty)) }
                }
            }
        }
    }
}
