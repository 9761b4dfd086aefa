//! Reports, compared with the best handwritten SQL for the same rows, in one run and on the same data.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use streamtally::platform::clock;

use super::measure::Service;

/// Number of requests per report. The first one warms the caches and is not counted.
const ROUNDS: usize = 6;

/// All columns except `on_air_seconds` and `peak_live_sessions`, which need more than one pass and one aggregate. By
/// days in UTC.
const SUMS: &str = "
    select domain, app, day, count(*) as sessions, count(*) filter (where started_at >= day) as sessions_started,
        sum(extract(epoch from least(ended, day + interval '1 day') - greatest(started_at, day)))::bigint as push_seconds
    from (
        select domain, app, started_at, coalesce(ended_at, $3::timestamptz) as ended from stream_session
        where status <> 'unseen' and rendition_template is null and started_at >= $1 and started_at < $2
        union all
        select domain, app, started_at, coalesce(ended_at, $3::timestamptz) from stream_session
        where status <> 'unseen' and rendition_template is null
            and started_at >= $1 - interval '24 hours' and started_at < $1 and (ended_at is null or ended_at > $1)
        union all
        select domain, app, started_at, $3::timestamptz from stream_session
        where status = 'live' and rendition_template is null and started_at < $1 - interval '24 hours'
        union all
        select domain, app, started_at, ended_at from stream_session
        where status = 'ended' and rendition_template is null and started_at < $1 - interval '24 hours'
            and ended_at - started_at > interval '24 hours' and ended_at > $1
    ) pushes
    cross join lateral generate_series(
        greatest(date_trunc('day', started_at), $1), least(ended, $2) - interval '1 microsecond', interval '1 day'
    ) day
    group by domain, app, day";

/// All columns. Overlapping pushes of a stream count once, by the latest end before each push; peaks are running sums
/// of starts and ends.
const WHOLE: &str = "
    with pushes as materialized (
        select domain, app, stream_id, started_at, ended, confirmed,
            greatest(started_at, max(ended) over (
                partition by stream_id order by started_at rows between unbounded preceding and 1 preceding)) as new_from
        from (
            select domain, app, stream_id, started_at, coalesce(ended_at, $3::timestamptz) as ended,
                ended_at_source in ('notification', 'operator') as confirmed
            from stream_session
            where status <> 'unseen' and rendition_template is null and started_at >= $1 and started_at < $2
            union all
            select domain, app, stream_id, started_at, coalesce(ended_at, $3::timestamptz),
                ended_at_source in ('notification', 'operator')
            from stream_session
            where status <> 'unseen' and rendition_template is null
                and started_at >= $1 - interval '24 hours' and started_at < $1 and (ended_at is null or ended_at > $1)
            union all
            select domain, app, stream_id, started_at, $3::timestamptz, null from stream_session
            where status = 'live' and rendition_template is null and started_at < $1 - interval '24 hours'
            union all
            select domain, app, stream_id, started_at, ended_at, ended_at_source in ('notification', 'operator')
            from stream_session
            where status = 'ended' and rendition_template is null and started_at < $1 - interval '24 hours'
                and ended_at - started_at > interval '24 hours' and ended_at > $1
        ) told
    ),
    parts as (
        select domain, app, day, started_at, ended, confirmed, greatest(started_at, day) as part_from,
            least(ended, day + interval '1 day') as part_to, greatest(coalesce(new_from, started_at), day) as part_new_from
        from pushes cross join lateral generate_series(
            greatest(date_trunc('day', started_at), $1), least(ended, $2) - interval '1 microsecond', interval '1 day'
        ) day
    ),
    sums as (
        select domain, app, day, count(*) as sessions, count(*) filter (where started_at >= day) as sessions_started,
            coalesce(sum(extract(epoch from part_to - part_from)) filter (where confirmed), 0)::bigint as confirmed_seconds,
            coalesce(sum(extract(epoch from part_to - part_from)) filter (where not confirmed), 0)::bigint as estimated_seconds,
            coalesce(sum(extract(epoch from part_to - part_from)) filter (where confirmed is null), 0)::bigint as open_seconds,
            sum(extract(epoch from part_to - part_from))::bigint as push_seconds,
            sum(greatest(extract(epoch from part_to - part_new_from), 0))::bigint as on_air_seconds
        from parts group by domain, app, day
    ),
    peaks as (
        select domain, app, day, max(live) as peak_live_sessions from (
            select domain, app, day,
                sum(change) over (partition by domain, app, day order by at, change rows unbounded preceding) as live
            from (
                select domain, app, day, part_from as at, 1 as change from parts where part_to > part_from
                union all
                select domain, app, day, part_to, -1 from parts where part_to > part_from
            ) changes
        ) lives group by domain, app, day
    )
    select * from sums join peaks using (domain, app, day)";

