//! The server: the socket, how many connections it holds, and how long each part of an exchange may take.
//!
//! A body's time and length are limited where it is read, in [`crate::http::extract`]; what is left of a connection's time,
//! in [`crate::app::connections`].

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::Server;
use actix_web::http::KeepAlive;
use actix_web::web::Data;
use anyhow::{Context, bail};

use crate::app::connections::Connections;
use crate::app::state::AppState;
use crate::config::ServeOptions;
use crate::dashboard;
use crate::http::build_app;
use crate::platform::tls::Certificate;

/// How long requests in flight may take when the service stops.
const SHUTDOWN_SECONDS: u64 = 8;

/// How long a client may take to shake hands for TLS, and then to send the head of its first request.
const REQUEST_HEAD: Duration = Duration::from_secs(5);

/// How long a client may go on sending a body after its answer, so that it gets to read the answer. The rest of the body is
/// discarded.
const LINGER: Duration = Duration::from_secs(5);

/// How many TLS handshakes each worker has under way at most; others wait for their turn. Many, because clients that
/// shake hands slowly, or never end, should not keep the others waiting.
const HANDSHAKES: usize = 2_048;

/// Binds the socket and starts the workers. HTTPS alone is served when there is a certificate, else plain HTTP; HTTP/1.1 in
/// either case. (HTTP/2 would let one connection hold any number of requests with heads of 16 MiB each, which the
/// server has no setting against.)
///
/// # Errors
/// When no role is named, the certificate cannot be served, or the address is taken.
pub fn bind(
    options: &ServeOptions,
    state: Data<AppState>,
    certificate: Option<&Certificate>,
    open: Connections,
) -> anyhow::Result<(Server, SocketAddr)> {
    let roles = options.roles.clone();
    let cors_origins = options.cors_origins.clone();
    if roles.is_empty() {
        bail!("--roles must name at least one role");
    }
    let (workers, connections) = divide(usize::try_from(options.limits.max_connections)?);
    let server = HttpServer::new(move || build_app(state.clone(), &roles, &cors_origins, dashboard::routes))
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .workers(workers)
        .max_connections(connections)
        .max_connection_rate(HANDSHAKES)
        .tls_handshake_timeout(REQUEST_HEAD)
        .client_request_timeout(REQUEST_HEAD)
        .client_disconnect_timeout(LINGER)
        // `Connections::sweep` cuts idle connections. A timer of the server would close one whose next request has arrived
        // but is not read yet.
        .keep_alive(KeepAlive::Os)
        .on_connect(move |stream, of_connection| open.add(stream, of_connection));
    let server = match certificate {
        Some(certificate) => server.bind_rustls_0_23(options.listening.listen, certificate.server_config()?),
        None => server.bind(options.listening.listen),
    }
    .with_context(|| format!("cannot listen on {}; --listen takes another address", options.listening.listen))?;
    let address = server.addrs().first().copied().context("no address is listened on")?;
    Ok((server.run(), address))
}

/// The number of workers, and how many connections each holds: together never more than the limit, and fewer by less
/// than the number of workers.
fn divide(max_connections: usize) -> (usize, usize) {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(max_connections).max(1);
    (workers, max_connections / workers)
}
