//! Connections on which nothing happens any more are cut.
//!
//! The server ends a connection by itself when the head of its first request is late, and when a client idles between
//! requests. It would keep one for ever whose client stops within the head of a later request, or never takes its
//! answer. So the rule here is one for all: a connection on which no request has begun and nothing of an answer has gone
//! out between two sweeps is cut.

use std::any::Any;
use std::net::{self, Shutdown};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse as Answer};
use actix_web::middleware::Next;
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

/// The time between two sweeps: longer than an idle connection of HTTP/1.1 is kept, and than any request takes.
const SWEEP: Duration = Duration::from_secs(90);

/// How long a last answer may take to go out.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// The open connections of all workers.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Connection>>>>);

/// One open connection. Kept by the server as long as it has the connection, so that it ends with it.
pub(super) struct Connection {
    /// The server's socket once more: what it owns itself cannot be had.
    socket: net::TcpStream,
    /// Whether something happened since the last sweep.
    active: AtomicBool,
}

impl Connection {
    fn note(&self) {
        self.active.store(true, Ordering::Relaxed);
    }

    /// Cuts the connection when an answer has had the time to go out.
    pub(super) fn cut_soon(self: Arc<Self>) {
        rt::spawn(async move {
            sleep(LAST_ANSWER).await;
            self.cut();
        });
    }

    /// Should it be closed already, so much the better.
    fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

pin_project! {
    /// The body of an answer, and the connection that it goes out on.
    struct Answering<B> {
        #[pin]
        body: B,
        connection: Option<Arc<Connection>>,
    }
}

impl<B: MessageBody> MessageBody for Answering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        if let Some(connection) = this.connection {
            connection.note();
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
        let connection = Arc::new(Connection { socket: socket.into(), active: AtomicBool::new(true) });
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() == open.capacity() {
            open.retain(|connection| connection.strong_count() > 0);
        }
        open.push(Arc::downgrade(&connection));
        drop(open);
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

/// Notes that a request begins, and that its answer goes out, on whatever connection it came by.
pub(super) async fn note_activity(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<Answer<impl MessageBody>, Error> {
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    if let Some(connection) = &connection {
        connection.note();
    }
    let answer = next.call(request).await?;
    Ok(answer.map_body(|_, body| Answering { body, connection }))
}
