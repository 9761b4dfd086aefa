//! Identifies the processes of a database.
//!
//! Any process may have a pid that was read from a file. A process counts as a server only by its command line: a
//! server names its data folder, and its children have its `cluster_name`, which is derived from that folder. Command
//! lines are readable without privileges, unlike `/proc/<pid>/cwd`, which root in a container may be unable to read.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

use super::settings::identity_of;

/// Identifies the processes of one database.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    pgdata: PathBuf,
    owner: u32,
}

impl Servers {
    /// Processes of the database in `pgdata`, run by the user `owner`.
    pub(super) fn of(pgdata: &Path, owner: u32) -> Self {
        Self { pgdata: pgdata.to_path_buf(), owner }
    }

    /// Whether this process is alive, and the main process of a server of the database.
    pub(super) fn has_main(&self, pid: i32) -> bool {
        platform::command_line(pid, self.owner).is_some_and(|line| self.is_main(&line))
    }

    /// All living processes of the database.
    pub(super) fn all(&self) -> Vec<i32> {
        let processes = platform::processes(self.owner).into_iter();
        processes.filter(|(_, line)| self.is_any(line)).map(|(pid, _)| pid).collect()
    }

    /// `…/postgres -D <folder> …`
    fn is_main(&self, line: &str) -> bool {
        let (program, arguments) = line.split_once(" -D ").unwrap_or_default();
        let program = program.split(" -").next().unwrap_or_default();
        let is_server = program.rsplit('/').next().is_some_and(|name| name == "postgres" || name == "postmaster");
        let rest = arguments.strip_prefix(&*self.pgdata.to_string_lossy());
        is_server && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// `postgres: <cluster_name>: …`, or the main process.
    fn is_any(&self, line: &str) -> bool {
        let name = line.strip_prefix("postgres: ").and_then(|title| title.strip_prefix(&*identity_of(&self.pgdata)));
        name.is_some_and(|rest| rest.starts_with(": ")) || self.is_main(line)
    }
}

/// Sends a signal to a process that was just identified. It is not an error if the process has ended meanwhile.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid)
        && let Err(error) = rustix::process::kill_process(pid, signal)
    {
        tracing::debug!(%error, pid = pid.as_raw_nonzero(), ?signal, "signal not delivered");
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

    /// All processes of this user, with pid and command line.
    pub(super) fn processes(owner: u32) -> Vec<(i32, String)> {
        let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid| Some((pid, command_line(pid, owner)?))).collect()
    }

    /// The command line of a process of this user, with arguments joined by spaces. A zombie has none.
    pub(super) fn command_line(pid: i32, owner: u32) -> Option<String> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        fs::metadata(&process).ok().filter(|process| process.uid() == owner)?;
        let line = fs::read(process.join("cmdline")).ok()?;
        let arguments: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let joined = arguments.join(" ").trim_end().to_owned();
        Some(joined).filter(|line| !line.is_empty())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::process::{Command, Stdio};

    /// All processes of this user, with pid and command line.
    pub(super) fn processes(owner: u32) -> Vec<(i32, String)> {
        ps(&["-ax"], owner)
    }

    /// The command line of a process of this user. A zombie's has no arguments.
    pub(super) fn command_line(pid: i32, owner: u32) -> Option<String> {
        ps(&["-p", &pid.to_string()], owner).into_iter().next().map(|(_, line)| line)
    }

    fn ps(selection: &[&str], owner: u32) -> Vec<(i32, String)> {
        let mut command = Command::new("/bin/ps");
        command.args(["-ww", "-o", "pid=", "-o", "uid=", "-o", "command="]).args(selection);
        let Ok(output) = command.stdin(Stdio::null()).stderr(Stdio::null()).output() else {
            return Vec::new();
        };
        let told = String::from_utf8_lossy(&output.stdout);
        told.lines().filter_map(|line| parse(line, owner)).collect()
    }

    fn parse(line: &str, owner: u32) -> Option<(i32, String)> {
        let (pid, rest) = line.trim().split_once(' ')?;
        let (uid, command) = rest.trim_start().split_once(' ')?;
        let process = (pid.parse().ok()?, command.trim_start().to_owned());
        (uid.parse() == Ok(owner)).then_some(process)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::wait, *};

    fn servers() -> Servers {
        Servers::of(Path::new("/data/postgres"), 0)
    }

    #[test]
    fn a_main_process_names_its_folder() {
        assert!(servers().is_main("/usr/lib/postgresql/15/bin/postgres -D /data/postgres -c fsync=on"));
        assert!(servers().is_main("/with space/postgres --single -D /data/postgres postgres"));
        assert!(servers().is_main("/bin/postgres -D /data/postgres"));
        for other in [
            "/bin/postgres -D /data/postgres.new",
            "/bin/postgres -D /other/postgres -c x=/data/postgres",
            "sleep 100",
            "/bin/sleep -D /data/postgres",
            "vi /data/postgres",
            "/bin/pg_ctl -D /data/postgres stop",
        ] {
            assert!(!servers().is_main(other), "{other}");
        }
    }

    #[test]
    fn its_children_bear_its_name() {
        let name = identity_of(Path::new("/data/postgres"));
        assert!(servers().is_any(&format!("postgres: {name}: checkpointer ")));
        assert!(!servers().is_any(&format!("postgres: {name}2: checkpointer ")));
        assert!(!servers().is_any("postgres: checkpointer "));
        assert!(!servers().is_any(&format!("tail postgres: {name}: checkpointer ")));
    }

    #[test]
    fn a_process_that_is_no_server_is_not_taken_for_one() {
        let mut sleep = std::process::Command::new("sleep").arg("1234").spawn().unwrap();
        let pid = sleep.id().cast_signed();
        let owner = rustix::process::geteuid().as_raw();
        let says = |text| platform::command_line(pid, owner).is_some_and(|line| line.contains(text));
        assert!(wait::until(Duration::from_secs(10), || says("sleep 1234")));
        assert!(platform::processes(owner).iter().any(|(found, _)| *found == pid));
        assert_eq!(platform::command_line(pid, owner + 1), None);
        let servers = Servers::of(Path::new("/data/postgres"), owner);
        assert!(!servers.has_main(pid) && servers.all().is_empty());

        sleep.kill().unwrap();
        let zombie = wait::until(Duration::from_secs(10), || !says("1234"));
        sleep.wait().unwrap();
        assert!(zombie, "a zombie has no arguments");
    }
}
