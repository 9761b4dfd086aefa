//! The measured process, on a fresh private database.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use private_postgres::{LockHolder, Options, PrivatePostgres};
use reqwest::Client;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// The domain of all callbacks, and its key.
pub const DOMAIN: &str = "push.bench.example";
pub const KEY: &str = "bench-bench-bench-bench-bench-32";

pub const ADMIN_TOKEN: &str = "the-administrators-token-of-a-measurement";

/// Where in the folder of a process the data are of a server that it has not started.
const SERVER_FOLDER: &str = "server";

const FORGERS_KEY: &str = "some-key-that-the-service-has-not";

/// Of a service on a server that it has not started.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Timeout of starting and stopping.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The handwritten handler.
    Baseline,
    Service,
}

/// A running process. When dropped, it is stopped and its folder is removed.
pub struct Served {
    child: Child,
    pub address: String,
    /// The server, if its settings are not those that the service gives a private one.
    postgres: Option<PrivatePostgres>,
    folder: TempDir,
}

impl Served {
    /// Starts a process in an empty folder. The service gets the domain and its key.
    ///
    /// # Errors
    /// The process did not become ready.
    pub async fn start(kind: Kind) -> anyhow::Result<Self> {
        Self::start_with(kind, &[]).await
    }

    /// The same with settings of the service.
    ///
    /// # Errors
    /// The process did not become ready.
    pub async fn start_with(kind: Kind, settings: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(kind, new_folder()?, None, settings)?.prepared(kind).await
    }

