//! Where reports are read: on a thread that gives way to all others, receiving above all.

use std::io;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// By how much it gives way: the kernel then gives it a tenth of what it gives others that are busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

static READERS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("reports").on_thread_start(give_way).enable_all().build()
});

/// Runs something on that thread. Whatever reads from it is bounded by it in turn.
pub(super) fn spawn(reading: impl Future<Output = ()> + Send + 'static) {
    match &*READERS {
        Ok(readers) => readers.spawn(reading),
        // The machine has no thread left.
        Err(_) => tokio::spawn(reading),
    };
}

fn give_way() {
    // Of Linux alone is it known that this is about one thread. Without it, reports are read all the same.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}
