//! The runtime of reports: a thread of low priority, so that other work, above all receiving, comes first.

use std::io;
use std::pin::pin;
use std::sync::LazyLock;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::channel;

use super::ReportError;

static THREAD: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("reports").on_thread_start(give_way).enable_all().build()
});

/// Runs a task on that thread. Channels out of it must be bounded. A connection that is opened there is served by that
/// thread for its whole life, so only the pool of reports may be used.
pub(super) fn spawn(doing: impl Future<Output = ()> + Send + 'static) {
    match &*THREAD {
        Ok(thread) => thread.spawn(doing),
        // The system cannot create another thread.
        Err(_) => tokio::spawn(doing),
    };
}

/// Runs a stream on that thread, one item ahead of its reader. If it ends without completing, the reader gets an error.
pub fn stream<T: Send + 'static>(
    making: impl Stream<Item = Result<T, ReportError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ReportError>> {
    let (sender, mut made) = channel(1);
    spawn(async move {
        let mut making = pin!(making.map_ok(Some).chain(stream::iter([Ok(None)])));
        while let Some(next) = making.next().await
            && sender.send(next).await.is_ok()
        {}
    });
    let next = stream::poll_fn(move |context| made.poll_recv(context));
    let crashed = stream::iter([Err(sqlx::Error::WorkerCrashed.into())]);
    next.chain(crashed)
        .try_take_while(|next| std::future::ready(Ok(next.is_some())))
        .try_filter_map(async |next| Ok(next))
}

/// By how much its priority is lower than that of the other threads: they come first, but a machine whose processors are
/// always busy still makes reports, which a thread of the idle class would not.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of the calling thread. Other systems know only that of the process.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}
