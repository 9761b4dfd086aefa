//! How `PostgreSQL`'s programs are started: as the server's user, with an environment of our making,
//! and never to outlive us.
//!
//! The only `unsafe` of the service is here: asking the kernel, between fork and exec, for a signal
//! at our death.

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

/// How much memory glibc keeps for a process's next allocations (16 MiB), what it takes at least (1 MiB), and which
/// allocations are always given back to the system (4 MiB and more).
const KEPT_MEMORY: [(&str, &str); 3] =
    [("MALLOC_TRIM_THRESHOLD_", "16777216"), ("MALLOC_TOP_PAD_", "1048576"), ("MALLOC_MMAP_THRESHOLD_", "4194304")];

/// A command for one of `PostgreSQL`'s programs that becomes `user` first (`None`: stays who we are).
/// It gets `signal` when we die, however that happens, or, on Linux, when the *thread* ends that
/// starts it: what is to live longer is started by [`Kept::start`].
pub(super) fn command(program: &Path, user: Option<&Account>, signal: Signal) -> Command {
    let mut command = Command::new(program);
    // PG*, LC_* and LANG of ours would change what initdb makes. The working folder may be closed
    // to the user.
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
    // Each statement takes some memory and gives it back: glibc would give it back to the system, and fetch it again, page by
    // page, for the next one.
    command.envs(KEPT_MEMORY);
    for library_path in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        command.envs(env::var_os(library_path).map(|value| (library_path, value)));
    }
    if let Some(user) = user {
        // The standard library drops root's supplementary groups along with this.
        command.uid(user.uid).gid(user.gid);
    }
    // In a group of its own, a Ctrl-C does not stop the database before us.
    command.process_group(0);
    die_with_us(&mut command, signal);
    command
}

/// A program that runs, and the thread that started it, which stays for as long as this is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) child: Child,
    _keeper: mpsc::Sender<()>,
}

impl Kept {
    /// Starts a program on a thread of its own, so that it does not die with the caller's.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let (report, started) = mpsc::channel();
        let (keeper, kept) = mpsc::channel();
        thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || {
            let _ = report.send(command.spawn());
            drop(command);
            // Nothing is ever sent: this returns when the sender is gone.
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
        // Had we died before that, no signal would come; then the program must not run at all.
        if process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: the closure makes two system calls and neither allocates nor locks, so it may run in
    // a forked child. The standard library runs it after the change of user, which would clear the
    // signal.
    unsafe { command.pre_exec(tie) };
}

/// Other systems have no such signal: there the next start stops a server that was left behind.
#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command, _signal: Signal) {}
