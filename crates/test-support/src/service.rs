//! A service under test: its process, its port, its folder.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal};

use crate::home::{DEADLINE, PAUSE, is_alive, program, send, wait_for};

/// A running service. Dropped, it is killed, and its server with it.
pub struct Service {
    child: Child,
    port: u16,
    stderr_path: PathBuf,
    data_dir: PathBuf,
    /// It is this service that has the server of the folder.
    was_ready: bool,
}

impl Service {
    /// A service that was just started by this command line.
    pub fn new(child: Child, port: u16, stderr_path: PathBuf, data_dir: &Path) -> Self {
        Self { child, port, stderr_path, data_dir: data_dir.to_path_buf(), was_ready: false }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn pgdata(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.data_dir.join("postgres.log")).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr_path).unwrap_or_default()
    }

    /// The server's main process, by its own word.
    pub fn server_pid(&self) -> Option<i32> {
        read_pid_file(&self.pgdata(), 0)?.parse().ok()
    }

    /// The server's main process, where there must be one.
    #[track_caller]
    pub fn running_server(&self) -> i32 {
        self.server_pid().expect("a server that runs")
    }

    /// The folder of the server's socket, by its own word.
    pub fn socket_dir(&self) -> PathBuf {
        PathBuf::from(read_pid_file(&self.pgdata(), 4).expect("a server that runs"))
    }

    #[track_caller]
    pub fn wait_ready(&mut self) {
        wait_for("a ready service", || {
            let ended = self.child.try_wait().expect("the service's state");
            assert!(ended.is_none(), "the service ended: {}", self.stderr());
            self.is_ready()
        });
        self.was_ready = true;
    }

    /// Whether `/readyz` answers 200.
    pub fn is_ready(&self) -> bool {
        self.readiness().starts_with("HTTP/1.1 200 ")
    }

    /// What `/readyz` answers; nothing if it does not.
    pub fn readiness(&self) -> String {
        self.ask("GET", "/readyz", "")
    }

    /// What it answers, as it comes; nothing if it does not.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect(address) else {
            return String::new();
        };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}");
        let request = format!("{head}\r\n\r\n{body}");
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(DEADLINE)).expect("a time limit");
        let exchanged = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
        exchanged.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&answer).into_owned())
    }

    /// The value of a series at `/metrics`, which is named as it stands there.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let served = self.ask("GET", "/metrics", "");
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        served.lines().find_map(value)
    }

    /// Sends a signal to the service.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Sends a signal to the service's process group, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        let group = Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, signal).expect("a signal to our child's group");
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the service's end", || {
            status = self.child.try_wait().expect("the service's state");
            status.is_some()
        });
        status.expect("an exit status")
    }

    /// Stops the service as an operator does.
    #[track_caller]
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_exit();
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
    }

    /// Kills the service, and only it.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait_exit();
    }

    /// Runs a statement through the socket and returns its values, by `|` and lines.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        let output = self.psql(statement).output().expect("psql");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {stderr}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Lets whoever gets to the socket be any role, the superuser `postgres` too.
    pub fn let_be_any_role(&self) {
        let rules = "local all all trust\nlocal replication all trust\n";
        fs::write(self.data_dir.join("pg_hba.conf"), rules).expect("the server's rules");
        send(self.running_server(), Signal::HUP);
        let is_let = || self.psql_as("postgres", "select 1").output().expect("psql").status.success();
        wait_for("the new rules", is_let);
    }

    /// A client for one statement.
    pub fn psql(&self, statement: &str) -> Command {
        self.psql_as("streamtally", statement)
    }

    /// A client of this role for one statement.
    pub fn psql_as(&self, role: &str, statement: &str) -> Command {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().env("PGHOST", self.socket_dir()).stdin(Stdio::null());
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", "streamtally"]);
        psql.args(["-c", statement]);
        psql
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let server = self.server_pid().filter(|_| self.was_ready);
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The folder can only be removed once nobody writes to it any more.
        let started = Instant::now();
        while server.is_some_and(is_alive) && started.elapsed() < DEADLINE {
            thread::sleep(PAUSE);
        }
    }
}

fn read_pid_file(pgdata: &Path, line: usize) -> Option<String> {
    let file = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    file.lines().nth(line).map(str::to_owned)
}
