//! The address of the service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Command, FromArgMatches};

use super::NETWORK;

#[allow(clippy::doc_markdown, reason = "--help shows it as plain text")]
#[derive(Debug, Clone, Args)]
pub struct ListenOptions {
    /// Address and port that the service listens on
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// Certificate in PEM, followed by its chain. If set, the service serves HTTPS and no plain HTTP. Reloaded when it
    /// changes
    #[arg(long, help_heading = NETWORK, env = "STREAMTALLY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
}

impl ListenOptions {
    /// Those of the environment, otherwise the defaults.
    ///
    /// # Errors
    /// A variable is not valid.
    pub fn from_environment() -> Result<Self, clap::Error> {
        let matches = Self::augment_args(Command::new("")).try_get_matches_from([""])?;
        Self::from_arg_matches(&matches)
    }

    /// The base URL for processes on the same machine.
    #[must_use]
    pub fn local_url(&self) -> String {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        let mut address = self.listen;
        // An unspecified address includes loopback.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("{scheme}://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::ListenOptions;

    #[test]
    fn a_service_on_every_address_is_reached_by_loopback() {
        for (listen, tls_cert, url) in [
            ("127.0.0.1:8080", None, "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", None, "http://127.0.0.1:8080"),
            ("[::]:8443", Some("cert.pem".into()), "https://[::1]:8443"),
            ("192.0.2.7:80", None, "http://192.0.2.7:80"),
        ] {
            assert_eq!(ListenOptions { listen: listen.parse().unwrap(), tls_cert }.local_url(), url);
        }
    }
}
