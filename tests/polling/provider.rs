//! The provider, as the service asks it.

use std::cell::Cell;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fake_live_api::{Account, Answer, FakeApi, Reply, Request, Settings};
use streamtally::huawei::live_api::answer::{self, HistoryPage, ListPage, Refusal};
use streamtally::huawei::live_api::signing::{self, RequestToSign};
use streamtally::huawei::live_api::sweep::PAGE;
use streamtally::polling::budget::Budget;
use streamtally::polling::lists::{Lists, StreamName};
use streamtally::polling::turn::Moment;

pub const DOMAIN: &str = "push.example.com";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";
const HOST: &str = "live.cn-north-4.myhuaweicloud.com";

/// How many lists an account may read in a minute, and how many pages of the history.
pub const LISTS: usize = 300;
pub const HISTORIES: usize = 15;

/// The time that a request takes.
const REQUEST: Duration = Duration::from_millis(50);

/// Why an answer was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Refused(Refusal),
    Unreadable,
    NoAnswer,
}

/// The provider, and the world's clock.
pub struct Provider {
    pub api: Mutex<FakeApi>,
    lists: Mutex<Budget>,
    histories: Mutex<Budget>,
    milliseconds: Mutex<Cell<u64>>,
    begin: DateTime<Utc>,
}

impl Provider {
    pub fn new(seed: u64, settings: Settings, begin: DateTime<Utc>) -> Self {
        let account = Account {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            project_id: PROJECT.to_owned(),
            security_token: None,
            host: None,
        };
        Self {
            api: Mutex::new(FakeApi::new(seed, account, settings)),
            lists: Mutex::new(Budget::new(LISTS)),
            histories: Mutex::new(Budget::new(HISTORIES)),
            milliseconds: Mutex::default(),
            begin,
        }
    }

    pub fn now(&self) -> Moment {
        let steady = Duration::from_millis(self.milliseconds.lock().unwrap().get());
        Moment { at: self.begin + steady, steady }
    }

    pub fn pass(&self, time: Duration) {
        let milliseconds = self.milliseconds.lock().unwrap();
        milliseconds.set(milliseconds.get() + u64::try_from(time.as_millis()).unwrap());
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
        let is_history = path.starts_with("stats");
        let budget = if is_history { &self.histories } else { &self.lists };
        while let Err(wait) = { budget.lock().unwrap().take(self.now().steady) } {
            self.pass(wait);
        }
        self.pass(REQUEST);
        let now = self.now().at;
        let path = format!("{}/{PROJECT}/{path}", if is_history { "/v2" } else { "/v1" });
        let headers = [("host", HOST), ("x-project-id", PROJECT)];
        let to_sign = RequestToSign { method: "GET", path: &path, query, headers: &headers, body: b"" };
        let authorization = signing::authorization(ACCESS_KEY, &SECRET_KEY.into(), &to_sign, now);
        let request = Request {
            method: "GET".to_owned(),
            target: format!("{path}?{}", signing::canonical_query(query)),
            headers: [
                ("host", HOST.to_owned()),
                ("x-project-id", PROJECT.to_owned()),
                (signing::DATE_HEADER, signing::date(now)),
                ("authorization", authorization),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            body: Vec::new(),
        };
        match self.api.lock().unwrap().answer(&request, now) {
            Reply::Answer(Answer { status: 200, body, headers }) => {
                // A body that is shorter than its length breaks off.
                let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, length)| length);
                if length.is_some_and(|length| *length != body.len().to_string()) {
                    return Err(Failure::NoAnswer);
                }
                Ok(body)
            }
            Reply::Answer(answer) => {
                let code = answer::error_code(&answer.body);
                Err(Failure::Refused(answer::refusal(answer.status, code.as_deref())))
            }
            Reply::Reset | Reply::Stall | Reply::Drip(_) => {
                self.pass(Duration::from_secs(10));
                Err(Failure::NoAnswer)
            }
        }
    }
}

impl Lists for Provider {
    type Error = Failure;

    async fn list_streams(
        &self,
        domain: &str,
        offset: u32,
        stream: Option<StreamName<'_>>,
    ) -> Result<ListPage, Failure> {
        let (offset, limit) = (offset.to_string(), PAGE.to_string());
        let mut query = vec![("publish_domain", domain), ("offset", &offset), ("limit", &limit)];
        if let Some((app, stream)) = stream {
            query.extend([("app", app), ("stream", stream)]);
        }
        let body = self.get("realtime/streams", &query)?;
        answer::read_list(domain, &body).map_err(|_| Failure::Unreadable)
    }

    async fn list_history(
        &self,
        domain: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        page: u32,
    ) -> Result<HistoryPage, Failure> {
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (from, to, page, limit) = (time(from), time(to), page.to_string(), PAGE.to_string());
        let query =
            [("domain", domain), ("start_time", &from), ("end_time", &to), ("offset", &page), ("limit", &limit)];
        let body = self.get("stats/history/streams", &query)?;
        answer::read_history(domain, &body).map_err(|_| Failure::Unreadable)
    }
}
