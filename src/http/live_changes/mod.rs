//! `/v1/live/changes`: every change of a session as it happens, as server-sent events.

mod feed;
mod text;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use utoipa::IntoParams;

use super::extract::{Access, Read};
use super::problem::ApiError;
use super::query_string::{FromQuery, Query, QueryReader};
use super::refusals::Refusals;
use super::state::AppState;
use super::streams::read_renditions;
use super::words::RenditionsWanted;
use crate::access::{Principal, Scope};
use crate::clock;
use crate::query::changes::Positions;
use crate::store::session::SessionRow;
use crate::store::session_list::Renditions;
pub use feed::Feed;
use text::{Stretch, Wanted, read_resume_point, resume_point, sign_of_life};

/// How long a listener hears nothing at most.
const SILENCE: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Which changes are wanted.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListenQuery {
    /// Exact ingest domain.
    domain: Option<String>,
    /// Exact application.
    app: Option<String>,
    /// Whether transcoded renditions are wanted.
    #[param(value_type = Option<RenditionsWanted>, default = "include")]
    renditions: Renditions,
}

impl FromQuery for ListenQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self {
            domain: query.text("domain"),
            app: query.text("app"),
            renditions: read_renditions(query).unwrap_or(Renditions::Include),
        }
    }
}

impl ListenQuery {
    fn wants(&self, session: &SessionRow) -> bool {
        let is_rendition = session.rendition_template.is_some();
        self.domain.as_ref().is_none_or(|domain| *domain == session.domain)
            && self.app.as_ref().is_none_or(|app| *app == session.app)
            && match self.renditions {
                Renditions::Include => true,
                Renditions::Exclude => !is_rendition,
                Renditions::Only => is_rendition,
            }
    }
}

/// Listen to changes
///
/// Each `event: session` carries a session that has changed, as it now is: it began, ended, or anything else about it is
/// new. Its `id` is a point to resume from: whoever comes back with it as `Last-Event-ID` misses nothing, however long
/// they were away (as far as the log is kept), and may see some changes twice. Without it, only what changes from now on is told. A comment every 15
/// seconds keeps the connection open. Who does not keep up is cut off, and may resume.
#[utoipa::path(
    tag = "dashboards",
    params(
        ListenQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen"),
    ),
    responses(
        (
            status = 200,
            description = "Changes, until the caller goes; the data of each is a `Session`",
            body = String,
            content_type = "text/event-stream",
            example = "id: q83v…\n\nevent: session\nid: r94w…\ndata: {\"session_id\":\"5708bd73-…\",…}\n\n: \n\n",
        ),
        Refusals,
    ),
)]
#[get("/v1/live/changes")]
pub async fn listen_to_changes(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(wanted): Query<ListenQuery>,
) -> Result<HttpResponse, ApiError> {
    let changes = state.feed.listen();
    let seen = match request.headers().get(LAST_EVENT_ID) {
        None => state.feed.positions().await?,
        Some(id) => resume(&state, id).await?,
    };
    let begin = sign_of_life(&resume_point(&state.sealer, &seen));
    let listener = Listener { state, principal, wanted, seen, changes, caught_up: false, begin: Some(begin) };
    let events = stream::unfold(listener, |mut listener| async move {
        let said = listener.next().await?;
        Some((Ok::<_, actix_web::Error>(said), listener))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Or it would wait until there is enough to be compressed.
        .insert_header((CONTENT_ENCODING, ContentEncoding::Identity))
        .streaming(events))
}

/// What a listener who comes back has seen.
async fn resume(state: &AppState, id: &HeaderValue) -> Result<Positions, ApiError> {
    let seen = id.to_str().ok().and_then(|id| read_resume_point(&state.sealer, id));
    let seen = seen.ok_or_else(|| ApiError::invalid(LAST_EVENT_ID, "is no id of an event of this feed"))?;
    if state.feed.has_forgotten(&seen).await? {
        let reason = "is older than the log reaches back: begin anew without it, after reading what is live";
        return Err(ApiError::invalid(LAST_EVENT_ID, reason));
    }
    Ok(seen)
}

/// Whoever listens, and what they have seen.
struct Listener {
    state: Data<AppState>,
    principal: Principal,
    wanted: ListenQuery,
    seen: Positions,
    changes: Receiver<Arc<Stretch>>,
    caught_up: bool,
    begin: Option<Bytes>,
}

impl Listener {
    /// What is to be said next; `None` when the conversation is over: the service stops, the token is no longer valid,
    /// the listener is too slow, or the database failed. In all but the second case resuming helps.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(begin) = self.begin.take() {
            return Some(begin);
        }
        loop {
            if !self.caught_up {
                let stretch = self.state.feed.read(&self.seen).await.ok()?;
                self.caught_up = stretch.to == self.seen;
                let said = self.tell(&stretch)?;
                if !said.is_empty() {
                    return Some(said);
                }
                continue;
            }
            let feed = &self.state.feed;
            let heard = tokio::select! {
                heard = timeout(SILENCE, self.changes.recv()) => heard,
                () = feed.stopped() => return None,
            };
            let Ok(stretch) = heard else {
                self.renew()?;
                return Some(sign_of_life(&resume_point(&self.state.sealer, &self.seen)));
            };
            let stretch = stretch.ok()?;
            if is_before(&self.seen, &stretch.from) {
                self.caught_up = false;
            } else if is_before(&self.seen, &stretch.to) {
                let said = self.tell(&stretch)?;
                if !said.is_empty() {
                    return Some(said);
                }
            }
        }
    }

    /// Goes on to the end of a stretch: what of it is to be said, which may be nothing.
    fn tell(&mut self, stretch: &Stretch) -> Option<Bytes> {
        self.renew()?;
        self.seen.clone_from(&stretch.to);
        let session = |session: &SessionRow| self.principal.sees(&session.domain) && self.wanted.wants(session);
        Some(stretch.tell(&Wanted { session: &session, personal: self.principal.may(Scope::Personal) }))
    }

    /// The token's holder is who they are now, if it is still valid.
    fn renew(&mut self) -> Option<()> {
        self.principal = self.state.registry.current().tokens.renew(&self.principal, clock::now())?;
        Some(())
    }
}

/// Whether someone who has seen this lacks something of that.
fn is_before(seen: &Positions, that: &Positions) -> bool {
    seen.iter().zip(that).any(|(seen, that)| seen < that)
}
