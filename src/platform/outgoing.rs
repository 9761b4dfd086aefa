//! The client of requests to URLs that administrators enter: over HTTPS, to checked addresses only, without redirections and
//! proxies, in bounded time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::address::{AddressPolicy, ForbiddenAddress};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout of a lookup of a name.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept. Short, so that changes of DNS have effect.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

const USER_AGENT: &str = concat!("streamtally/", env!("CARGO_PKG_VERSION"));

/// Whose certificates are trusted, with those of the settings.
enum Authorities {
    Public(Vec<Certificate>),
    Own(Vec<Certificate>),
}

/// `authorities` are certificates that are trusted in addition to the public ones. `timeout` is that of a request, from the
/// connection to the end of the response. The URL's own address is the caller's to check: see [`AddressPolicy::check_url`].
///
/// # Errors
/// The TLS library rejects a certificate.
pub fn build_client(
    resolver: CheckingResolver,
    allow_http: bool,
    authorities: Vec<Certificate>,
    timeout: Duration,
) -> Result<Client, reqwest::Error> {
    let resolver = Arc::new(resolver);
    let client = |authorities: Authorities| {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(Arc::clone(&resolver))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .https_only(!allow_http)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .pool_idle_timeout(IDLE_TIMEOUT);
        match authorities {
            Authorities::Public(own) => builder.tls_certs_merge(own),
            Authorities::Own(own) => builder.tls_certs_only(own),
        }
        .build()
    };
    // A system may have no public authorities. Then no receiver of theirs is trusted, which a request reports.
    client(Authorities::Public(authorities.clone())).or_else(|_| client(Authorities::Own(authorities)))
}

/// The address for which [`CheckingResolver`] prevented a request, if it did.
pub fn forbidden_address(error: &reqwest::Error) -> Option<ForbiddenAddress> {
    let first: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |error| error.source());
    causes.find_map(|cause| cause.downcast_ref::<ForbiddenAddress>()).copied()
}

/// Finds the addresses of a name.
pub type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

fn look_up(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(lookup_host((name, 0)).await?.collect()) })
}

/// Looks up names for each connection, and returns their addresses only if all of them are allowed: one that is not could
/// be tried next.
pub struct CheckingResolver {
    policy: AddressPolicy,
    lookup: Lookup,
}

impl CheckingResolver {
    pub fn new(policy: AddressPolicy) -> Self {
        Self::with_lookup(policy, look_up)
    }

    pub fn with_lookup(policy: AddressPolicy, lookup: Lookup) -> Self {
        Self { policy, lookup }
    }
}

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = timeout(LOOKUP_TIMEOUT, found).await.map_err(|_| LookupTimedOut)??;
            for address in &addresses {
                policy.check(address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the name server does not answer")]
struct LookupTimedOut;
