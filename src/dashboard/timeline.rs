//! A timeline of a stream: a bar for each session, over an axis in the visitor's time zone.
//!
//! Positions are percentages, so it fills any width. Sessions whose bars would touch share a bar, which limits the number of
//! bars. The keyboard stops at the figure at most once: the lists below it have the same sessions as links.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};

use super::chart::{anchor, percent, ticks};
use super::shown_state::ShownState;
use super::stream::ListKind;
use super::texts::Language;
use super::view::View;
use super::{links, words};
use crate::model::closed_set;
use crate::model::session::EndSource;
use crate::query::Rows;
use crate::report::period::Period;
use crate::session::lifecycle::duration_seconds;
use crate::store::session::SessionRow;

pub const MAX_SESSIONS: u16 = 2_000;

/// Lanes for sessions that overlap; further ones share the last.
const MAX_LANES: usize = 5;

/// Width of the timeline, in hundredths of a percent.
const WIDTH: i64 = 10_000;

/// Bars that are narrower than this, and as close to another, are not distinguishable.
const GRAIN: i64 = 20;

const LANE_HEIGHT: usize = 34;
const BAR_HEIGHT: usize = 26;
const AXIS_HEIGHT: usize = 30;

/// A gap up to this long is an interruption.
pub const INTERRUPTION: TimeDelta = TimeDelta::minutes(10);

closed_set! {
    /// The time up to now.
    #[derive(Default)]
    pub enum Range {
        Day = "24h",
        #[default]
        Week = "7d",
        Month = "30d",
    }
}

impl Range {
    pub fn days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    pub fn name(self, text: Language) -> String {
        match self {
            Self::Day => text.stream_range_day(),
            Self::Week => text.stream_range_week(),
            Self::Month => text.stream_range_month(),
        }
    }
}

/// What the timeline shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelinePeriod {
    Last(Range),
    /// A day of the visitor's time zone.
    Date(NaiveDate),
}

impl TimelinePeriod {
    pub fn bounds(self, view: View) -> (DateTime<Utc>, DateTime<Utc>) {
        match self {
            Self::Last(range) => (view.now - TimeDelta::days(range.days()), view.now),
            Self::Date(date) => {
                Period::of_days(date, date, view.zone).map_or((view.now, view.now), |day| (day.from, day.to))
            }
        }
    }
}

closed_set! {
    /// What a bar shows, and its class.
    pub enum BarKind {
        Confirmed,
        Estimated,
        Live,
        Unconfirmed,
    }
}

impl BarKind {
    fn of(row: &SessionRow, now: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Self {
        match ShownState::of_session(row, now, unconfirmed_after) {
            ShownState::Live => Self::Live,
            ShownState::Unconfirmed => Self::Unconfirmed,
            ShownState::Ended if row.ended_at_source.is_some_and(EndSource::is_confirmed) => Self::Confirmed,
            ShownState::Ended => Self::Estimated,
        }
    }

    fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Unconfirmed)
    }

    fn name(self, text: Language) -> String {
        match self {
            Self::Confirmed => text.state_ended(),
            Self::Estimated => text.stream_legend_estimated(),
            Self::Live => text.state_live(),
            Self::Unconfirmed => text.state_unconfirmed(),
        }
    }
}

/// One session, or several that are too close to be told apart.
#[derive(Debug)]
struct Bar<'a> {
    first: &'a SessionRow,
    sessions: usize,
    lane: usize,
    /// Of several sessions, that of the least certain.
    kind: BarKind,
    flagged: bool,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    /// The time without a session before it; `None` if there was none, or nothing before is known.
    gap: Option<TimeDelta>,
    left: i64,
    right: i64,
}

