//! The choices of a report, as they were typed, and the form for them.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use uuid::Uuid;

use super::super::draft::{Draft, FieldError};
use super::super::links::{self, unless_default};
use super::super::preferences::zone_select;
use super::super::texts::Language;
use super::super::typed_time::{is_supported, read_date};
use super::super::view::View;
use super::{ReportAt, naming};
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::http::reports::Asked;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::model::closed_set;
use crate::model::parameter::Parameters;
use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::period::{Period, PeriodShape};

/// A page shows only so many rows.
const MAX_DAYS_OF_HOURS: i64 = 7;

/// The groupings to choose from; the API has others.
const GROUPS: [GroupBy; 4] = [
    GroupBy { domain: true, app: false, stream: false },
    GroupBy { domain: true, app: true, stream: false },
    GroupBy { domain: true, app: true, stream: true },
    GroupBy { domain: false, app: true, stream: false },
];

closed_set! {
    /// The order of the rows.
    #[derive(Default)]
    pub enum SortBy {
        #[default]
        Name,
        /// The most push time first.
        PushTime,
    }
}

/// The parameters of the page.
pub struct Choices {
    period: PeriodText,
    /// `None`: that of the visitor.
    pub zone: Option<Tz>,
    group_by: GroupBy,
    window: WindowSize,
    renditions: Renditions,
    domain: Option<String>,
    app: Option<String>,
    stream: Option<String>,
    pub sort: SortBy,
    /// `None`: now.
    pub as_of: Option<DateTime<Utc>>,
    /// The sealed report that was just made.
    pub closed: Option<Uuid>,
}

/// The period, as it was typed.
enum PeriodText {
    /// `None`: last month.
    Month(Option<String>),
    Days {
        from: String,
        through: String,
    },
}

impl FromQuery for Choices {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let month = query.string("month");
        let period = match (query.string("from"), query.string("through")) {
            (None, None) => PeriodText::Month(month),
            (from, through) => {
                PeriodText::Days { from: from.unwrap_or_default(), through: through.unwrap_or_default() }
            }
        };
        Self {
            period,
            zone: query.get("time_zone"),
            group_by: query.get("group_by").unwrap_or_default(),
            window: query.get("window").unwrap_or_default(),
            renditions: query.get("renditions").unwrap_or(Renditions::Exclude),
            domain: query.string("domain"),
            app: query.string("app"),
            stream: query.string("stream"),
            sort: query.get("sort").unwrap_or_default(),
            as_of: query.get("as_of"),
            closed: query.get("closed"),
        }
    }
}

impl Choices {
    /// The choices that lead to a report, as of now. A period that is not of whole days cannot be chosen.
    pub fn of(report: &ReportAt) -> Self {
        let ReportAt { selection, layout, as_of: _ } = report;
        let period = match report.period().shape() {
            PeriodShape::Month(first) => PeriodText::Month(Some(first.format("%Y-%m").to_string())),
            PeriodShape::Days(first, last) => PeriodText::Days { from: first.to_string(), through: last.to_string() },
            PeriodShape::Times => PeriodText::Month(None),
        };
        Self {
            period,
            zone: Some(layout.time_zone),
            group_by: layout.group_by,
            window: layout.window,
            renditions: selection.renditions,
            domain: selection.domain.clone(),
            app: selection.app.clone(),
            stream: selection.stream.clone(),
            sort: SortBy::default(),
            as_of: None,
            closed: None,
        }
    }

    /// The report that is chosen, in the time zone of the view.
    pub fn resolve(&self, view: View) -> Result<PushDurationQuery, FieldError> {
        let text = view.language;
        let (first, last) = self.days(view)?;
        if self.window == WindowSize::Hour && (last - first).num_days() >= MAX_DAYS_OF_HOURS {
            return Err(FieldError::new("window", text.reports_too_many_hours(MAX_DAYS_OF_HOURS)));
        }
        let period = Period::of_days(first, last, view.zone);
        let period = period.ok_or_else(|| FieldError::new("from", text.reports_not_a_date()))?;
        let selection = ReportSelection {
            from: period.from,
            to: period.to,
            visible_domains: None,
            domain: self.domain.clone(),
            app: self.app.clone(),
            stream: self.stream.clone(),
            search: None,
            renditions: self.renditions,
        };
        Ok(PushDurationQuery {
            asked: Asked { selection, time_zone: view.zone, as_of: self.as_of },
            layout: Layout { time_zone: view.zone, window: self.window, group_by: self.group_by },
        })
    }