    /// Starts the service on a server with this setting of `shared_buffers`.
    ///
    /// # Errors
    /// The server or the service did not become ready.
    pub async fn start_with_shared_buffers(size: &str) -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let postgres = PrivatePostgres::open(&Options {
            data_dir: folder.path().join(SERVER_FOLDER),
            bin: None,
            holder: LockHolder::Serve,
            parameters: vec![("shared_buffers".to_owned(), size.to_owned())],
        })?;
        Self::spawn(Kind::Service, folder, Some(postgres), &[])?.prepared(Kind::Service).await
    }

    async fn prepared(self, kind: Kind) -> anyhow::Result<Self> {
        self.wait_until_ready().await?;
        if kind == Kind::Service {
            self.run(&["domain", "add", DOMAIN, "--key-stdin"], KEY).await?;
            // Every process accepts the domain within two seconds.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(self)
    }

    fn spawn(
        kind: Kind,
        folder: TempDir,
        postgres: Option<PrivatePostgres>,
        settings: &[&str],
    ) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = match kind {
            Kind::Baseline => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("baseline");
                command
            }
            Kind::Service => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_streamtally"));
                command.args(["serve", "--log", "error"]).args(settings);
                command
            }
        };
        command.args(["--listen", &address, "--data-dir"]).arg(folder.path());
        name_database(&mut command, postgres.as_ref());
        command.env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN).stdout(Stdio::null());
        Ok(Self { child: command.spawn()?, address, postgres, folder })
    }

    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let (client, begun) = (Client::new(), Instant::now());
        let url = format!("http://{}/readyz", self.address);
        while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if begun.elapsed() > PATIENCE {
                bail!("the process did not become ready");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Restarts the process on the same folder. Returns the time until it was ready.
    ///
    /// # Errors
    /// The process did not become ready.
    pub async fn start_again(mut self) -> anyhow::Result<(Self, Duration)> {
        self.stop();
        let folder = std::mem::replace(&mut self.folder, TempDir::new()?);
        let begun = Instant::now();
        let again = Self::spawn(Kind::Service, folder, self.postgres.take(), &[])?;
        again.wait_until_ready().await?;
        Ok((again, begun.elapsed()))
    }

    fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let _ = self.child.wait();
    }

    /// Runs a command of streamtally on the folder, with a key on standard input. Returns its output.
    ///
    /// # Errors
    /// The command failed.
    pub async fn run(&self, arguments: &[&str], key: &str) -> anyhow::Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamtally"));
        command.args(arguments).arg("--data-dir").arg(self.folder.path());
        name_database(&mut command, self.postgres.as_ref());
        command.env("STREAMTALLY_TOKEN", ADMIN_TOKEN);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("a pipe")?.write_all(key.as_bytes())?;
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        if !output.status.success() {
            bail!("{arguments:?} failed");
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Sends simulated pushes to the process. Returns the report of the load.
    ///
    /// # Errors
    /// The load failed.
    pub async fn simulate(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let url = format!("http://{}", self.address);
        let mut all = vec!["simulate", "--domain", DOMAIN, "--key-stdin", "--url", &url, "--output", "json"];
        all.extend(arguments);
        Ok(serde_json::from_str(&self.run(&all, KEY).await?)?)
    }

    /// Sends simulated pushes that are signed with another key. The load fails at the end, as nothing is accepted.
    pub async fn forge(&self, arguments: &[&str]) {
        let url = format!("http://{}", self.address);
        let mut all = vec!["simulate", "--domain", DOMAIN, "--key-stdin", "--url", &url];
        all.extend(arguments);
        let _ = self.run(&all, FORGERS_KEY).await;
    }

    /// # Errors
    /// The database cannot be opened.
    pub fn database(&self) -> anyhow::Result<PgConnectOptions> {
        if let Some(postgres) = &self.postgres {
            return Ok(options_of(postgres));
        }
        let private = PrivatePostgres::open(&Options {
            data_dir: self.folder.path().to_owned(),
            bin: None,
            holder: LockHolder::Command,
            parameters: Vec::new(),
        })?;
        Ok(options_of(&private))
    }

    /// What the process and its database have used until now.
    ///
    /// # Errors
    /// The system or the database does not report it.
    #[expect(clippy::cast_precision_loss, reason = "ticks are few")]
    pub async fn usage(&self) -> anyhow::Result<Usage> {
        let mut folder = self.folder.path().to_owned();
        folder.extend(self.postgres.as_ref().map(|_| SERVER_FOLDER));
        let server = fs::read_to_string(folder.join("postgres/postmaster.pid"))?;
        let server = server.lines().next().context("the server's process id")?;
        let mut service = 0;
        let mut postgres = 0;
        for process in fs::read_dir("/proc")?.flatten() {
            let Ok(stat) = fs::read_to_string(process.path().join("stat")) else { continue };
            let Some((own, ended)) = ticks_of(&stat) else { continue };
            let id = process.file_name();
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
            if id == *self.child.id().to_string() {
                service = own;
            } else if id == *server {
                postgres += own + ended;
            } else if parent == Some(server) {
                postgres += own;
            }
        }
        let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
        let mut connection = PgConnection::connect_with(&self.database()?).await?;
        let wal = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::double precision";
        let wal_bytes = sqlx::query_scalar(wal).fetch_one(&mut connection).await?;
        Ok(Usage { service: seconds(service), postgres: seconds(postgres), wal_bytes })
    }

    /// Current and peak memory in MiB, without the database.
    ///
    /// # Errors
    /// The system does not report it.
    pub fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let both = of("VmRSS:").zip(of("VmHWM:")).context("/proc does not report the memory of the process")?;
        Ok((both.0 / 1_024, both.1 / 1_024))
    }
}

/// What a process and its database have used since they started.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor seconds of the process.
    pub service: f64,
    /// Processor seconds of all processes of its database.
    pub postgres: f64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: f64,
}

/// The ticks of processor time of a process, from its line in /proc: its own, and those of its children that have ended.
fn ticks_of(stat: &str) -> Option<(u64, u64)> {
    // The name before it, in parentheses, may contain anything.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some((field(14)? + field(15)?, field(16)? + field(17)?))
}

fn new_folder() -> std::io::Result<TempDir> {
    // /tmp, not TMPDIR: a socket's path must be short, and the server's user needs access.
    tempfile::Builder::new().prefix("streamtally-bench.").tempdir_in("/tmp")
}

/// Names a server to the service or a command; `None`: it has one in its folder.
fn name_database(command: &mut Command, postgres: Option<&PrivatePostgres>) {
    command.env_remove("DATABASE_URL");
    if let Some(postgres) = postgres {
        let name = format!("{}@localhost:{}/{}", postgres.user(), postgres.port(), postgres.database());
        let socket = postgres.socket_dir().display().to_string().replace('/', "%2F");
        command.env("DATABASE_URL", format!("postgres://{name}?host={socket}"));
        command.env("STREAMTALLY_MASTER_KEY", MASTER_KEY);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn options_of(private: &PrivatePostgres) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(private.socket_dir())
        .port(private.port())
        .username(private.user())
        .database(private.database())
}
