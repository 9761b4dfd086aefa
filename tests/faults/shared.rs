//! A database that several services share, and that none of them starts or stops.

use std::process::Command;

use private_postgres::{LockHolder, Options, PrivatePostgres};
use test_support::home::{Home, finish, program, wait_for};
use test_support::messages::DOMAIN;
use test_support::service::Service;

use crate::load::key_in;
use crate::proxy::{Proxy, Target};

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a process does by itself.
pub const ALL_ROLES: &str = "receiver,reconciler,api";

pub struct SharedDatabase {
    server: PrivatePostgres,
}

impl SharedDatabase {
    pub fn start(home: &Home) -> Self {
        let data_dir = home.path().join("shared");
        // Processes die here, and no machine does: what was written stays, and nobody need wait for a disk.
        let parameters = vec![("fsync".to_owned(), "off".to_owned())];
        let options = Options { data_dir, bin: None, holder: LockHolder::Serve, parameters };
        Self { server: PrivatePostgres::open(&options).unwrap() }
    }

    /// Its URL, through its socket.
    fn url(&self) -> String {
        let (user, database) = (self.server.user(), self.server.database());
        let (port, socket) = (self.server.port(), self.server.socket_dir().display().to_string());
        format!("postgres://{user}@localhost:{port}/{database}?host={}", socket.replace('/', "%2F"))
    }

    /// A network to it. The server asks who is at its socket: that is this process.
    pub fn proxy(&self) -> Proxy {
        let socket = format!(".s.PGSQL.{}", self.server.port());
        Proxy::start(Target::Unix(self.server.socket_dir().join(socket)))
    }

    /// Starts a process on it that has these roles.
    pub fn serve(&self, home: &Home, name: &str, roles: &str) -> Service {
        ready(launch_at(&self.url(), home, name, roles))
    }

    /// Starts a process that reaches it over a network alone.
    pub fn serve_through(&self, proxy: &Proxy, home: &Home, name: &str, roles: &str) -> Service {
        ready(self.launch_through(proxy, home, name, roles))
    }

    /// The same, not waiting until it is ready, but only until it listens.
    pub fn launch_through(&self, proxy: &Proxy, home: &Home, name: &str, roles: &str) -> Service {
        let (user, database) = (self.server.user(), self.server.database());
        let url = format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", proxy.port());
        launch_at(&url, home, name, roles)
    }

    /// Runs a command of an operator on it; what it prints.
    pub fn run(&self, home: &Home, arguments: &[&str]) -> String {
        let mut command = home.program();
        command.args(arguments).arg("--data-dir").arg(home.path().join("operator"));
        let (status, printed) = finish(name_to(&mut command, &self.url()));
        assert_eq!(status, 0, "{printed}");
        printed.trim().to_owned()
    }

    /// Registers the domain of the load; gives its key.
    pub fn register(&self, home: &Home) -> String {
        key_in(&self.run(home, &["domain", "add", DOMAIN]))
    }

    /// What `rebuild --verify` says of it.
    pub fn verify(&self, home: &Home) -> String {
        self.run(home, &["rebuild", "--verify"])
    }

    /// Runs a statement and gives its values, by lines.
    pub fn sql(&self, statement: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().env("PGHOST", self.server.socket_dir()).env("PGPORT", self.server.port().to_string());
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", self.server.user(), "-d", self.server.database()]);
        let output = psql.args(["-c", statement]).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub fn number(&self, statement: &str) -> i64 {
        self.sql(statement).parse().unwrap()
    }
}

/// Names a database to a command, and lets webhooks be sent to receivers of this machine.
fn name_to<'a>(command: &'a mut Command, url: &str) -> &'a mut Command {
    command.env("DATABASE_URL", url).env("STREAMTALLY_MASTER_KEY", MASTER_KEY);
    command.env("STREAMTALLY_WEBHOOK_ALLOW_HTTP", "true").env("STREAMTALLY_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8")
}

fn launch_at(url: &str, home: &Home, name: &str, roles: &str) -> Service {
    let service = home.launch(&home.path().join(name), |command| {
        name_to(command, url).args(["--roles", roles]);
    });
    wait_for("a service that listens", || service.stderr().contains("listening"));
    service
}

fn ready(mut service: Service) -> Service {
    service.wait_ready();
    service
}
