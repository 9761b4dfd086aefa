//! The fake over HTTP, on a port of the loopback interface.
//!
//! It writes to sockets itself, because servers of libraries can neither reset a connection, nor stall, nor send a wrong
//! length. Each connection serves one request.

use std::{
    io,
    net::{self, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use crate::{
    api::FakeApi,
    http::{head, read_request},
    message::Reply,
};

/// Returns the virtual time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Between two bytes of a dripping body.
const DRIP_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until it is dropped, on a thread of its own.
pub struct Server {
    address: SocketAddr,
    api: Arc<Mutex<FakeApi>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// # Errors
    ///
    /// No port or thread is available.
    pub fn start(api: FakeApi, clock: Clock) -> io::Result<Self> {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let api = Arc::new(Mutex::new(api));
        let (stop, stopped) = oneshot::channel();
        let shared = Shared { api: Arc::clone(&api), clock };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            // Fails only if the runtime cannot register the socket; clients then get no connection.
            let _ = serve(&runtime, listener, &shared, stopped);
        };
        let thread = thread::Builder::new().name("fake-live-api".to_owned()).spawn(serve)?;
        Ok(Self { address, api, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The fake, which answers no request as long as this guard is held.
    pub fn api(&self) -> MutexGuard<'_, FakeApi> {
        lock(&self.api)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked if this fails; its message was printed.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Shared {
    api: Arc<Mutex<FakeApi>>,
    clock: Clock,
}

/// A test that panicked with the guard still needs its server.
fn lock(api: &Mutex<FakeApi>) -> MutexGuard<'_, FakeApi> {
    api.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections end with the runtime, which the thread drops.
fn serve(
    runtime: &Runtime,
    listener: net::TcpListener,
    shared: &Shared,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            tokio::select! {
                _ = &mut stopped => return Ok(()),
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        tokio::spawn(connection(stream, shared.clone()));
                    }
                }
            }
        }
    })
}

/// Errors are those of a client that has gone.
async fn connection(mut stream: TcpStream, shared: Shared) -> io::Result<()> {
    let request = match read_request(&mut stream).await {
        Ok(request) => request,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            stream.write_all(b"HTTP/1.1 400 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
            return stream.shutdown().await;
        }
        Err(error) => return Err(error),
    };
    let now = (shared.clock)();
    let reply = lock(&shared.api).answer(&request, now);
    match reply {
        Reply::Answer(answer) => {
            stream.write_all(&[head(&answer), answer.body].concat()).await?;
            stream.shutdown().await
        }
        Reply::Reset => stream.set_zero_linger(),
        Reply::Stall => stream.read_to_end(&mut Vec::new()).await.map(drop),
        Reply::Drip(answer) => {
            stream.write_all(&head(&answer)).await?;
            for byte in answer.body {
                stream.write_u8(byte).await?;
                tokio::time::sleep(DRIP_INTERVAL).await;
            }
            stream.shutdown().await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Write as _,
        io::{Read, Write as _},
        net::TcpStream,
    };

    use super::*;
    use crate::{
        FaultKind, Request, Settings,
        testing::{DOMAIN, PROJECT, at, fake, signed, streams_target},
    };

    fn start(kind: Option<FaultKind>) -> Server {
        let settings = Settings { faults: 1.0, fault_kinds: kind.into_iter().collect(), ..Settings::default() };
        let mut api = fake(settings);
        api.world.add_domain(DOMAIN);
        Server::start(api, Arc::new(|| at(0))).unwrap()
    }

    fn send(server: &Server, request: &Request) -> TcpStream {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        for (name, value) in &request.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", request.body.len());
        stream.write_all(&[text.as_bytes(), &request.body].concat()).unwrap();
        stream
    }

    fn receive(mut stream: TcpStream) -> io::Result<String> {
        let mut received = String::new();
        stream.read_to_string(&mut received)?;
        Ok(received)
    }

    fn list() -> Request {
        signed("GET", &streams_target(""), b"", at(0))
    }

    #[test]
    fn signed_requests_are_answered_by_the_shared_fake() {
        let server = start(None);
        assert!(server.url().starts_with("http://127.0.0.1:"));
        let answer = receive(send(&server, &list())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 \r\n") && answer.contains("\"streams\":[]"), "{answer}");
        let target = format!("/v1/{PROJECT}/notifications/publish?domain={DOMAIN}");
        let put = signed("PUT", &target, br#"{"url":"https://a.example.com/"}"#, at(0));
        assert!(receive(send(&server, &put)).unwrap().starts_with("HTTP/1.1 201 \r\n"));
        let api = server.api();
        assert_eq!(api.world.callbacks(DOMAIN).unwrap().url, "https://a.example.com/");
        assert_eq!(api.requests().len(), 2);
    }

    #[test]
    fn a_server_can_be_started_and_stopped_by_asynchronous_tests() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let server = start(None);
            assert!(receive(send(&server, &list())).unwrap().starts_with("HTTP/1.1 200 \r\n"));
        });
    }

    #[test]
    fn what_is_not_http_is_answered_with_400() {
        let server = start(None);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"hello\r\n\r\n").unwrap();
        assert!(receive(stream).unwrap().starts_with("HTTP/1.1 400 "));
        assert!(server.api().requests().is_empty());
    }

    #[test]
    fn a_connection_is_reset_or_its_body_too_short() {
        let server = start(Some(FaultKind::Reset));
        assert_eq!(receive(send(&server, &list())).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let server = start(Some(FaultKind::ShortBody));
        let answer = receive(send(&server, &list())).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length: usize = head.split_once("content-length: ").unwrap().1.parse().unwrap();
        assert!(body.len() < length, "{answer}");
    }

    #[test]
    fn a_stalled_request_gets_nothing_until_the_server_stops() {
        let server = start(Some(FaultKind::Stall));
        let stream = send(&server, &list());
        while server.api().requests().is_empty() {
            thread::yield_now();
        }
        drop(server);
        assert_eq!(receive(stream).unwrap_or_default(), "");
    }

    #[test]
    fn a_dripping_body_is_not_complete_when_the_server_stops() {
        let server = start(Some(FaultKind::Drip));
        let mut stream = send(&server, &list());
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n{") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let url = server.url();
        drop(server);
        assert!(receive(stream).unwrap_or_default().len() < 10);
        assert!(TcpStream::connect(url.trim_start_matches("http://")).is_err());
    }
}
