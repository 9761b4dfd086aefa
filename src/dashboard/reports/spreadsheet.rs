//! Workbooks of reports, with titles in the visitor's language and times in the report's time zone.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};

use super::super::error::PageError;
use super::super::visitor::BillingVisitor;
use super::restrict;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::files::{FileFormat, Held};
use crate::http::reports::counted::CountedSelection;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::http::reports::timing::{Kind, Timing};
use crate::http::reports::{self, counted, push_duration, sealed};
use crate::model::parameter::Parameters;
use crate::model::report::Certainty;

#[get("/reports/file")]
pub async fn download_report(
    visitor: BillingVisitor,
    state: Data<AppState>,
    query: Result<Query<PushDurationQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(query) = query?;
    let held = Held::take(&state, &visitor.principal, FileFormat::Xlsx, Timing::begin(Kind::PushDuration))?;
    let PushDurationQuery { asked, layout } = restrict(query, &visitor.principal);
    let cutoff = reports::close(&state, asked.as_of).await?;
    let text = visitor.view.language;
    let wording = text.wording(text.reports_push_hours());
    let selection = &asked.selection;
    Ok(push_duration::file_of(&state, selection, layout, &cutoff, FileFormat::Xlsx, wording, held).await?)
}

/// The sessions of a report, perhaps only those of a certainty.
pub struct SessionFileQuery {
    counted_as: Option<Certainty>,
    report: PushDurationQuery,
}

impl FromQuery for SessionFileQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { counted_as: query.get("counted_as"), report: PushDurationQuery::from_query(query) }
    }
}

#[get("/reports/sessions/file")]
pub async fn download_sessions(
    visitor: BillingVisitor,
    state: Data<AppState>,
    query: Result<Query<SessionFileQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(SessionFileQuery { counted_as, report }) = query?;
    let held = Held::take(&state, &visitor.principal, FileFormat::Xlsx, Timing::begin(Kind::CountedSessions))?;
    let PushDurationQuery { asked, layout } = restrict(report, &visitor.principal);
    let cutoff = reports::close(&state, asked.as_of).await?;
    let text = visitor.view.language;
    let wording = text.wording(text.reports_sessions());
    let counted = CountedSelection { selection: &asked.selection, zone: layout.time_zone, counted_as };
    Ok(counted::file_of(&state, &counted, &cutoff, FileFormat::Xlsx, wording, held).await?)
}

#[get("/reports/sealed/{sealed_report_id}/file")]
pub async fn download_sealed(
    visitor: BillingVisitor,
    state: Data<AppState>,
    sealed_report_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let report = sealed::find(&state, &visitor.principal, &sealed_report_id).await?;
    let held = Held::take(&state, &visitor.principal, FileFormat::Xlsx, Timing::begin(Kind::SealedReport))?;
    let text = visitor.view.language;
    Ok(sealed::workbook_of(&state, &report, text.wording(text.reports_push_hours()), held).await?)
}
