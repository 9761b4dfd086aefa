//! What a service serves at `/metrics`, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{Expr, parse};

/// A value, and whose it is.
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Everything that was served at one moment.
pub struct Scrape {
    pub text: String,
    /// Names of metrics, and their kinds.
    pub kinds: BTreeMap<String, String>,
    pub samples: Vec<Sample>,
}

impl Scrape {
    pub fn of(text: String) -> Self {
        let kind = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        };
        let kinds = text.lines().filter_map(kind).collect();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(sample).collect();
        Self { text, kinds, samples }
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }

    /// The one value with this name and, among others, these labels.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            let has = |(label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|known| known == value);
            sample.name == name && labels.iter().all(has)
        };
        let found: Vec<_> = self.samples.iter().filter(fits).map(|sample| sample.value).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?} in {}", self.text);
        found[0]
    }

    /// The values of a label of the series with this name.
    pub fn values_of<'a>(&'a self, name: &'a str, label: &'a str) -> BTreeSet<&'a str> {
        let of_name = self.samples.iter().filter(move |sample| sample.name == name);
        of_name.filter_map(|sample| sample.labels.get(label)).map(String::as_str).collect()
    }

    /// The name of the metric that a series belongs to.
    pub fn metric_of<'a>(&self, series: &'a str) -> &'a str {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
        of_histogram.filter(|name| self.kinds.get(*name).is_some_and(|kind| kind == "histogram")).unwrap_or(series)
    }
}

/// A series is written as it is asked for.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a series and a value");
    let Ok(Expr::VectorSelector(series)) = parse(series) else { panic!("not a series: {line}") };
    let labels = series.matchers.matchers.into_iter().map(|label| (label.name, label.value)).collect();
    Sample { name: series.name.expect("a name"), labels, value: value.parse().expect("a number") }
}
