//! `/v1/live/changes`: changes of sessions as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::extract::{Access, RequireRead};
use crate::access::Principal;
use crate::api::error_responses::CommonErrors;
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

/// Maximum time between two events to a listener.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: &str = "Last-Event-ID";

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
        && filter.search.as_ref().is_none_or(|part| contains(&session.stream, part))
        && match filter.renditions.unwrap_or_default() {
            Renditions::Include => true,
            Renditions::Exclude => !is_rendition,
            Renditions::Only => is_rendition,
        }
}

/// As the live counts search: the case of other letters than A to Z matters.
fn contains(name: &str, part: &str) -> bool {
    name.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

/// Listen to changes
///
/// Each `event: session` carries the current state of a session that has started, ended, or changed otherwise. Send the `id`
/// of the last event as `Last-Event-ID` to resume: no change is missed, as far back as the log is retained, and some changes
/// may be repeated. Without it, the stream starts with the next change.
///
/// The stream starts with `event: position` and repeats it after 15 seconds without an event. It has an `id` and empty data.
/// It keeps the connection open and moves the resume point past changes that the filters or the token exclude. Ignore events
/// with unknown names. A listener that is too slow is disconnected and can resume.
///
/// The number of listeners is limited per token (`--max-listeners-per-token`) and in total (`--max-listeners`).
#[utoipa::path(
    tag = "dashboards",
    params(
        LiveFilter,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last received event"),
    ),
    responses(
        (
            status = 200,
            description = "Changes, until the caller disconnects; the data of each is a `Session`",
            body = String,
            content_type = "text/event-stream",
            example = ": still here\nevent: position\nid: q83v…\ndata:\n\nevent: session\nid: r94w…\ndata: {\"session_id\":\"006b02de-…\",…}\n\n",
        ),
        CommonErrors,
    ),
)]
#[get("/v1/live/changes")]
pub async fn listen_to_changes(
    Access { principal, .. }: Access<RequireRead>,
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
        // Compression would delay events.
        .insert_header((CONTENT_ENCODING, ContentEncoding::Identity))
        .streaming(events))
}

async fn resume(state: &AppState, id: &HeaderValue) -> Result<Positions, ApiError> {
    let seen = id.to_str().ok().and_then(|id| read_resume_point(&state.cipher, id));
    let seen = seen.ok_or_else(|| ApiError::invalid(LAST_EVENT_ID, "is not an ID of an event of this stream"))?;
    if state.feed.has_forgotten(&seen).await? {
        let reason = "is older than the log: read the live sessions, then listen without it";
        return Err(ApiError::invalid(LAST_EVENT_ID, reason));
    }
    Ok(seen)
}

struct Listener {
    state: Data<AppState>,
    principal: Principal,
    _share: Share,
    filter: LiveFilter,
    /// The positions up to which all changes were sent.
    seen: Positions,
    /// The changes that are being sent.
    telling: Option<Telling>,
    catching_up: CatchingUp,
    changes: Receiver<Arc<Stretch>>,
    /// When the next heartbeat is due if nothing else is sent. The first is due immediately.
    heartbeat_at: Instant,
}

/// Progress with the changes from before the listener subscribed to the feed.
enum CatchingUp {
    /// The missed changes are not known yet.
    Behind,
    /// These changes were missed, and possibly more.
    Backlog(Changed),
    /// The feed has all further changes.
    Done,
}

enum Heard {
    Stretch(Arc<Stretch>),
    Nothing,
    End,
}

impl Listener {
    /// The next bytes; `None` at the end of the stream: the service stops, the token is no longer valid, the listener
    /// is too slow, or the database failed. The client can resume, unless its token is no longer valid.
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
        let heartbeat = position_event(&resume_point(&self.state.cipher, &self.seen));
        Some(self.send(heartbeat))
    }

    /// Only sent bytes postpone the heartbeat: changes that are filtered out do not.
    fn send(&mut self, said: Bytes) -> Bytes {
        self.heartbeat_at = Instant::now() + HEARTBEAT_INTERVAL;
        said
    }

    /// The next chunk of the current changes; empty after the last.
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

    /// Reads missed changes first, then waits for the feed until the heartbeat is due.
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

    /// Reloads the token: its rights may have changed. `None` if it is no longer valid.
    fn renew(&mut self) -> Option<()> {
        self.principal = self.state.registry.current().tokens.renew(&self.principal, clock::now())?;
        Some(())
    }
}

fn is_before(seen: &Positions, that: &Positions) -> bool {
    seen.iter().zip(that).any(|(seen, that)| seen < that)
}