impl Bar<'_> {
    fn is_narrow(&self) -> bool {
        self.right - self.left < GRAIN
    }

    /// What is live keeps a bar of its own: a bar of both would say that all of it is live.
    fn absorbs(&self, next: &Bar<'_>) -> bool {
        next.left - self.right < GRAIN
            && (self.is_narrow() || next.is_narrow())
            && self.kind.is_live() == next.kind.is_live()
    }

    fn absorb(&mut self, next: &Bar<'_>) {
        self.sessions += 1;
        self.kind = self.kind.max(next.kind);
        self.flagged |= next.flagged;
        self.ended_at = self.ended_at.max(next.ended_at);
        self.right = self.right.max(next.right);
    }
}

/// The timeline of a period; `sessions` are the newest first.
pub fn timeline(
    view: View,
    period: TimelinePeriod,
    sessions: &Rows<SessionRow>,
    unconfirmed_after: TimeDelta,
) -> Markup {
    let text = view.language;
    let (from, to) = period.bounds(view);
    let (bars, lanes) = bars(&sessions.rows, (from, to), view.now, unconfirmed_after);
    if bars.is_empty() {
        return html! { div.card { p.muted { (text.stream_no_sessions()) } } };
    }
    html! {
        figure.timeline {
            (lanes_of(view, (from, to), &bars, lanes, &text.stream_timeline(&words::count(sessions.rows.len()))))
            figcaption {
                (legend(view, &bars))
                @if sessions.more { span { (text.stream_newest_sessions(&words::count(MAX_SESSIONS))) } }
            }
        }
    }
}

/// The bars in the order of their starts, and the number of lanes.
fn bars(
    newest_first: &[SessionRow],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
) -> (Vec<Bar<'_>>, usize) {
    let whole = (to - from).num_seconds().max(1);
    let place = |time: DateTime<Utc>| ((time - from).num_seconds() * WIDTH / whole).clamp(0, WIDTH);
    let mut lanes: Vec<DateTime<Utc>> = Vec::new();
    let mut on_air_to: Option<DateTime<Utc>> = None;
    // The index of the last bar of each lane.
    let mut last_of_lane: Vec<Option<usize>> = vec![None; MAX_LANES];
    let mut bars: Vec<Bar<'_>> = Vec::new();
    for row in newest_first.iter().rev() {
        let ended_at = row.ended_at.unwrap_or(now);
        let lane = lane_for(&mut lanes, row.started_at, ended_at);
        let gap = on_air_to.map(|until| row.started_at - until).filter(|gap| *gap > TimeDelta::zero());
        on_air_to = on_air_to.max(Some(ended_at));
        let bar = Bar {
            first: row,
            sessions: 1,
            lane,
            kind: BarKind::of(row, now, unconfirmed_after),
            flagged: !row.flags.is_empty(),
            started_at: row.started_at,
            ended_at,
            gap,
            left: place(row.started_at),
            right: place(ended_at),
        };
        let last = last_of_lane.get(lane).copied().flatten();
        if let Some(last) = last.and_then(|last| bars.get_mut(last)).filter(|last| last.absorbs(&bar)) {
            last.absorb(&bar);
            continue;
        }
        if let Some(last) = last_of_lane.get_mut(lane) {
            *last = Some(bars.len());
        }
        bars.push(bar);
    }
    (bars, lanes.len())
}

