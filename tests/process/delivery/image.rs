//! The program as the image runs it, without an engine: process 1 of its own, on a root that holds the C library and nothing
//! else and cannot be written, as a user without a name or a capability.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use test_support::home::{Home, User, finish, free_port, is_root, run_as, send, set_mode};
use test_support::service::Service;

/// The user of the image.
const IMAGE_USER: u32 = 10_001;

/// The libraries that `debian:bookworm-slim` is sure to have: those that its own programs need.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];

#[test]
fn the_program_serves_from_a_root_that_is_read_only_and_holds_the_c_library_alone() {
    let home = Home::new(User::Ordinary);
    let image = Image::new(&home);
    if !image.can_run() {
        return;
    }
    let database = home.serve();
    let sockets = open_to_everybody(&home, &database);
    let create = "create database image owner streamtally";
    assert!(database.psql_as("postgres", create).status().unwrap().success());
    let port = free_port();
    let stderr = home.path().join("stderr-image");
    let mut serve = image.container(&sockets, port);
    serve.arg("serve").stdout(Stdio::null()).stderr(fs::File::create(&stderr).unwrap());
    let mut service = Service::new(serve.spawn().unwrap(), port, stderr, &image.data);
    service.wait_ready();

    let (status, printed) = finish(image.container(&sockets, port).arg("health"));
    assert_eq!(status, 0, "{printed}");
    let (status, printed) = finish(image.container(&sockets, port).args(["domain", "list"]));
    assert_eq!(status, 0, "{printed}");
    assert!(image.data.join("admin-token").is_file() && image.data.join("local-store").is_dir());
    // The container's own process is the child of what made the container.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", service.pid())).unwrap();
    send(children.trim().parse().unwrap(), Signal::TERM);
    let status = service.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", service.stderr());
    database.stop();
}

/// What the image holds, and the volume of its container.
struct Image {
    program: PathBuf,
    libraries: Vec<PathBuf>,
    data: PathBuf,
}

impl Image {
    fn new(home: &Home) -> Self {
        let program = PathBuf::from(home.program().get_program());
        let printed = finish(Command::new("ldd").arg(&program)).1;
        let paths = printed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        let libraries: Vec<PathBuf> = paths.map(PathBuf::from).collect();
        for library in &libraries {
            let name = library.file_name().unwrap().to_string_lossy();
            assert!(LIBRARIES.iter().any(|known| name.starts_with(known)), "{name} is not in the image");
        }
        let data = home.path().join("volume");
        fs::create_dir(&data).unwrap();
        set_mode(&data, 0o700);
        if is_root() {
            chown(&data, Some(IMAGE_USER), Some(IMAGE_USER)).unwrap();
        }
        Self { program, libraries, data }
    }

    /// A container with nothing in it, run by the user of the image; where that takes root, by ourselves under its number.
    fn root(&self) -> Command {
        let mut command = Command::new("bwrap");
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        let user = IMAGE_USER.to_string();
        command.args(["--unshare-all", "--share-net", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]);
        command.args(["--uid", &user, "--gid", &user]);
        for library in &self.libraries {
            command.arg("--ro-bind").arg(library).arg(library);
        }
        command.arg("--ro-bind").arg(&self.program).arg("/usr/local/bin/streamtally");
        run_as(&mut command, is_root().then_some(IMAGE_USER));
        command.current_dir("/");
        command
    }

    /// A command line that the program's arguments are to follow.
    fn container(&self, sockets: &Path, port: u16) -> Command {
        let mut command = self.root();
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
        command.arg("--bind").arg(&self.data).arg("/var/lib/streamtally");
        command.arg("--bind").arg(sockets).arg("/run/postgresql").args(["--remount-ro", "/"]);
        for (name, value) in [
            ("DATABASE_URL", "postgres://streamtally@localhost/image?host=/run/postgresql"),
            ("STREAMTALLY_DATA_DIR", "/var/lib/streamtally"),
            ("STREAMTALLY_LISTEN", &format!("127.0.0.1:{port}")),
        ] {
            command.args(["--setenv", name, value]);
        }
        command.args(["--", "/usr/local/bin/streamtally"]);
        command
    }

    /// Whether the system lets users make containers.
    fn can_run(&self) -> bool {
        let trial = self.root().args(["--", "/usr/local/bin/streamtally", "--version"]).output();
        let trial = trial.expect("bwrap, of bubblewrap, which scripts/test installs");
        if !trial.status.success() {
            eprintln!("left out: no containers can be made here: {}", String::from_utf8_lossy(&trial.stderr));
        }
        trial.status.success()
    }
}

/// Lets every user of the machine use a service's private database, which else is for its own; the folder of its socket.
fn open_to_everybody(home: &Home, service: &Service) -> PathBuf {
    service.let_be_any_role();
    let sockets = service.socket_dir();
    set_mode(&home.data_dir(), 0o711);
    set_mode(&sockets, 0o711);
    set_mode(&sockets.join(".s.PGSQL.5432"), 0o777);
    sockets
}
