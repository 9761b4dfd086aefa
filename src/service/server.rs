//! The HTTP server: its socket, its limit of connections, and the timeouts of each part of an exchange.
//!
//! [`crate::http::extract`] limits the time and length of a body, and [`crate::app::connections`] the rest of a
//! connection's time.

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

/// Timeout of the TLS handshake, and of the head of the first request.
const REQUEST_HEAD: Duration = Duration::from_secs(5);

/// How long a client may continue to send a body after its response, so that it can read the response. The rest of the
/// body is discarded.
const LINGER: Duration = Duration::from_secs(5);

/// The most concurrent TLS handshakes of a worker; others wait. It is high so that clients with slow or unfinished
/// handshakes do not block the others.
const HANDSHAKES: usize = 2_048;

/// Binds the socket and starts the workers. Serves only HTTPS with a certificate, else plain HTTP; always HTTP/1.1.
/// (HTTP/2 would let one connection hold any number of requests with heads of 16 MiB each, and the server has no
/// setting to prevent that.)
///
/// # Errors
/// When no role is named, the certificate is unusable, or the address is in use.
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
        // `Connections::sweep` closes idle connections. A timer of the server could close one whose next request has
        // arrived but is not read yet.
        .keep_alive(KeepAlive::Os)
        .on_connect(move |stream, of_connection| open.add(stream, of_connection));
    let server = match certificate {
        Some(certificate) => server.bind_rustls_0_23(options.listening.listen, certificate.server_config()?),
        None => server.bind(options.listening.listen),
    }
    .with_context(|| format!("cannot listen on {}; --listen takes another address", options.listening.listen))?;
    let address = server.addrs().first().copied().context("the server has no address")?;
    Ok((server.run(), address))
}

/// The number of workers and of connections for each. The total never exceeds the limit, and is below it by less than
/// the number of workers.
fn divide(max_connections: usize) -> (usize, usize) {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(max_connections).max(1);
    (workers, max_connections / workers)
}