    /// The first and the last date of the period.
    fn days(&self, view: View) -> Result<(NaiveDate, NaiveDate), FieldError> {
        let text = view.language;
        match &self.period {
            PeriodText::Month(month) => {
                let first = match month {
                    None => Some(month_from_now(view, -1)),
                    Some(month) => read_date(&format!("{month}-01")),
                };
                let first = first.ok_or_else(|| FieldError::new("month", text.reports_not_a_month()))?;
                Ok((first, month_after(first, 1).pred_opt().unwrap_or(first)))
            }
            PeriodText::Days { from, through } => {
                let date = |field, typed: &str| {
                    read_date(typed).ok_or_else(|| FieldError::new(field, text.reports_not_a_date()))
                };
                let first = date("from", from)?;
                let last = date("through", through)?;
                if last < first {
                    return Err(FieldError::new("through", text.reports_ends_before_start()));
                }
                Ok((first, last))
            }
        }
    }

    /// The page with other choices.
    pub fn link(&self, changed: &[(&str, Option<&str>)]) -> String {
        let (month, from, through) = match &self.period {
            PeriodText::Month(month) => (month.as_deref(), None, None),
            PeriodText::Days { from, through } => (None, Some(from.as_str()), Some(through.as_str())),
        };
        let own = [
            ("month", month),
            ("from", from),
            ("through", through),
            ("time_zone", self.zone.map(Tz::name)),
            ("group_by", Some(self.group_by.as_str())),
            ("window", Some(self.window.as_str())),
            ("renditions", Some(self.renditions.as_str())),
            ("domain", self.domain.as_deref()),
            ("app", self.app.as_deref()),
            ("stream", self.stream.as_deref()),
            ("sort", unless_default(self.sort)),
        ];
        let unchanged = own.into_iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
        links::with(&links::reports(), &unchanged.chain(changed.iter().copied()).collect::<Vec<_>>())
    }

    fn link_of_month(&self, first: NaiveDate) -> String {
        let month = first.format("%Y-%m").to_string();
        self.link(&[("month", Some(&month)), ("from", None), ("through", None)])
    }

    /// The form, with the errors of the draft. `domains` are those to choose from.
    pub fn form(&self, view: View, domains: &[String], draft: &Draft) -> Markup {
        let text = view.language;
        let days = self.days(view).ok();
        html! {
            (self.tabs(text, view, days))
            form.filters method="get" action=(links::reports()) {
                (self.period_fields(text, days, draft))
                label { (text.time_zone()) (zone_select("time_zone", view)) }
                label { (text.reports_group_by()) select name="group_by" {
                    @for group in GROUPS { (option(group.as_str(), &naming::grouping(text, group), self.group_by.as_str())) }
                } }
                label { (text.reports_rows())
                    select name="window" aria-invalid=[draft.invalid("window")] aria-describedby=[draft.described_by("window")] {
                        @for size in WindowSize::ALL {
                            (option(size.as_str(), &naming::window_size(text, *size), self.window.as_str()))
                        }
                    }
                    (draft.error("window"))
                }
                label { (text.reports_renditions()) select name="renditions" {
                    @for one in Renditions::ALL { (option(one.as_str(), &naming::renditions(text, *one), self.renditions.as_str())) }
                } }
                (self.name_fields(text, domains))
                input type="hidden" name="sort" value=(self.sort.as_str());
                button.primary { (text.reports_show()) }
            }
        }
    }

