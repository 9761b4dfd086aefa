//! What alerts and panels ask for.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use promql_parser::label::Matcher;
use promql_parser::parser::{Expr, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

/// The folder with what is to be had for monitoring.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring")
}

pub fn read_yaml(name: &str) -> Value {
    yaml_serde::from_str(&fs::read_to_string(folder().join(name)).expect(name)).expect(name)
}

pub fn rules() -> Vec<Value> {
    let alerts = read_yaml("alerts.yml");
    let groups = alerts["groups"].as_array().expect("groups").iter();
    groups.flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

pub fn dashboards() -> Vec<Value> {
    let files = fs::read_dir(folder().join("grafana/dashboards")).expect("dashboards");
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("a dashboard")).expect("JSON");
    files.map(|file| read(file.expect("a file").path())).collect()
}

/// The expressions of rules, and of panels and variables of dashboards.
pub fn all() -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("an expression").to_owned();
    let mut all: Vec<_> = rules().iter().map(|rule| text(&rule["expr"])).collect();
    for dashboard in dashboards() {
        for panel in dashboard["panels"].as_array().expect("panels") {
            let targets = panel["targets"].as_array().into_iter().flatten();
            all.extend(targets.map(|target| in_life(&text(&target["expr"]))));
        }
        for variable in dashboard["templating"]["list"].as_array().expect("variables") {
            let query = text(&variable["query"]["query"]);
            let asked = query.strip_prefix("label_values(").and_then(|asked| asked.rsplit_once(','));
            all.push(in_life(asked.expect("a series and a label").0));
        }
    }
    all
}

/// With what Grafana puts in the place of its variables.
fn in_life(expression: &str) -> String {
    ["$__rate_interval", "$__range"].iter().fold(expression.to_owned(), |text, variable| text.replace(variable, "5m"))
}

/// The series that an expression asks for.
pub fn series_of(expression: &str) -> Vec<VectorSelector> {
    let parsed = parse(expression).unwrap_or_else(|error| panic!("{error}: {expression}"));
    let mut found = Found(Vec::new());
    let Ok(_) = walk_expr(&mut found, &parsed);
    found.0
}

struct Found(Vec<VectorSelector>);

impl ExprVisitor for Found {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        match expression {
            Expr::VectorSelector(series) => self.0.push(series.clone()),
            Expr::MatrixSelector(series) => self.0.push(series.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// The values that a matcher names: alternatives of a pattern are values here.
pub fn values_of(matcher: &Matcher) -> BTreeSet<&str> {
    matcher.value.split('|').collect()
}
