//! A chart of the last days of a stream.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::view::View;
use super::{ROOT, words};
use crate::query::Rows;
use crate::store::session::SessionRow;

pub const DAYS: i64 = 7;

pub const MAX_SESSIONS: u16 = 2_000;

/// One bar per session; sessions that overlap take separate lanes; inferred ends are hatched.
pub fn timeline(view: View, sessions: &Rows<SessionRow>, as_of: DateTime<Utc>) -> Markup {
    const WIDTH: i64 = 1_000;
    let from = as_of - TimeDelta::days(DAYS);
    let whole = TimeDelta::days(DAYS).num_seconds();
    let x = |time: DateTime<Utc>| ((time.max(from) - from).num_seconds() * WIDTH / whole).clamp(0, WIDTH);
    let mut lanes: Vec<DateTime<Utc>> = Vec::new();
    let mut bars = Vec::new();
    for row in sessions.rows.iter().rev() {
        let ended = row.ended_at.unwrap_or(as_of);
        let free = lanes.iter().position(|until| *until <= row.started_at);
        let lane = free.unwrap_or(lanes.len());
        match lanes.get_mut(lane) {
            Some(until) => *until = ended,
            None => lanes.push(ended),
        }
        bars.push((row, lane, x(row.started_at), x(ended)));
    }
    if bars.is_empty() {
        return html! { p.hint { "No sessions in the last " (DAYS) " days." } };
    }
    let height = i64::try_from(lanes.len()).unwrap_or(1) * 22 + 18;
    html! {
        figure.timeline {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="group" aria-label=(format!("Sessions of the last {DAYS} days")) {
                defs {
                    pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                        rect width="3" height="6" {}
                    }
                }
                @for day in 0..=DAYS {
                    @let at = day * WIDTH / DAYS;
                    line.day x1=(at) x2=(at) y1="0" y2=(height - 16) {}
                }
                @for (row, lane, begin, end) in bars {
                    a href=(format!("{ROOT}/sessions/{}", row.session_id)) aria-label=(label(view, row)) {
                        rect.bar.(bar_class(row)) x=(begin) y=(lane * 22 + 2) width=((end - begin).max(2)) height="16" rx="2" {
                            title { (label(view, row)) }
                        }
                        @if !row.flags.is_empty() { circle.flagged cx=(begin + 5) cy=(lane * 22 + 10) r="4" {} }
                    }
                }
            }
            figcaption { "The last " (DAYS) " days until " (words::time(view, as_of)) ". Green: live; hatched: inferred end; dot: flagged." @if sessions.more { " The newest " (MAX_SESSIONS) " sessions." } }
        }
    }
}

fn bar_class(row: &SessionRow) -> &'static str {
    match row.ended_at_source {
        None => "live",
        Some(source) if source.is_confirmed() => "ended",
        Some(_) => "inferred",
    }
}

/// The label of a bar, for screen readers and as the tooltip.
fn label(view: View, row: &SessionRow) -> String {
    let started = row.started_at.format("%Y-%m-%d %H:%M:%S UTC");
    let source = row.ended_at_source;
    let flags = words::list(&row.flags);
    let separator = if flags.is_empty() { "" } else { "; " };
    format!("Started {started}; {}{separator}{flags}", words::end_source(view.language, source))
}
