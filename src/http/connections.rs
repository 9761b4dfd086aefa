//! Connections on which nothing happens any more are cut.
//!
//! The server ends a connection by itself when the head of its first request is late, and when a client of HTTP/1.1
//! idles. It would keep one for ever whose client stops within the head of a later request, never takes its answer, or
//! idles in HTTP/2. So the rule here is one for all: a connection on which no request has begun or been answered
//! between two sweeps is cut. Nor does it limit how many requests a client of HTTP/2 has open on one connection; that is
//! done here, too.

use std::any::Any;
use std::net::{self, Shutdown};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse as Answer};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

/// The time between two sweeps: longer than an idle connection of HTTP/1.1 is kept, and than any request takes.
const SWEEP: Duration = Duration::from_secs(90);

/// How many requests may be open on one connection, which only HTTP/2 can have more than one of. Beyond it the
/// connection is cut: a client that takes no answers could have any number of them wait for it.
const MOST_OPEN: usize = 256;

/// The open connections of all workers.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Connection>>>>);

/// One open connection. Kept by the server as long as it has the connection, so that it ends with it.
pub(super) struct Connection {
    /// The server's socket once more: what it owns itself cannot be had.
    socket: net::TcpStream,
    /// Whether something happened since the last sweep.
    active: AtomicBool,
    /// Requests that are not answered to the end.
    open: AtomicUsize,
}

impl Connection {
    fn note(&self) {
        self.active.store(true, Ordering::Relaxed);
    }

    fn cut(&self) {
        // Should it be closed already, so much the better.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A request from its begin to the end of its answer.
struct OpenRequest(Arc<Connection>);

impl OpenRequest {
    fn begin(connection: Arc<Connection>) -> Self {
        connection.note();
        if connection.open.fetch_add(1, Ordering::Relaxed) >= MOST_OPEN {
            connection.cut();
        }
        Self(connection)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.note();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// The body of an answer, and the request that it answers.
    struct Answering<B> {
        #[pin]
        body: B,
        request: Option<OpenRequest>,
    }
}

impl<B: MessageBody> MessageBody for Answering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        if let Some(request) = this.request {
            request.0.note();
        }
        this.body.poll_next(context)
    }
}

impl Connections {
    /// Takes note of a connection that was just opened. One whose socket cannot be had twice goes without.
    pub(super) fn add(&self, stream: &dyn Any, of_connection: &mut Extensions) {
        let plain = stream.downcast_ref::<TcpStream>();
        let stream = plain.or_else(|| stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0));
        let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) else { return };
        let connection =
            Arc::new(Connection { socket: socket.into(), active: AtomicBool::new(true), open: AtomicUsize::new(0) });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&connection));
        of_connection.insert(connection);
    }

    /// Cuts those on which nothing has happened since the last sweep. How many they were.
    pub fn sweep(&self) -> usize {
        let mut cut = 0;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            let active = connection.active.swap(false, Ordering::Relaxed);
            if !active {
                connection.cut();
                cut += 1;
            }
            active
        });
        cut
    }

    /// Sweeps every 90 seconds until stopped: a connection is cut 90 to 180 seconds after the last that happened on it.
    pub async fn sweep_until_stopped(self, stopped: CancellationToken) {
        while stopped.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
            let cut = self.sweep();
            if cut > 0 {
                tracing::debug!(cut, "connections were cut on which nothing happened");
            }
        }
    }
}

/// Notes that a request begins, that its answer goes out, and that this is done, on whatever connection it came by.
pub(super) async fn note_activity(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let open = request.conn_data::<Arc<Connection>>().cloned().map(OpenRequest::begin);
    let answer = next.call(request).await?;
    Ok(answer.map_body(|_, body| Answering { body, request: open }))
}
