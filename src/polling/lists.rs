//! Reads the list of streams on air, all or one.

use chrono::{DateTime, Utc};

use crate::huawei::live_api::answer::{HistoryPage, ListPage, ListedStream};
use crate::huawei::live_api::sweep::{CompleteSweep, Progress, Sweep, Torn};

/// The app and the name of a stream.
pub type StreamName<'a> = (&'a str, &'a str);

/// The provider's lists of one account.
pub trait Lists {
    type Error;

    /// The page at a row of the list of streams on air; with `stream`, only its rows.
    fn list_streams(
        &self,
        domain: &str,
        offset: u32,
        stream: Option<StreamName<'_>>,
    ) -> impl Future<Output = Result<ListPage, Self::Error>> + Send;

    /// A page of the history. `page` is its number, from 0.
    fn list_history(
        &self,
        domain: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        page: u32,
    ) -> impl Future<Output = Result<HistoryPage, Self::Error>> + Send;
}

/// A list as it was read.
#[derive(Debug)]
pub struct ListRead<E> {
    pub begun_at: DateTime<Utc>,
    pub pages: u32,
    pub outcome: ListOutcome<E>,
}

#[derive(Debug)]
pub enum ListOutcome<E> {
    Complete(CompleteSweep),
    /// The rows show what is on air, but not what is not.
    Torn(Torn, Vec<ListedStream>),
    /// The rows until the error.
    Failed(E, Vec<ListedStream>),
}

/// Reads a list. One that changed while it was read is read once more.
pub async fn read_list<L: Lists>(
    lists: &L,
    domain: &str,
    stream: Option<StreamName<'_>>,
    now: impl Fn() -> DateTime<Utc>,
) -> ListRead<L::Error> {
    let first = read_once(lists, domain, stream, &now).await;
    match first.outcome {
        // Reading it again would take as long.
        ListOutcome::Torn(Torn::Duration, _) | ListOutcome::Complete(_) | ListOutcome::Failed(..) => first,
        ListOutcome::Torn(..) => {
            let second = read_once(lists, domain, stream, &now).await;
            ListRead { pages: first.pages + second.pages, ..second }
        }
    }
}

async fn read_once<L: Lists>(
    lists: &L,
    domain: &str,
    stream: Option<StreamName<'_>>,
    now: &impl Fn() -> DateTime<Utc>,
) -> ListRead<L::Error> {
    let begun_at = now();
    let mut sweep = Sweep::begin(begun_at, stream.map(|(app, stream)| (app.to_owned(), stream.to_owned())));
    let (mut offset, mut pages) = (0, 0);
    let outcome = loop {
        let page = match lists.list_streams(domain, offset, stream).await {
            Ok(page) => page,
            Err(error) => break ListOutcome::Failed(error, sweep.rows().to_vec()),
        };
        pages += 1;
        match sweep.add(page, now()) {
            Ok(Progress::Next(next)) => offset = next,
            Ok(Progress::Complete(complete)) => break ListOutcome::Complete(complete),
            Err(torn) => break ListOutcome::Torn(torn, sweep.rows().to_vec()),
        }
    };
    ListRead { begun_at, pages, outcome }
}
