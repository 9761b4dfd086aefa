//! Reports for billing. All pages need the scope `billing` alone; links to other pages need `read`.
//!
//! - [`page`]: a report, with its [`choices`], its [`table`], what is [`unsettled`], and the sealed reports.
//! - [`sessions`]: the sessions behind a number.
//! - [`closing`]: seals the report of a period that is over.
//! - [`difference`]: compares a sealed report with today.
//! - [`spreadsheet`]: workbooks for Excel.
//!
//! [`page`] has parameters for people, such as `month`. All other pages have those of the API, so a link names exactly one
//! report, as of one moment ([`ReportAt`]).

mod choices;
mod closing;
mod difference;
mod naming;
mod page;
mod sealed_list;
mod sessions;
mod spreadsheet;
mod table;
mod unsettled;

use actix_web::web::ServiceConfig;
use chrono::{DateTime, Utc};

use super::links;
use super::view::View;
use crate::access::Principal;
use crate::app::state::AppState;
use crate::http::reports::ParametersView;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::model::report::{Certainty, GroupBy, WindowSize};
use crate::report::ReportError;
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::{GroupName, Layout, ReportSelection};
use crate::report::period::Period;
use crate::report::push_duration::PushDuration;
use crate::report::sweep::WindowTotals;
use choices::Choices;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(page::show_reports)
        .service(sessions::show_report_sessions)
        .service(closing::show_closing)
        .service(closing::close_period)
        .service(spreadsheet::download_report)
        .service(spreadsheet::download_sessions)
        .service(spreadsheet::download_sealed)
        .service(difference::show_difference)
        .service(difference::download_difference);
}

/// A report as of a moment.
#[derive(Debug, Clone)]
struct ReportAt {
    selection: ReportSelection,
    layout: Layout,
    as_of: DateTime<Utc>,
}

impl ReportAt {
    fn new(query: PushDurationQuery, as_of: DateTime<Utc>) -> Self {
        Self { selection: query.asked.selection, layout: query.layout, as_of }
    }

    fn period(&self) -> Period {
        Period::of(&self.selection, self.layout.time_zone)
    }

    /// Whether the period is over.
    fn is_over(&self) -> bool {
        self.selection.to <= self.as_of
    }

    /// The view with times in the report's time zone.
    fn view(&self, view: View) -> View {
        View { zone: self.layout.time_zone, ..view }
    }

    /// The parameters of the API.
    fn parameters(&self) -> ParametersView {
        ParametersView::of_push_duration(&self.selection, self.layout, self.as_of)
    }

    /// Another page or file of this report.
    fn path(&self, path: &str) -> String {
        format!("{path}?{}", self.parameters().to_query())
    }

    /// The page of the sessions of this report; optionally only those of a certainty.
    fn sessions(&self, certainty: Option<Certainty>) -> String {
        self.sessions_at(&links::page("reports/sessions"), certainty)
    }

    /// Another page or file of these sessions.
    fn sessions_at(&self, path: &str, certainty: Option<Certainty>) -> String {
        let path = self.path(path);
        certainty.map_or(path.clone(), |certainty| format!("{path}&counted_as={}", certainty.as_str()))
    }

    /// The part of this report that one of its rows counts.
    fn row(&self, name: &GroupName, window: (DateTime<Utc>, DateTime<Utc>)) -> Self {
        let selection = ReportSelection {
            from: window.0,
            to: window.1,
            domain: name.domain.clone().or_else(|| self.selection.domain.clone()),
            app: name.app.clone().or_else(|| self.selection.app.clone()),
            stream: name.stream.clone().or_else(|| self.selection.stream.clone()),
            ..self.selection.clone()
        };
        Self { selection, ..self.clone() }
    }

    /// The report's page, as of now; `more` are further parameters.
    fn page(&self, more: &[(&str, Option<&str>)]) -> String {
        Choices::of(self).link(more)
    }

    /// The totals, without the rows.
    async fn total(&self, state: &AppState, cutoff: &ReportCutoff) -> Result<WindowTotals, ReportError> {
        let layout = Layout { window: WindowSize::Whole, group_by: GroupBy::NOTHING, ..self.layout };
        PushDuration::begin(state.report_pool.clone(), &self.selection, layout, cutoff, None).finish().await
    }
}

/// The request, restricted to what the visitor may see.
fn restrict(mut query: PushDurationQuery, principal: &Principal) -> PushDurationQuery {
    query.asked.selection.visible_domains = principal.visible_domains().map(<[String]>::to_vec);
    query
}
