//! A home for one test's service, its users and neighbours, and the one way to wait.

use std::{
    env,
    fs::{self, File, Permissions},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::service::Service;

/// Far more than anything here takes, so that only a hang meets it.
pub const DEADLINE: Duration = Duration::from_secs(50);

pub const PAUSE: Duration = Duration::from_millis(10);

/// A user and group who owns nothing, for whoever runs the tests as root.
const NOBODY: u32 = 65_534;

/// Waits for a condition, or fails the test with what was waited for.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "waited in vain for: {what}");
        thread::sleep(PAUSE);
    }
}

/// Who runs the service. The two differ only where root runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Ourselves,
    Ordinary,
    /// With a user id that nobody has, for which one must be root.
    Nameless,
}

impl User {
    fn id(self) -> Option<u32> {
        match self {
            Self::Ourselves => None,
            Self::Ordinary => Some(NOBODY).filter(|_| is_root()),
            Self::Nameless => Some(54_321),
        }
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a command run as this user, if it has to change at all.
pub fn run_as(command: &mut Command, uid: Option<u32>) -> &mut Command {
    match uid {
        Some(uid) if uid != rustix::process::geteuid().as_raw() => command.uid(uid).gid(uid),
        _ => command,
    }
}

/// A folder of a test's own, with the program to run, both within reach of every user.
pub struct Home {
    temp: TempDir,
    binary: PathBuf,
    user: User,
}

impl Home {
    pub fn new(user: User) -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        set_mode(temp.path(), 0o755);
        let built = PathBuf::from(env::var_os("CARGO_BIN_EXE_streamtally").expect("`cargo test` names the program"));
        let binary = temp.path().join("streamtally");
        if user.id().is_some() && fs::hard_link(&built, &binary).is_err() {
            fs::copy(&built, &binary).expect("a copy of the program");
        }
        let binary = if user.id().is_some() { binary } else { built };
        let home = Self { temp, binary, user };
        home.make_folder("work");
        home
    }

    /// The temporary folder, which belongs to whoever runs the tests.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Makes a folder that belongs to the service's user.
    pub fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.temp.path().join(name);
        fs::create_dir(&path).expect("a folder");
        if let Some(uid) = self.user.id() {
            chown(&path, Some(uid), Some(uid)).expect("a change of owner");
        }
        path
    }

    /// Where the service's data is, unless a test says otherwise. It does not exist yet.
    pub fn data_dir(&self) -> PathBuf {
        self.temp.path().join("work/data")
    }

    /// Starts a service on the usual folder, and waits until it is ready.
    pub fn serve(&self) -> Service {
        self.serve_in(&self.data_dir())
    }

    pub fn serve_in(&self, data_dir: &Path) -> Service {
        let mut service = self.launch(data_dir, |_| {});
        service.wait_ready();
        service
    }

    /// Starts a service without waiting for it.
    pub fn launch(&self, data_dir: &Path, prepare: impl FnOnce(&mut Command)) -> Service {
        self.launch_on(free_port(), data_dir, prepare)
    }

    /// Starts a service on this port, without waiting for it.
    pub fn launch_on(&self, port: u16, data_dir: &Path, prepare: impl FnOnce(&mut Command)) -> Service {
        let stderr_path = self.temp.path().join(format!("stderr-{port}"));
        let stderr = File::create(&stderr_path).expect("a file for standard error");
        let mut command = self.program();
        command.arg("serve").arg("--data-dir").arg(data_dir);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command.stdout(Stdio::null()).stderr(stderr).process_group(0);
        prepare(&mut command);
        let child = command.spawn().expect("the service's program");
        Service::new(child, port, stderr_path, data_dir)
    }

    /// Runs a command on the usual folder to its end: its exit status, and what it prints.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.program();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        finish(&mut command)
    }

    /// Another program, run by the service's user.
    pub fn as_user(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null());
        run_as(&mut command, self.user.id());
        command
    }

    /// The program, run by the service's user with none of our settings.
    pub fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        let ours = |name: &str| name.starts_with("STREAMTALLY_") && name != "STREAMTALLY_PG_BIN";
        for (name, _) in env::vars_os() {
            if ours(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.env_remove("DATABASE_URL").env_remove("XDG_RUNTIME_DIR");
        command.current_dir(self.temp.path()).stdin(Stdio::null());
        run_as(&mut command, self.user.id());
        command
    }

    /// Runs a service that is expected to fail: with status 1, and these words on standard error.
    #[track_caller]
    pub fn assert_refused(&self, data_dir: &Path, words: &[&str]) {
        self.assert_refused_with(data_dir, |_| {}, words);
    }

    #[track_caller]
    pub fn assert_refused_with(&self, data_dir: &Path, prepare: impl FnOnce(&mut Command), words: &[&str]) {
        let mut service = self.launch(data_dir, prepare);
        let status = service.wait_exit();
        let stderr = service.stderr();
        assert_eq!(status.code(), Some(1), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
        }
    }
}

/// Runs a command to its end: its exit status, and what it prints on either stream.
pub fn finish(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit status"), String::from_utf8(printed).expect("text"))
}

/// A process beside the service. Dropped, it is killed.
pub struct Bystander(Child);

impl Bystander {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().expect("a program"))
    }

    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("the bystander's state").is_some()
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the bystander's end", || self.has_ended());
        self.0.wait().expect("the bystander's status")
    }

    /// Makes a zombie of it: ended, and not waited for.
    pub fn kill(&mut self) {
        self.0.kill().expect("a signal to our child");
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("a signal to a process of this test");
}

/// Whether a process runs. A zombie does not.
pub fn is_alive(pid: i32) -> bool {
    if Path::new("/proc/self").exists() {
        return fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    }
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// One of `PostgreSQL`'s programs.
pub fn program(name: &str) -> PathBuf {
    let named = env::var_os("STREAMTALLY_PG_BIN").map(PathBuf::from);
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let packaged = versions.map(|version| version.path().join("bin")).max();
    named.or(packaged).map_or_else(|| PathBuf::from(name), |bin| bin.join(name))
}

pub fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("something there").mode() & 0o7777
}

pub fn owner_of(path: &Path) -> u32 {
    fs::metadata(path).expect("something there").uid()
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a change of mode");
}

/// A port on which nobody listens, for a program that will. It is outside the range from which the system assigns ports, so
/// that no other program gets it meanwhile.
pub fn free_port() -> u16 {
    /// The number of ports of a test program. Its first one depends on its process ID.
    const PORTS: u32 = 100;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = 10_000 + (std::process::id() % 200) * PORTS;
    let ports = (0..PORTS).map(|_| first + TAKEN.fetch_add(1, Ordering::Relaxed) % PORTS);
    let mut ports = ports.map(|port| u16::try_from(port).expect("a port"));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port")
}
