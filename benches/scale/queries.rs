//! The queries of dashboards and support.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A query, in variants that are sent in turn.
pub(super) struct Question {
    pub name: String,
    pub paths: Vec<String>,
    /// Number of pages of the first variant to skip before measuring.
    pub turn: u32,
}

/// Names and IDs for queries.
pub(super) struct Samples {
    now: DateTime<Utc>,
    /// By their number of streams: the busiest, and one of the quietest.
    busy: String,
    quiet: String,
    streams: Vec<StreamSample>,
    /// The streams with the most starts in the last day.
    flapping: Vec<StreamSample>,
    /// Sessions of the last 20 days.
    sessions: Vec<Uuid>,
    client_ips: Vec<String>,
    events: i64,
}

#[derive(sqlx::FromRow)]
struct StreamSample {
    stream_id: Uuid,
    domain: String,
    app: String,
    stream: String,
}

impl Samples {
    /// Reads samples from the database.
    pub(super) async fn find(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let now = sqlx::query_scalar("select max(recorded_at) from shard_head").fetch_one(&mut *transaction).await?;
        let domains: Vec<String> =
            sqlx::query_scalar("select domain from stream group by domain order by count(*) desc, domain")
                .fetch_all(&mut *transaction)
                .await?;
        // IDs are as good as random.
        let streams = "select stream_id, domain, app, stream from stream order by stream_id limit 100";
        let streams = sqlx::query_as(streams).fetch_all(&mut *transaction).await?;
        let flapping = "select stream_id, domain, app, stream from stream_session
                        where started_at > $1 and status <> 'unseen' group by 1, 2, 3, 4 order by count(*) desc limit 10";
        let flapping = sqlx::query_as(flapping).bind(now - TimeDelta::days(1)).fetch_all(&mut *transaction).await?;
        let sessions = "select session_id from stream_session where started_at > $1 and status <> 'unseen'
                        order by session_id limit 200";
        let sessions =
            sqlx::query_scalar(sessions).bind(now - TimeDelta::days(20)).fetch_all(&mut *transaction).await?;
        let client_ips = "select client_ip from stream_session where started_at > $1 and client_ip is not null
                          order by session_id limit 50";
        let client_ips =
            sqlx::query_scalar(client_ips).bind(now - TimeDelta::days(20)).fetch_all(&mut *transaction).await?;
        let events = sqlx::query_scalar("select count(*) from log_entry").fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        let name = |place: usize| domains.get(place).cloned().unwrap_or_default();
        Ok(Self {
            now,
            busy: name(0),
            quiet: name(domains.len().saturating_sub(5)),
            streams,
            flapping,
            sessions,
            client_ips,
            events,
        })
    }

    /// Number of events in the log.
    pub(super) fn events(&self) -> i64 {
        self.events
    }

