//! Lifetime of connections, and the announcement of their end.
//!
//! A request that arrives while the server closes its connection is lost: most clients do not retry a POST. Therefore:
//!
//! - The last response on a connection has `Connection: close`. If the body of the request is unfinished, the server
//!   adds the header itself, and closes only after the client has had time to read the response. This module adds it
//!   where the server would close without it, and while the service stops.
//! - Every other response tells the client how long the connection is kept: longer than the connection pools of usual
//!   clients keep it.
//! - Only [`Connections::sweep`] cuts connections, and only during the client's turn: the client is idle, has sent a
//!   part of a request's head, or does not read the response. A connection with unread data gets another sweep, so that
//!   the server can read it. A request that is still in the network cannot be detected.
//!
//! [`super::room`] decides which connections close after a response because space is scarce.
//!
//! Three kinds of close cannot be announced, because the server has no setting for them. It answers a malformed head on
//! a used connection with 400 or 431 and closes at once, without `Connection: close`. When it stops, it closes idle
//! connections without reading them, after `ANNOUNCEMENT`. And if the head of a response was sent before the service
//! started to stop, the head cannot change.

use std::any::Any;
use std::net::{self, Shutdown};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse as Answer};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest};
use pin_project_lite::pin_project;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::room::{Place, Room};

const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Number of sweeps that a client may be inactive: 3 minutes. Usual connection pools keep an idle connection for 60 to
/// 120 seconds.
const MAX_SWEEPS: u32 = 6;

/// Special value of `sweeps`: it is the service's turn.
const BUSY: u32 = u32::MAX;

/// Makes clients close an idle connection before a sweep cuts it.
const KEEP_ALIVE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("keep-alive"), HeaderValue::from_static("timeout=170"));

/// For how long responses have `Connection: close` before the service stops.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);

/// How often to check whether all connections are closed.
const ANNOUNCEMENT_CHECK: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub struct Connections {
    room: Arc<Room>,
    open: Arc<Mutex<Vec<Weak<Connection>>>>,
    stopping: Arc<AtomicBool>,
}

/// An open connection. The server owns it for the lifetime of the connection.
struct Connection {
    /// A duplicate of the server's socket, which the server does not give access to.
    socket: net::TcpStream,
    place: Place,
    /// Number of sweeps since the client's turn began, or [`BUSY`].
    sweeps: AtomicU32,
    stopping: Arc<AtomicBool>,
}

impl Connection {
    /// A new connection waits for its first request, for which the server has its own timeout.
    fn new(socket: net::TcpStream, place: Place, stopping: Arc<AtomicBool>) -> Self {
        Self { socket, place, sweeps: AtomicU32::new(BUSY), stopping }
    }

    fn is_kept(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && !self.place.gives_way()
    }

    fn begin_service_turn(&self) {
        self.sweeps.store(BUSY, Ordering::Relaxed);
    }

    fn begin_client_turn(&self) {
        self.sweeps.store(0, Ordering::Relaxed);
    }

    /// Counts a sweep. Returns whether the client has been inactive for too many of them.
    fn is_overdue(&self) -> bool {
        let count = |sweeps| (sweeps != BUSY).then(|| sweeps + 1);
        match self.sweeps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) {
            // The server has until the next sweep to read the data.
            Ok(MAX_SWEEPS) => !self.has_unread(),
            Ok(sweeps) => sweeps > MAX_SWEEPS,
            Err(_busy) => false,
        }
    }

    /// Whether there is data that the server has not read.
    fn has_unread(&self) -> bool {
        self.socket.peek(&mut [0]).is_ok_and(|length| length > 0)
    }

    /// No effect on a closed connection. A TLS client gets no `close_notify`, because the server owns the TLS session.
    fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Keeps the rest of a rejected body until the response is sent. The server closes the connection if a body is
/// unfinished. But if a chunked body is dropped, the server reads the rest of it, however long that takes.
pub(crate) fn leave_unread(request: &HttpRequest, body: Payload) {
    request.extensions_mut().insert(body);
}

pin_project! {
    /// The body of a response, and its connection.
    struct Answering<B> {
        #[pin]
        body: B,
        connection: Option<Arc<Connection>>,
        unread: Option<Payload>,
    }
}

impl<B: MessageBody> MessageBody for Answering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        let part = this.body.poll_next(context);
        if let Some(connection) = this.connection {
            if part.is_pending() {
                connection.begin_service_turn();
            } else {
                connection.begin_client_turn();
            }
        }
        part
    }
}

