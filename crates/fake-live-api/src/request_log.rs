//! What was requested, so that tests can check budgets.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{faults::FaultKind, settings::Api};

/// A request that arrived. Headers and body are left out, since they hold credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    pub received_at: DateTime<Utc>,
    /// `None` for an unknown path.
    pub api: Option<Api>,
    pub method: String,
    pub target: String,
    /// `None` if there was no complete answer.
    pub status: Option<u16>,
    pub fault: Option<FaultKind>,
}

/// The largest number of requests of an API within any period of this length.
pub fn busiest_period(requests: &[LoggedRequest], api: Api, period: TimeDelta) -> usize {
    let mut times: Vec<_> = requests.iter().filter(|one| one.api == Some(api)).map(|one| one.received_at).collect();
    times.sort_unstable();
    let within = |(number, start): (usize, &DateTime<Utc>)| {
        let end = times.partition_point(|time| *time - *start < period);
        end - number
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn the_busiest_period_may_begin_anywhere() {
        let request = |seconds| LoggedRequest {
            received_at: at(seconds),
            api: Some(Api::Streams),
            method: "GET".to_owned(),
            target: "/".to_owned(),
            status: Some(200),
            fault: None,
        };
        let requests: Vec<_> = [0, 50, 70, 80, 109, 110, 300].map(request).to_vec();
        assert_eq!(busiest_period(&requests, Api::Streams, TimeDelta::minutes(1)), 4);
        assert_eq!(busiest_period(&requests, Api::History, TimeDelta::minutes(1)), 0);
    }
}
