//! How pages name periods, windows and groups.

use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};

use super::super::texts::Language;
use super::super::view::View;
use super::super::words;
use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::report::parameters::{GroupName, Layout, ReportSelection};
use crate::report::period::{Period, PeriodShape};

/// `November 2026`, `1 Nov 2026 – 7 Nov 2026`, or with times if it is not of whole days.
pub fn period(text: Language, period: Period) -> String {
    match period.shape() {
        PeriodShape::Month(first) => month(text, first),
        PeriodShape::Days(first, last) if first == last => date(text, first),
        PeriodShape::Days(first, last) => format!("{} – {}", date(text, first), date(text, last)),
        PeriodShape::Times => {
            let [from, to] =
                [period.from, period.to].map(|time| time.with_timezone(&period.zone).format("%Y-%m-%d %H:%M"));
            format!("{from} – {to}")
        }
    }
}

pub fn month(text: Language, first: NaiveDate) -> String {
    let format = match text {
        Language::English => "%B %Y",
        Language::Chinese => "%Y年%-m月",
    };
    first.format(format).to_string()
}

fn date(text: Language, date: NaiveDate) -> String {
    let format = match text {
        Language::English => "%-d %b %Y",
        Language::Chinese => "%Y年%-m月%-d日",
    };
    date.format(format).to_string()
}

/// A row's window, in the view's time zone.
pub fn window(view: View, size: WindowSize, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> String {
    match size {
        WindowSize::Whole | WindowSize::Week | WindowSize::Month => {
            period(view.language, Period { from, to, zone: view.zone })
        }
        WindowSize::Day => words::date(view, from),
        WindowSize::Hour => format!("{} {}", words::date(view, from), view.local(from).format("%H:%M")),
    }
}

/// The names of a group, or, if it has none, a word for all.
pub fn group(text: Language, name: &GroupName) -> Markup {
    let parts = [&name.domain, &name.app, &name.stream];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    html! {
        @if parts.is_empty() { (text.all()) }
        @for (number, part) in parts.iter().enumerate() { @if number > 0 { " / " } bdi { (part) } }
    }
}

/// By what a report is grouped.
pub fn grouping(text: Language, group_by: GroupBy) -> String {
    let GroupBy { domain, app, stream } = group_by;
    match (domain, app, stream) {
        (true, false, false) => text.domain(),
        (true, true, false) => text.reports_group_domain_app(),
        (true, true, true) => text.stream(),
        (false, true, false) => text.app(),
        // The pages offer no other grouping, but the API does.
        (true, false, true) | (false, _, true) | (false, false, false) => group_by.as_str().replace(',', ", "),
    }
}

pub fn window_size(text: Language, size: WindowSize) -> String {
    match size {
        WindowSize::Whole => text.reports_rows_whole(),
        WindowSize::Hour => text.reports_rows_hour(),
        WindowSize::Day => text.reports_rows_day(),
        WindowSize::Week => text.reports_rows_week(),
        WindowSize::Month => text.reports_rows_month(),
    }
}

pub fn renditions(text: Language, renditions: Renditions) -> String {
    match renditions {
        Renditions::Exclude => text.reports_renditions_exclude(),
        Renditions::Include => text.reports_renditions_include(),
        Renditions::Only => text.reports_renditions_only(),
    }
}

/// The grouping of a report, and all in which it differs from a plain one.
pub fn layout(text: Language, selection: &ReportSelection, layout: Layout) -> String {
    let names = [&selection.domain, &selection.app, &selection.stream];
    let names = names.into_iter().flatten().cloned().collect::<Vec<_>>().join(" / ");
    let mut parts = vec![grouping(text, layout.group_by)];
    if layout.window != WindowSize::Whole {
        parts.push(text.reports_per(&window_size(text, layout.window).to_lowercase()));
    }
    if !names.is_empty() {
        parts.push(text.reports_only(&names));
    }
    if selection.renditions != Renditions::Exclude {
        parts.push(text.reports_renditions_noted(&renditions(text, selection.renditions).to_lowercase()));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    #[test]
    fn a_month_east_of_greenwich_has_the_name_of_its_own_dates() {
        let november = Period {
            from: "2026-10-31T16:00:00Z".parse().unwrap(),
            to: "2026-11-30T16:00:00Z".parse().unwrap(),
            zone: Tz::Asia__Shanghai,
        };
        assert_eq!(period(Language::English, november), "November 2026");
        assert_eq!(period(Language::Chinese, november), "2026年11月");
        let utc = Period { zone: Tz::UTC, ..november };
        assert_eq!(period(Language::English, utc), "2026-10-31 16:00 – 2026-11-30 16:00");
        let week = Period::of_days("2026-11-01".parse().unwrap(), "2026-11-07".parse().unwrap(), Tz::UTC).unwrap();
        assert_eq!(period(Language::English, week), "1 Nov 2026 – 7 Nov 2026");
        assert_eq!(period(Language::Chinese, week), "2026年11月1日 – 2026年11月7日");
    }
}