/// Records that a callback from this connection was stored.
pub(crate) fn note_callback(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Arc<Connection>>() {
        connection.place.note_callback();
    }
}

impl Connections {
    pub fn new(room: Room) -> Self {
        Self { room: Arc::new(room), open: Arc::default(), stopping: Arc::default() }
    }

    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Registers a new connection, or closes it if its address has too many. A connection whose socket cannot be
    /// duplicated cannot be swept; it is closed after its first response.
    pub(crate) fn add(&self, stream: &dyn Any, of_connection: &mut Extensions) {
        let plain = stream.downcast_ref::<TcpStream>();
        let stream = plain.or_else(|| stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0));
        let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) else { return };
        let socket = net::TcpStream::from(socket);
        let Ok(peer) = socket.peer_addr() else { return };
        let Some(place) = self.room.enter(peer.ip()) else {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        };
        let connection = Arc::new(Connection::new(socket, place, Arc::clone(&self.stopping)));
        let mut open = self.open();
        if open.len() == open.capacity() {
            open.retain(|connection| connection.strong_count() > 0);
        }
        open.push(Arc::downgrade(&connection));
        drop(open);
        of_connection.insert(connection);
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the connections of inactive clients. Returns how many it cut.
    pub fn sweep(&self) -> usize {
        let mut cut = 0;
        self.open().retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            let overdue = connection.is_overdue();
            if overdue {
                connection.cut();
                cut += 1;
            }
            !overdue
        });
        cut
    }

    /// Sweeps until stopped. A connection is cut 180 to 210 seconds after the client's turn began, or 30 seconds later with
    /// unread data.
    pub async fn sweep_until_stopped(self, stopped: CancellationToken) {
        while stopped.run_until_cancelled(sleep(SWEEP_INTERVAL)).await.is_some() {
            let cut = self.sweep();
            if cut > 0 {
                tracing::debug!(cut, "connections were cut whose clients did nothing");
            }
        }
    }

    /// From now on, each response is the last on its connection and announces that. Waits until all connections are
    /// closed, at most a second: then the server closes the remaining ones, which are idle.
    pub async fn announce_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let all_closed = async {
            while self.open().iter().any(|connection| connection.strong_count() > 0) {
                sleep(ANNOUNCEMENT_CHECK).await;
            }
        };
        let _ = timeout(ANNOUNCEMENT, all_closed).await;
    }
}

/// Tracks whose turn it is on a connection, and tells the client in the response whether the connection is kept.
pub(crate) async fn note_activity(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    if let Some(connection) = &connection {
        connection.begin_service_turn();
    }
    // The server closes the connection after a request that offers an upgrade, but would send `Connection: upgrade`.
    let offers_upgrade = request.head().upgrade();
    let answer = next.call(request).await;
    if let Some(connection) = &connection {
        connection.begin_client_turn();
    }
    let mut answer = answer.map_err(|mut error| {
        error.add_response_mapper(|mut response| {
            response.head_mut().set_connection_type(ConnectionType::Close);
            response
        });
        error
    })?;
    let is_kept = connection.as_ref().is_some_and(|connection| connection.is_kept());
    let head = answer.response_mut().head_mut();
    if is_kept && !offers_upgrade {
        let (name, value) = KEEP_ALIVE;
        head.headers_mut().insert(name, value);
    } else {
        head.set_connection_type(ConnectionType::Close);
    }
    let unread = answer.request().extensions_mut().remove::<Payload>();
    Ok(answer.map_body(|_, body| Answering { body, connection, unread }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use super::{Connection, MAX_SWEEPS, Room};
    use crate::app::client_address::TrustedProxies;

    /// A client and its connection, for which the next sweep is the last.
    fn idle() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let place = Arc::new(Room::new(10, 10, TrustedProxies::default())).enter(peer.ip()).unwrap();
        let connection = Connection::new(socket, place, Arc::default());
        connection.begin_client_turn();
        assert!((0..MAX_SWEEPS).all(|_| !connection.is_overdue()));
        (client, connection)
    }

    #[test]
    fn unread_data_saves_a_connection_for_one_sweep() {
        let (mut client, connection) = idle();
        client.write_all(b"GET").unwrap();
        // Wait until the data has arrived.
        connection.socket.peek(&mut [0]).unwrap();
        connection.socket.set_nonblocking(true).unwrap();
        assert!(!connection.is_overdue());
        assert!(connection.is_overdue());
    }

    #[test]
    fn nothing_saves_an_idle_connection() {
        let (_client, connection) = idle();
        connection.socket.set_nonblocking(true).unwrap();
        assert!(connection.is_overdue());
    }
}