    fn tabs(&self, text: Language, view: View, days: Option<(NaiveDate, NaiveDate)>) -> Markup {
        let is_month = matches!(self.period, PeriodText::Month(_));
        let last_month = month_from_now(view, -1);
        let (first, last) = days.unwrap_or((last_month, month_after(last_month, 1).pred_opt().unwrap_or(last_month)));
        let [from, through] = [first, last].map(|date| date.to_string());
        let own_period = self.link(&[("month", None), ("from", Some(&from)), ("through", Some(&through))]);
        html! {
            nav.tabs aria-label=(text.reports_period()) {
                a href=(self.link_of_month(first)) aria-current=[is_month.then_some("true")] { (text.reports_by_month()) }
                a href=(own_period) aria-current=[(!is_month).then_some("true")] { (text.reports_own_period()) }
            }
            @if is_month {
                div.actions.months {
                    @for months in [-1, 1] {
                        @let month = month_after(first, months);
                        @let name = naming::month(text, month);
                        @if is_supported(month) {
                            a.button.small href=(self.link_of_month(month)) rel=(if months < 0 { "prev" } else { "next" }) {
                                @if months < 0 { "‹ " (name) } @else { (name) " ›" }
                            }
                        }
                    }
                    @for (months, name) in [(-1, text.reports_last_month()), (0, text.reports_this_month())] {
                        @let month = month_from_now(view, months);
                        a href=(self.link_of_month(month)) aria-current=[(days.is_some() && month == first).then_some("true")] { (name) }
                    }
                }
            }
        }
    }

    fn period_fields(&self, text: Language, days: Option<(NaiveDate, NaiveDate)>, draft: &Draft) -> Markup {
        match &self.period {
            PeriodText::Month(month) => {
                let chosen = days.map(|(first, _)| first.format("%Y-%m").to_string());
                let value = month.clone().or(chosen).unwrap_or_default();
                input(&text.reports_month(), "month", "month", &value, draft)
            }
            PeriodText::Days { from, through } => html! {
                (input(&text.reports_from(), "date", "from", from, draft))
                (input(&text.reports_through(), "date", "through", through, draft))
            },
        }
    }

    fn name_fields(&self, text: Language, domains: &[String]) -> Markup {
        let chosen = self.domain.as_deref().unwrap_or_default();
        let unlisted = Some(chosen).filter(|domain| !domain.is_empty() && !domains.iter().any(|known| known == domain));
        let name = |label: &str, name: &str, value: &Option<String>| {
            html! { label { (label) input type="text" name=(name) value=[value.as_ref()] maxlength="512" placeholder=(text.reports_exact_name()) spellcheck="false" autocapitalize="off"; } }
        };
        html! {
            label { (text.domain()) select name="domain" {
                (option("", &text.all_domains(), chosen))
                @for domain in unlisted.into_iter().chain(domains.iter().map(String::as_str)) { (option(domain, domain, chosen)) }
            } }
            (name(&text.app(), "app", &self.app))
            (name(&text.stream(), "stream", &self.stream))
        }
    }
}

fn option(value: &str, name: &str, chosen: &str) -> Markup {
    html! { option value=(value) selected[value == chosen] { (name) } }
}

/// A field of a type that cannot hold a wrong value: with one, it is a text.
fn input(label: &str, kind: &str, name: &str, value: &str, draft: &Draft) -> Markup {
    let invalid = draft.invalid(name);
    html! {
        label { (label)
            input type=(if invalid.is_some() { "text" } else { kind }) name=(name) value=(value) required
                aria-invalid=[invalid] aria-describedby=[draft.described_by(name)];
            (draft.error(name))
        }
    }
}

/// The month that is so many months from now, by its first date.
fn month_from_now(view: View, months: i32) -> NaiveDate {
    let today = view.local(view.now).date_naive();
    month_after(today.with_day(1).unwrap_or(today), months)
}

fn month_after(first: NaiveDate, months: i32) -> NaiveDate {
    let count = Months::new(months.unsigned_abs());
    let month = if months < 0 { first.checked_sub_months(count) } else { first.checked_add_months(count) };
    month.unwrap_or(first)
}
