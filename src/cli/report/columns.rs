//! The columns of reports in tables: hours, and local windows instead of their bounds.

use crate::cli::table::Column;
use crate::model::report::WindowSize;
use crate::report::csv;

pub(in crate::cli) const OF_CONCURRENCY: [Column; 5] = [
    Column::time("at"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("live_sessions"),
    Column::new("live_streams"),
];

pub(in crate::cli) fn of_push_duration(window: WindowSize) -> Vec<Column> {
    csv::COLUMNS.iter().map(|name| of_name(name, window)).collect()
}

fn of_name(name: &'static str, window: WindowSize) -> Column {
    match name {
        "window_start" => match window {
            // The period is below the table.
            WindowSize::Whole => Column::hidden(name),
            WindowSize::Hour => Column::time_as(name, "%Y-%m-%d %H:%M").titled("hour"),
            WindowSize::Day => Column::time_as(name, "%Y-%m-%d").titled("day"),
            WindowSize::Week => Column::time_as(name, "%Y-%m-%d").titled("week from"),
            WindowSize::Month => Column::time_as(name, "%Y-%m").titled("month"),
        },
        "window_end" | "sessions_started" => Column::hidden(name),
        "peak_live_sessions" => Column::new(name).titled("peak"),
        name if name.ends_with("_seconds") => Column::hours(name),
        name => Column::new(name),
    }
}