    fn days_ago(&self, days: i64) -> String {
        (self.now - TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn hours_ago(&self, hours: i64) -> String {
        (self.now - TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        [
            self.goals(),
            self.lists_of_sessions(),
            self.periods(),
            self.lists_of_streams(),
            self.live(),
            self.events_of_log(),
            self.totals(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The queries with a goal.
    fn goals(&self) -> Vec<Question> {
        vec![
            one("sessions: live", "/v1/sessions?status=live"),
            of("sessions: a stream's", &self.streams, |one| format!("/v1/sessions?stream_id={}", one.stream_id)),
            of("sessions: a flapping stream's", &self.flapping, |one| {
                format!("/v1/sessions?stream_id={}", one.stream_id)
            }),
            of("one session", &self.sessions, |id| format!("/v1/sessions/{id}")),
            of("one session's events", &self.sessions, |id| format!("/v1/sessions/{id}/events")),
            of("one stream", &self.streams, |one| format!("/v1/streams/{}", one.stream_id)),
            of("one flapping stream", &self.flapping, |one| format!("/v1/streams/{}", one.stream_id)),
        ]
    }

    fn lists_of_sessions(&self) -> Vec<Question> {
        let Self { busy, quiet, .. } = self;
        let mut questions = vec![one("sessions", "/v1/sessions"), one("sessions: 500", "/v1/sessions?limit=500")];
        for (name, filter) in [
            ("ended", "status=ended".to_owned()),
            ("oldest first", "sort=started_at".to_owned()),
            ("busy domain", format!("domain={busy}")),
            ("quiet domain", format!("domain={quiet}")),
            ("busy domain, app", format!("domain={busy}&app=live")),
            ("app alone", "app=radio".to_owned()),
            ("live, busy domain", format!("status=live&domain={busy}")),
            ("live, quiet domain", format!("status=live&domain={quiet}")),
            ("live, oldest first", "status=live&sort=started_at".to_owned()),
            ("live, renditions only", "status=live&renditions=only".to_owned()),
            ("unconfirmed", "unconfirmed=true".to_owned()),
            ("unconfirmed, quiet domain", format!("unconfirmed=true&domain={quiet}")),
            ("renditions only", "renditions=only".to_owned()),
            ("superseded", "ended_at_source=superseded".to_owned()),
            ("timed out", "ended_at_source=timed_out".to_owned()),
            ("ended by an operator", "ended_at_source=operator".to_owned()),
            ("flag start_missing", "flag=start_missing".to_owned()),
            ("flag key_conflict", "flag=key_conflict".to_owned()),
            ("flag key_conflict, quiet domain", format!("flag=key_conflict&domain={quiet}")),
            ("flag quarantined_messages", "flag=quarantined_messages".to_owned()),
            ("longer than a day", "min_duration_seconds=86400".to_owned()),
            ("longer than 30 days", "min_duration_seconds=2592000".to_owned()),
            ("shorter than 5 s", "max_duration_seconds=5".to_owned()),
            ("longer than a day, quiet domain", format!("min_duration_seconds=86400&domain={quiet}")),
            ("node_ip", "node_ip=203.0.113.7".to_owned()),
            ("node_ip of nobody", "node_ip=192.0.2.1".to_owned()),
            ("client_ip of nobody", "client_ip=192.0.2.1".to_owned()),
            ("stream of nobody", "stream=nobody".to_owned()),
            ("stream_prefix", "stream_prefix=camera-00".to_owned()),
            ("stream_prefix, busy domain", format!("stream_prefix=camera-00&domain={busy}")),
            ("stream_prefix of nobody", "stream_prefix=nobody".to_owned()),
            ("publish_timestamp", format!("publish_timestamp={}", (self.now - TimeDelta::days(90)).timestamp())),
        ] {
            questions.push(one(&format!("sessions: {name}"), &format!("/v1/sessions?{filter}")));
        }
        for (name, filter) in [
            ("all", "sort=-started_at".to_owned()),
            ("live", "status=live".to_owned()),
            ("busy domain", format!("domain={busy}")),
        ] {
            let path = format!("/v1/sessions?limit=500&{filter}");
            questions.push(Question { name: format!("sessions: {name}, page 20"), paths: vec![path], turn: 20 });
        }
        questions.extend([
            of("sessions: client_ip", &self.client_ips, |ip| format!("/v1/sessions?client_ip={ip}")),
            of("sessions: stream by its name alone", &self.streams, |one| {
                format!("/v1/sessions?stream={}", one.stream)
            }),
            of("sessions: domain, app, stream", &self.streams, |one| {
                format!("/v1/sessions?domain={}&app={}&stream={}", one.domain, one.app, one.stream)
            }),
        ]);
        questions
    }

    fn periods(&self) -> Vec<Question> {
        let Self { busy, quiet, .. } = self;
        let mut questions = Vec::new();
        for (when, from, to) in [
            ("an hour today", self.hours_ago(6), self.hours_ago(5)),
            ("an hour 200 days ago", self.hours_ago(4_806), self.hours_ago(4_805)),
            ("a month half a year ago", self.days_ago(210), self.days_ago(180)),
        ] {
            for field in ["overlap", "started_at", "ended_at"] {
                let period = format!("time_field={field}&from={from}&to={to}");
                questions.push(one(&format!("sessions: {field} {when}"), &format!("/v1/sessions?{period}")));
                let path = format!("/v1/sessions?{period}&domain={quiet}");
                questions.push(one(&format!("sessions: {field} {when}, quiet domain"), &path));
            }
        }
        for (name, filter) in [
            ("at an hour ago", format!("at={}", self.hours_ago(1))),
            ("at 200 days ago", format!("at={}", self.days_ago(200))),
            ("at 200 days ago, busy domain", format!("at={}&domain={busy}", self.days_ago(200))),
            ("at 200 days ago, quiet domain", format!("at={}&domain={quiet}", self.days_ago(200))),
            ("ended in the last hour", format!("time_field=ended_at&from={}", self.hours_ago(1))),
            ("overlap the last hour", format!("from={}", self.hours_ago(1))),
        ] {
            questions.push(one(&format!("sessions: {name}"), &format!("/v1/sessions?{filter}")));
        }
        questions.push(of("sessions: a stream's, at 100 days ago", &self.streams, |one| {
            format!("/v1/sessions?stream_id={}&at={}", one.stream_id, self.days_ago(100))
        }));
        questions
    }

    fn totals(&self) -> Vec<Question> {
        let Self { busy, quiet, .. } = self;
        let mut questions = Vec::new();
        for (name, filter) in [
            ("live", "status=live".to_owned()),
            ("live, busy domain", format!("status=live&domain={busy}")),
            ("busy domain", format!("domain={busy}")),
            ("quiet domain", format!("domain={quiet}")),
            ("at 200 days ago", format!("at={}", self.days_ago(200))),
            ("overlap an hour 200 days ago", format!("from={}&to={}", self.hours_ago(4_806), self.hours_ago(4_805))),
            ("overlap a month", format!("from={}&to={}", self.days_ago(210), self.days_ago(180))),
            ("ended in the last day", format!("time_field=ended_at&from={}", self.days_ago(1))),
            ("flag start_missing", "flag=start_missing".to_owned()),
            // Last: some of many clients get 429, and PostgreSQL still counts for the others.
            ("all", "sort=-started_at".to_owned()),
        ] {
            let path = format!("/v1/sessions?include_total=true&{filter}");
            questions.push(one(&format!("sessions with total: {name}"), &path));
        }
        questions
    }

    fn lists_of_streams(&self) -> Vec<Question> {
        let Self { busy, quiet, .. } = self;
        let mut questions = vec![one("streams", "/v1/streams"), one("streams: 500", "/v1/streams?limit=500")];
        for (name, filter) in [
            ("busy domain", format!("domain={busy}")),
            ("quiet domain", format!("domain={quiet}")),
            ("app alone", "app=radio".to_owned()),
            ("live", "status=live".to_owned()),
            ("live, busy domain", format!("status=live&domain={busy}")),
            ("live, quiet domain", format!("status=live&domain={quiet}")),
            ("offline", "status=offline".to_owned()),
            ("renditions only", "renditions=only".to_owned()),
            ("sources only", "renditions=exclude".to_owned()),
            ("search", "search=a-00".to_owned()),
            ("search, a rare part", "search=123456".to_owned()),
            ("search of nobody", "search=nobody".to_owned()),
            ("search, live, busy domain", format!("search=era-0&status=live&domain={busy}")),
            ("stream_prefix", "stream_prefix=camera-00".to_owned()),
            ("stream_prefix of nobody", "stream_prefix=nobody".to_owned()),
            ("stream_prefix, busy domain", format!("stream_prefix=camera-00&domain={busy}")),
        ] {
            questions.push(one(&format!("streams: {name}"), &format!("/v1/streams?{filter}")));
        }
        questions.extend([
            of("streams: by its name alone", &self.streams, |one| format!("/v1/streams?stream={}", one.stream)),
            Question { name: "streams: page 20".to_owned(), paths: vec!["/v1/streams?limit=500".to_owned()], turn: 20 },
        ]);
        questions
    }

    fn live(&self) -> Vec<Question> {
        vec![
            one("live", "/v1/live"),
            one("live by domain", "/v1/live?group_by=domain"),
            one("live by domain, app", "/v1/live?group_by=domain,app"),
            one("live, sources only, by domain", "/v1/live?renditions=exclude&group_by=domain"),
            one("live, busy domain, by domain, app", &format!("/v1/live?domain={}&group_by=domain,app", self.busy)),
            one("live, quiet domain", &format!("/v1/live?domain={}", self.quiet)),
        ]
    }

    fn events_of_log(&self) -> Vec<Question> {
        let Self { busy, quiet, .. } = self;
        let mut questions = Vec::new();
        for (name, filter) in [
            ("all", "limit=50".to_owned()),
            ("busy domain", format!("domain={busy}")),
            ("quiet domain", format!("domain={quiet}")),
            ("domain of nobody", "domain=nobody.example".to_owned()),
            ("app alone", "app=radio".to_owned()),
            ("stream of nobody", "stream=nobody".to_owned()),
            ("PUBLISH_DONE", "event=PUBLISH_DONE".to_owned()),
            ("SUPERSEDED", "event=SUPERSEDED".to_owned()),
            ("OPERATOR_END", "event=OPERATOR_END".to_owned()),
            ("event that never was", "event=NEVER".to_owned()),
            ("accepted", "disposition=accepted".to_owned()),
            ("quarantined", "disposition=quarantined".to_owned()),
            ("quarantined, quiet domain", format!("disposition=quarantined&domain={quiet}")),
            ("released", "disposition=released".to_owned()),
            ("reason expired", "reason=expired".to_owned()),
            ("reason that never was", "reason=start_outside_window".to_owned()),
            ("an hour 20 days ago", format!("from={}&to={}", self.hours_ago(480), self.hours_ago(479))),
            ("until 20 days ago", format!("to={}", self.days_ago(20))),
            (
                "an hour 20 days ago, quiet domain",
                format!("from={}&to={}&domain={quiet}", self.hours_ago(480), self.hours_ago(479)),
            ),
        ] {
            questions.push(one(&format!("events: {name}"), &format!("/v1/events?{filter}")));
        }
        questions.extend([
            of("events: domain, app, stream", &self.streams, |one| {
                format!("/v1/events?domain={}&app={}&stream={}", one.domain, one.app, one.stream)
            }),
            of("events: stream by its name alone", &self.streams, |one| format!("/v1/events?stream={}", one.stream)),
            Question { name: "events: page 20".to_owned(), paths: vec!["/v1/events?limit=500".to_owned()], turn: 20 },
        ]);
        questions
    }
}

fn one(name: &str, path: &str) -> Question {
    Question { name: name.to_owned(), paths: vec![path.to_owned()], turn: 0 }
}

fn of<T>(name: &str, samples: &[T], path: impl Fn(&T) -> String) -> Question {
    Question { name: name.to_owned(), paths: samples.iter().map(path).collect(), turn: 0 }
}