///
/// # Errors
/// The service or the database failed, or their results differ.
pub(super) async fn measure(service: &Service, connection: &mut PgConnection) -> anyhow::Result<()> {
    let this_month = clock::now().date_naive().with_day(1).context("every month has a first day")?;
    let (from, to) = (this_month - Months::new(4), this_month - Months::new(3));
    let busy: String = sqlx::query_scalar("select domain from stream group by domain order by count(*) desc limit 1")
        .fetch_one(&mut *connection)
        .await?;
    println!("| report | median ms | rows |");
    println!("|---|---:|---:|");
    let period = format!("from={from}&to={to}");
    let report = "/v1/reports/push-duration?format=csv";
    let month = format!("{report}&{period}&group_by=domain,app&window=day");
    let whole = ask(service, "a month by domain, app, day", &month).await?;
    let by_hand = run(connection, "the same by SQL by hand", WHOLE, from, to).await?;
    run(connection, "only its sums by SQL by hand", SUMS, from, to).await?;
    ensure!(whole == by_hand, "the report has {whole:?}, the SQL by hand has {by_hand:?}");
    let year = format!("from={}&to={this_month}", this_month - Months::new(12));
    for (name, path) in [
        ("a month by domain", format!("{report}&{period}")),
        ("a month by domain, app, stream", format!("{report}&{period}&group_by=domain,app,stream")),
        ("a year by month of the busiest domain", format!("{report}&{year}&window=month&domain={busy}")),
        ("a year by month and domain", format!("{report}&{year}&window=month")),
        (
            "first page of a month by domain, app, day",
            format!("/v1/reports/push-duration?{period}&group_by=domain,app&window=day"),
        ),
        ("first page of its sessions", format!("/v1/reports/push-duration/sessions?{period}")),
        ("concurrency of a month by hour", format!("/v1/reports/concurrency?{period}&step=1h")),
    ] {
        ask(service, name, &path).await?;
    }
    Ok(())
}

/// The values to compare: number of rows, and the sums of push seconds, on-air seconds and peaks.
type Sums = (usize, i64, i64, i64);

async fn ask(service: &Service, name: &str, path: &str) -> anyhow::Result<Sums> {
    let mut times = Vec::new();
    let mut body = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        body = service.get(path).await?;
        times.push(begun.elapsed());
    }
    let sums = sums_of(&body)?;
    println!("| {name} | {} | {} |", median(times), sums.0);
    Ok(sums)
}

fn sums_of(body: &[u8]) -> anyhow::Result<Sums> {
    if let Ok(page) = serde_json::from_slice::<Value>(body) {
        return Ok((page.get("data").and_then(Value::as_array).map_or(0, Vec::len), 0, 0, 0));
    }
    let mut sums = (0, 0, 0, 0);
    for row in csv::Reader::from_reader(body).deserialize() {
        let row: HashMap<String, String> = row?;
        let number = |column| row.get(column).and_then(|cell| cell.parse::<i64>().ok()).unwrap_or_default();
        sums.0 += 1;
        sums.1 += number("push_seconds");
        sums.2 += number("on_air_seconds");
        sums.3 += number("peak_live_sessions");
    }
    Ok(sums)
}

async fn run(
    connection: &mut PgConnection,
    name: &str,
    sql: &'static str,
    from: NaiveDate,
    to: NaiveDate,
) -> anyhow::Result<Sums> {
    let time = |date: NaiveDate| -> DateTime<Utc> { date.and_time(chrono::NaiveTime::MIN).and_utc() };
    let mut transaction = connection.begin().await?;
    for setting in ["random_page_cost = 1.1", "work_mem = '256MB'"] {
        sqlx::query(AssertSqlSafe(format!("set local {setting}"))).execute(&mut *transaction).await?;
    }
    let mut times = Vec::new();
    let mut sums = (0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let rows = sqlx::query(sql).bind(time(from)).bind(time(to)).bind(clock::now());
        let rows = rows.fetch_all(&mut *transaction).await?;
        times.push(begun.elapsed());
        let sum = |column: &str| rows.iter().filter_map(|row| row.try_get::<i64, _>(column).ok()).sum::<i64>();
        sums = (rows.len(), sum("push_seconds"), sum("on_air_seconds"), sum("peak_live_sessions"));
    }
    transaction.commit().await?;
    println!("| {name} | {} | {} |", median(times), sums.0);
    Ok(sums)
}

fn median(mut times: Vec<Duration>) -> String {
    times.remove(0);
    times.sort_unstable();
    times.get(times.len() / 2).map_or_else(|| "-".to_owned(), |time| format!("{:.0}", time.as_secs_f64() * 1_000.0))
}
