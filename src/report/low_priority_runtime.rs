//! The runtime of reports: a thread of low priority.

use std::pin::pin;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ReportError;
use crate::platform::low_priority::LowPriorityRuntime;

static RUNTIME: LowPriorityRuntime = LowPriorityRuntime::new("reports");

/// Runs a task on that thread. Channels out of it must be bounded. Only the pool of reports may be used: its connections are
/// served by that thread.
pub(super) fn spawn(doing: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.handle().spawn(doing);
}

/// Where a task sends what it makes. `None` is the end.
pub type Output<T> = Sender<Result<Option<T>, ReportError>>;

/// Runs a task on that thread, one item ahead of the reader of what it sends. If it ends without completing, the reader gets an
/// error.
pub(super) fn produce<T: Send + 'static, Making: Future<Output = Result<(), ReportError>> + Send + 'static>(
    begin: impl FnOnce(Output<T>) -> Making,
) -> impl Stream<Item = Result<T, ReportError>> {
    let (sender, made) = channel(1);
    let making = begin(sender.clone());
    spawn(async move {
        let end = making.await.map(|()| None);
        // Ignore send errors: the receiver is gone.
        let _ = sender.send(end).await;
    });
    read(made)
}

/// Runs a stream on that thread, one item ahead of its reader. If it ends without completing, the reader gets an error.
pub fn stream<T: Send + 'static>(
    making: impl Stream<Item = Result<T, ReportError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ReportError>> {
    let (sender, made) = channel(1);
    spawn(send_all(making, sender));
    read(made)
}

/// Runs a stream on the thread of the caller instead, for a reader on that thread: for what needs another pool than that of
/// reports.
pub fn stream_of_caller<T: Send + 'static>(
    making: impl Stream<Item = Result<T, ReportError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ReportError>> {
    let (sender, made) = channel(1);
    tokio::spawn(send_all(making, sender));
    read(made)
}

async fn send_all<T>(making: impl Stream<Item = Result<T, ReportError>>, output: Output<T>) {
    let mut making = pin!(making.map_ok(Some).chain(stream::iter([Ok(None)])));
    while let Some(next) = making.next().await
        && output.send(next).await.is_ok()
    {}
}

fn read<T>(mut made: Receiver<Result<Option<T>, ReportError>>) -> impl Stream<Item = Result<T, ReportError>> {
    let next = stream::poll_fn(move |context| made.poll_recv(context));
    let crashed = stream::iter([Err(sqlx::Error::WorkerCrashed.into())]);
    next.chain(crashed)
        .try_take_while(|next| std::future::ready(Ok(next.is_some())))
        .try_filter_map(async |next| Ok(next))
}

/// Runs what blocks on another thread of low priority. Call it on that thread only.
pub(super) async fn block<T: Send + 'static>(
    blocking: impl FnOnce() -> Result<T, ReportError> + Send + 'static,
) -> Result<T, ReportError> {
    tokio::task::spawn_blocking(blocking).await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))
}
