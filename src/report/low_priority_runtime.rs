//! The runtime of reports: a thread of low priority.

use std::pin::pin;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::channel;

use super::ReportError;
use crate::platform::low_priority::LowPriorityRuntime;

static RUNTIME: LowPriorityRuntime = LowPriorityRuntime::new("reports");

/// Runs a task on that thread. Channels out of it must be bounded. Only the pool of reports may be used: its connections are
/// served by that thread.
pub(super) fn spawn(doing: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.handle().spawn(doing);
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
