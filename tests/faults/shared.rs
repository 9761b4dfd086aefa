//! A database that several services share, and that none of them starts or stops.

use std::process::Command;

use streamtally::postgres::{Options, PrivatePostgres, Purpose};

use crate::home::{Home, finish, program, wait_for};
use crate::load::key_in;
use crate::messages::DOMAIN;
use crate::service::Service;

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub struct SharedDatabase {
    server: PrivatePostgres,
}

impl SharedDatabase {
    pub fn start(home: &Home) -> Self {
        let data_dir = home.path().join("shared");
        let options = Options { data_dir, bin: None, purpose: Purpose::Serve, parameters: Vec::new() };
        Self { server: PrivatePostgres::open(&options).unwrap() }
    }

    fn name_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (user, database) = (self.server.user(), self.server.database());
        let (port, socket) = (self.server.port(), self.server.socket_dir().display().to_string());
        let url = format!("postgres://{user}@localhost:{port}/{database}?host={}", socket.replace('/', "%2F"));
        command.env("DATABASE_URL", url).env("STREAMTALLY_MASTER_KEY", MASTER_KEY)
    }

    /// Starts a process on it that has these roles.
    pub fn serve(&self, home: &Home, name: &str, roles: &str) -> Service {
        let mut service = home.launch(&home.path().join(name), |command| {
            self.name_to(command).args(["--roles", roles]);
        });
        wait_for("a service that listens", || service.stderr().contains("listening"));
        service.wait_ready();
        service
    }

    /// Registers the domain of the load; gives its key.
    pub fn register(&self, home: &Home) -> String {
        let mut command = home.program();
        command.args(["domain", "add", DOMAIN]).arg("--data-dir").arg(home.path().join("operator"));
        let (status, printed) = finish(self.name_to(&mut command));
        assert_eq!(status, 0, "{printed}");
        key_in(&printed)
    }

    /// What `rebuild --verify` says of it.
    pub fn verify(&self, home: &Home) -> String {
        let mut command = home.program();
        command.args(["rebuild", "--verify"]).arg("--data-dir").arg(home.path().join("operator"));
        let (status, printed) = finish(self.name_to(&mut command));
        assert_eq!(status, 0, "{printed}");
        printed.trim().to_owned()
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
