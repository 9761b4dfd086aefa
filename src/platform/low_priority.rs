//! Threads of low priority, so that other work, above all receiving, comes first.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime with one thread of low priority, which starts when it is first used.
pub struct LowPriorityRuntime {
    thread_name: &'static str,
    runtime: OnceLock<Option<Runtime>>,
}

impl LowPriorityRuntime {
    pub const fn new(thread_name: &'static str) -> Self {
        Self { thread_name, runtime: OnceLock::new() }
    }

    /// A connection that is opened by a task there is served by that thread for its whole life. If the system cannot create
    /// another thread, this is the current runtime.
    pub fn handle(&self) -> Handle {
        let runtime = self.runtime.get_or_init(|| start(self.thread_name).ok());
        runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

fn start(thread_name: &str) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(thread_name)
        .on_thread_start(give_way)
        .enable_all()
        .build()
}

/// By how much its priority is lower than that of the other threads: they come first, but a machine whose processors are
/// always busy still does the work, which a thread of the idle class would not.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of the calling thread. Other systems know only that of the process.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}
