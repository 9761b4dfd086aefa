//! Starts `PostgreSQL`'s programs: as the server's user, with a clean environment, and so that they never outlive this
//! process.
//!
//! The only `unsafe` code of the project is here: between fork and exec, it asks the kernel for a signal when the
//! parent dies.

use std::{
    env, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use rustix::process::Signal;

use super::account::Account;

/// Settings of glibc: free memory that a process keeps for its next allocations (16 MiB), the least that it requests
/// from the system (1 MiB), and the size from which allocations are returned to the system (4 MiB).
const KEPT_MEMORY: [(&str, &str); 3] =
    [("MALLOC_TRIM_THRESHOLD_", "16777216"), ("MALLOC_TOP_PAD_", "1048576"), ("MALLOC_MMAP_THRESHOLD_", "4194304")];

/// A command for one of `PostgreSQL`'s programs that switches to `user` first (`None`: keeps the current user). It gets
/// `signal` when this process dies for any reason, or, on Linux, when the *thread* that starts it ends: use
/// [`Kept::start`] for a program that must live longer.
pub(super) fn command(program: &Path, user: Option<&Account>, signal: Signal) -> Command {
    let mut command = Command::new(program);
    // PG*, LC_* and LANG of this process would affect initdb. The user may lack access to the working folder.
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
    // Each statement allocates some memory and frees it. By default, glibc returns it to the system, and requests it
    // again page by page for the next statement.
    command.envs(KEPT_MEMORY);
    for library_path in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        command.envs(env::var_os(library_path).map(|value| (library_path, value)));
    }
    if let Some(user) = user {
        // The standard library then also drops root's supplementary groups.
        command.uid(user.uid).gid(user.gid);
    }
    // In a separate process group, Ctrl-C does not stop the database before this process.
    command.process_group(0);
    die_with_us(&mut command, signal);
    command
}

/// A running program, with the thread that started it; the thread lives as long as this value.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) child: Child,
    _keeper: mpsc::Sender<()>,
}

impl Kept {
    /// Starts a program on a dedicated thread, so that it does not die with the caller's thread.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let (report, started) = mpsc::channel();
        let (keeper, kept) = mpsc::channel();
        thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || {
            let _ = report.send(command.spawn());
            drop(command);
            // Nothing is ever sent: this returns when the sender is dropped.
            let _ = kept.recv();
        })?;
        let child = started.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { child, _keeper: keeper })
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "pre_exec is the only place between fork and exec")]
fn die_with_us(command: &mut Command, signal: Signal) {
    use rustix::{io::Errno, process};

    let parent = process::getpid();
    let tie = move || {
        process::set_parent_process_death_signal(Some(signal))?;
        // If the parent has died before, no signal comes; then the program must not run.
        if process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: the closure makes two system calls and neither allocates nor locks, so it may run in a forked child. The
    // standard library runs it after changing the user, which would clear the signal.
    unsafe { command.pre_exec(tie) };
}

/// Other systems have no such signal; there the next start stops a server that was left running.
#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command, _signal: Signal) {}
