//! `/v1/live/changes`: every change of a session as it happens, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::extract::{Access, Read};
use crate::access::Principal;
use crate::api::error_responses::Refusals;
use crate::api::event_stream::{Stretch, Telling, Wanted, position_event, read_resume_point, resume_point};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader, read_filter};
use crate::app::quota::Share;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::filter::LiveFilter;
use crate::model::session::Renditions;
use crate::platform::clock;
use crate::query::changes::{Changed, Positions};
use crate::store::session::SessionRow;

/// The longest time between two events that are sent to a listener.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Which changes are wanted.
pub struct ListenQuery(LiveFilter);

impl FromQuery for ListenQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self(read_filter(query))
    }
}

fn admits(filter: &LiveFilter, session: &SessionRow) -> bool {
    let is_rendition = session.rendition_template.is_some();
    filter.domain.as_ref().is_none_or(|domain| *domain == session.domain)
        && filter.app.as_ref().is_none_or(|app| *app == session.app)
        && match filter.renditions.unwrap_or_default() {
            Renditions::Include => true,
            Renditions::Exclude => !is_rendition,
            Renditions::Only => is_rendition,
        }
}

/// Listen to changes
///
/// Each `event: session` carries a session that has changed, as it now is: it began, ended, or anything else about it is
/// new. Its `id` is a point to resume from: whoever comes back with it as `Last-Event-ID` misses nothing, however long
/// they were away (as far as the log is kept), and may see some changes twice. Without it, only what changes from now on is told.
///
/// `event: position` opens the stream and follows whenever nothing was sent for 15 seconds. It has an `id` and empty data,
/// keeps the connection open, and moves the resume point past changes that the filters or the token leave out. Clients
/// ignore events whose name they do not know. Who does not keep up is cut off, and may resume.
///
/// A token, and the service, may have only so many listeners at a time (`--max-listeners-per-token`, `--max-listeners`).
#[utoipa::path(
    tag = "dashboards",
    params(
        LiveFilter,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen"),
    ),
    responses(
        (
            status = 200,
            description = "Changes, until the caller goes; the data of each is a `Session`",
            body = String,
            content_type = "text/event-stream",
            example = ": still here\nevent: position\nid: q83v…\ndata:\n\nevent: session\nid: r94w…\ndata: {\"session_id\":\"5708bd73-…\",…}\n\n",
        ),
        Refusals,
    ),
)]
#[get("/v1/live/changes")]
pub async fn listen_to_changes(
    Access { principal, .. }: Access<Read>,
    state: Data<AppState>,
    request: HttpRequest,
    Query(ListenQuery(filter)): Query<ListenQuery>,
) -> Result<HttpResponse, ApiError> {
    let share = state.listeners.try_take(&principal)?;
    let changes = state.feed.listen();
    let seen = match request.headers().get(LAST_EVENT_ID) {
        None => state.feed.positions().await?,
        Some(id) => resume(&state, id).await?,
    };
    let listener = Listener {
        state,
        principal,
        _share: share,
        filter,
        seen,
        telling: None,
        catching_up: CatchingUp::Behind,
        changes,
        heartbeat_at: Instant::now(),
    };
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
    _share: Share,
    filter: LiveFilter,
    /// The moment up to which everything was told.
    seen: Positions,
    /// What is being told.
    telling: Option<Telling>,
    catching_up: CatchingUp,
    changes: Receiver<Arc<Stretch>>,
    /// When the next heartbeat is due, unless something else is sent before. The first is due at once.
    heartbeat_at: Instant,
}

/// How far a listener is with what the feed told before it was listened to.
enum CatchingUp {
    /// It is to be found out what was missed.
    Behind,
    /// This was missed, and maybe more.
    Backlog(Changed),
    /// The feed tells all that is new.
    Done,
}

/// What came of listening.
enum Heard {
    Stretch(Arc<Stretch>),
    Nothing,
    End,
}

impl Listener {
    /// What is to be said next; `None` when the conversation is over: the service stops, the token is no longer valid,
    /// the listener is too slow, or the database failed. In all but the second case resuming helps.
    async fn next(&mut self) -> Option<Bytes> {
        while Instant::now() < self.heartbeat_at {
            self.renew()?;
            let said = self.tell();
            if !said.is_empty() {
                return Some(self.send(said));
            }
            match self.listen().await {
                Heard::Stretch(stretch) => self.telling = Some(Telling::begin(stretch)),
                Heard::Nothing => {}
                Heard::End => return None,
            }
        }
        self.renew()?;
        let heartbeat = position_event(&resume_point(&self.state.sealer, &self.seen));
        Some(self.send(heartbeat))
    }

    /// Only what is sent puts the heartbeat off: others' changes do not.
    fn send(&mut self, said: Bytes) -> Bytes {
        self.heartbeat_at = Instant::now() + HEARTBEAT_INTERVAL;
        said
    }

    /// The next piece of what is being told, and empty when all of it was.
    fn tell(&mut self) -> Bytes {
        let Some(mut telling) = self.telling.take() else { return Bytes::new() };
        let session = |session: &SessionRow| self.principal.sees(&session.domain) && admits(&self.filter, session);
        let wanted = Wanted { session: &session, personal: self.principal.may(Scope::Personal) };
        let said = telling.next_piece(&wanted);
        if said.is_empty() {
            self.seen = telling.end();
        } else {
            self.telling = Some(telling);
        }
        said
    }

    /// Reads what was missed, then listens to the feed until the heartbeat is due.
    async fn listen(&mut self) -> Heard {
        let feed = &self.state.feed;
        if feed.is_stopped() {
            return Heard::End;
        }
        match &mut self.catching_up {
            CatchingUp::Behind => {
                let Ok(backlog) = feed.list_backlog(&self.seen).await else { return Heard::End };
                let nothing = backlog.to == self.seen;
                self.catching_up = if nothing { CatchingUp::Done } else { CatchingUp::Backlog(backlog) };
                Heard::Nothing
            }
            CatchingUp::Backlog(backlog) => {
                let Ok(Some(stretch)) = feed.read(&self.seen, backlog).await else { return Heard::End };
                if backlog.sessions.is_empty() {
                    self.catching_up = CatchingUp::Behind;
                }
                Heard::Stretch(Arc::new(stretch))
            }
            CatchingUp::Done => self.listen_to_feed().await,
        }
    }

    async fn listen_to_feed(&mut self) -> Heard {
        let heard = tokio::select! {
            heard = timeout_at(self.heartbeat_at, self.changes.recv()) => heard,
            () = self.state.feed.stopped() => return Heard::End,
        };
        match heard {
            Ok(Ok(stretch)) if is_before(&self.seen, &stretch.from) => {
                self.catching_up = CatchingUp::Behind;
                Heard::Nothing
            }
            Ok(Ok(stretch)) if is_before(&self.seen, &stretch.to) => Heard::Stretch(stretch),
            Ok(Ok(_)) | Err(_) => Heard::Nothing,
            Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => Heard::End,
        }
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
