//! Reports and lists as files: CSV for programs, workbooks for Excel.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, ContentEncoding};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::time::timeout;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::api::query_reader::QueryReader;
use crate::app::quota::Share;
use crate::app::state::AppState;
use crate::http::reports::timing::Timing;
use crate::model::filter::{CsvOptions, Filter, FormatOptions};
use crate::model::report::ReportFormat;
use crate::report::ReportError;
use crate::report::file;
use crate::report::file::table::{Line, Table};

const CSV: &str = "text/csv; charset=utf-8; header=present";
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// How long a response waits for its first bytes. With the time until `as_of` is fixed, shorter than the response timeout.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(8);

/// The requested format of a list or a report.
#[derive(Debug, Clone, Copy)]
pub struct FormatRequest {
    format: Option<ReportFormat>,
    bom: bool,
    has_pages: bool,
}

/// A format that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Csv { bom: bool },
    Xlsx,
}

impl FileFormat {
    /// The parameters that request it.
    pub fn to_query(self) -> &'static str {
        match self {
            Self::Csv { bom: false } => "format=csv",
            Self::Csv { bom: true } => "format=csv&bom=true",
            Self::Xlsx => "format=xlsx",
        }
    }
}

/// A workbook, in the API document.
pub struct Workbook;

impl ToSchema for Workbook {}

impl PartialSchema for Workbook {
    fn schema() -> RefOr<Schema> {
        Object::builder().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl FormatRequest {
    /// Call it before the page is read, as cursors are not bound to the format.
    pub fn read(query: &mut QueryReader) -> Self {
        let FormatOptions { format } = FormatOptions::read(query);
        let CsvOptions { bom } = CsvOptions::read(query);
        let has_pages = query.has("limit") || query.has("cursor");
        if let Some(file @ (ReportFormat::Csv | ReportFormat::Xlsx)) = format
            && has_pages
        {
            query.reject("format", format!("{file} has no pages: omit limit and cursor"));
        }
        Self { format, bom: bom.unwrap_or_default(), has_pages }
    }

    /// The format of the file; `None` for JSON.
    ///
    /// # Errors
    /// A byte order mark is requested for another format than CSV.
    pub fn resolve(self, request: &HttpRequest) -> Result<Option<FileFormat>, ApiError> {
        let by_accept = || if self.has_pages { ReportFormat::Json } else { preferred_format(request) };
        let file = match self.format.unwrap_or_else(by_accept) {
            ReportFormat::Csv => return Ok(Some(FileFormat::Csv { bom: self.bom })),
            ReportFormat::Json => None,
            ReportFormat::Xlsx => Some(FileFormat::Xlsx),
        };
        if self.bom { Err(ApiError::invalid("bom", "needs format=csv")) } else { Ok(file) }
    }
}

/// The format that the caller prefers by `Accept`; JSON unless another one is preferred.
pub(crate) fn preferred_format(request: &HttpRequest) -> ReportFormat {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let quality = |part: &str| -> f32 {
        part.split(';').find_map(|parameter| parameter.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0)
    };
    let of = |wanted: &str| {
        let fits = |part: &&str| part.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted));
        accept.split(',').filter(fits).map(quality).fold(0.0, f32::max)
    };
    let (json, csv, xlsx) = (of("application/json"), of("text/csv"), of(XLSX));
    if csv > json && csv >= xlsx {
        ReportFormat::Csv
    } else if xlsx > json {
        ReportFormat::Xlsx
    } else {
        ReportFormat::Json
    }
}

/// What a file needs besides its lines. It is held until the last byte is sent.
#[derive(Debug)]
pub struct Held {
    _timing: Timing,
    /// Workbooks take space on disk while they are made.
    _share: Option<Share>,
}

impl Held {
    /// # Errors
    /// The token, or all tokens together, have reached their limit of workbooks.
    pub fn take(state: &AppState, principal: &Principal, format: FileFormat, timing: Timing) -> Result<Self, ApiError> {
        let share = match format {
            FileFormat::Csv { .. } => None,
            FileFormat::Xlsx => Some(state.workbooks.try_take(principal)?),
        };
        Ok(Self { _timing: timing, _share: share })
    }
}

/// A file of these lines.
///
/// # Errors
/// What fails before the first bytes. What fails later aborts the response, so that the client notices it.
pub async fn respond(
    format: FileFormat,
    name: &str,
    table: Table,
    lines: impl Stream<Item = Result<Line, ReportError>> + Send + 'static,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    let answer = match format {
        FileFormat::Csv { .. } => csv_answer(name),
        FileFormat::Xlsx => xlsx_answer(name),
    };
    begin(answer, write(format, table, lines), held).await
}

/// The bytes of a file.
pub fn write(
    format: FileFormat,
    table: Table,
    lines: impl Stream<Item = Result<Line, ReportError>> + Send + 'static,
) -> BoxStream<'static, Result<Bytes, ReportError>> {
    match format {
        FileFormat::Csv { bom } => file::csv(&table, lines, bom).boxed(),
        FileFormat::Xlsx => file::xlsx(table, lines).boxed(),
    }
}

async fn begin(
    mut answer: HttpResponseBuilder,
    bytes: impl Stream<Item = Result<Bytes, ReportError>> + 'static,
    held: Held,
) -> Result<HttpResponse, ApiError> {
    let bytes = bytes.map_err(ApiError::from).inspect(move |_| {
        let _ = &held;
    });
    let mut bytes = Box::pin(bytes.peekable());
    // A file that takes longer begins with its headers.
    if let Ok(Some(Err(_))) = timeout(FIRST_BYTES_TIMEOUT, bytes.as_mut().peek()).await
        && let Some(Err(error)) = bytes.next().await
    {
        return Err(error);
    }
    Ok(answer.streaming(bytes))
}

/// An answer that a browser stores as a file of this name.
pub(crate) fn csv_answer(name: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, CSV));
    answer.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")));
    answer
}

fn xlsx_answer(name: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, XLSX));
    answer.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.xlsx\"")));
    // It is compressed.
    answer.insert_header(ContentEncoding::Identity);
    answer
}