/// The first lane that is free at the start; the last one if none is.
fn lane_for(lanes: &mut Vec<DateTime<Utc>>, started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> usize {
    let free = lanes.iter().position(|until| *until <= started_at);
    let lane = free.unwrap_or(lanes.len()).min(MAX_LANES - 1);
    match lanes.get_mut(lane) {
        Some(until) => *until = ended_at.max(*until),
        None => lanes.push(ended_at),
    }
    lane
}

fn lanes_of(
    view: View,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    bars: &[Bar<'_>],
    lanes: usize,
    label: &str,
) -> Markup {
    let whole = (to - from).num_seconds().max(1);
    let height = lanes * LANE_HEIGHT + AXIS_HEIGHT + 6;
    let place = |time: DateTime<Utc>| (time - from).num_seconds() * WIDTH / whole;
    let ticks = ticks(view, from, to);
    html! {
        svg.lanes role="img" aria-label=(label) height=(height) {
            defs {
                pattern #estimated width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.ground width="6" height="6" {}
                    rect.stripe width="3" height="6" {}
                }
            }
            @for (number, (at, name)) in ticks.iter().enumerate() {
                @let left = place(*at);
                line.tick x1=(format!("{}%", percent(left))) x2=(format!("{}%", percent(left))) y1="0" y2=(height - AXIS_HEIGHT + 6) {}
                text.axis.minor[ticks.len() > 6 && number % 2 == 1] x=(format!("{}%", percent(left))) y=(height - 8) text-anchor=(anchor(left)) { @if *at == from { "00:00" } @else { (name) } }
            }
            @for bar in bars { (drawn(view, bar)) }
        }
    }
}

fn drawn(view: View, bar: &Bar<'_>) -> Markup {
    let top = bar.lane * LANE_HEIGHT + 6;
    let card = card(view, bar);
    let left = format!("{}%", percent(bar.left));
    let width = format!("{}%", percent((bar.right - bar.left).max(1)));
    html! {
        rect.bar.(bar.kind.as_str()) x=(left) width=(width) y=(top) height=(BAR_HEIGHT) rx="1" data-card=(card) data-href=(href(view, bar)) {
            title { (card) }
        }
        @if bar.kind.is_live() { circle.on-air cx=(format!("{}%", percent(bar.right))) cy=(top + BAR_HEIGHT / 2) r="6" {} }
        @if bar.flagged { text.flagged x=(left) dx="3" y=(top + BAR_HEIGHT - 8) { "⚑" } }
    }
}

/// The session; for several, the list of all sessions of that day.
fn href(view: View, bar: &Bar<'_>) -> String {
    if bar.sessions == 1 {
        return links::session(bar.first.session_id);
    }
    let day = view.local(bar.started_at).date_naive().to_string();
    links::with(
        &links::stream(bar.first.stream_id),
        &[("day", Some(&day)), ("list", Some(ListKind::Sessions.as_str()))],
    )
}

/// What the card of a bar says, in lines.
fn card(view: View, bar: &Bar<'_>) -> String {
    let text = view.language;
    let length = words::duration(text, duration_seconds(bar.started_at, Some(bar.ended_at), view.now));
    let is_live = bar.kind.is_live();
    let mut lines = Vec::new();
    if bar.sessions > 1 {
        lines.push(text.stream_bar_sessions(&words::count(bar.sessions)));
    }
    if is_live {
        lines.push(text.stream_bar_live(&words::date_and_time(view, bar.started_at), &length));
    } else {
        lines.push(format!("{} ({length})", span(view, bar.started_at, bar.ended_at)));
    }
    if bar.sessions == 1 {
        if !is_live {
            lines.push(words::end_source(text, bar.first.ended_at_source));
        }
        lines.extend(bar.first.flags.iter().map(|flag| words::flag_name(text, *flag)));
    }
    lines.extend(bar.gap.map(|gap| {
        let length = words::duration(text, gap.num_seconds());
        if gap <= INTERRUPTION { text.stream_back_after(&length) } else { text.stream_after_gap(&length) }
    }));
    lines.join("\n")
}

/// `26 Nov 20:03:11 – 21:17:40`; with a second date if it is another.
pub fn span(view: View, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let end = if view.local(from).date_naive() == view.local(to).date_naive() {
        view.local(to).format("%H:%M:%S").to_string()
    } else {
        words::date_and_time(view, to)
    };
    format!("{} – {end}", words::date_and_time(view, from))
}

/// The bars that occur.
fn legend(view: View, bars: &[Bar<'_>]) -> Markup {
    let text = view.language;
    html! {
        @for &kind in BarKind::ALL {
            @if bars.iter().any(|bar| bar.kind == kind) { span { span.swatch.(kind.as_str()) {} " " (kind.name(text)) } }
        }
        @if bars.iter().any(|bar| bar.flagged) { span { "⚑ " (text.stream_legend_flagged()) } }
    }
}
