//! Workbooks, as other programs read them: the library `openpyxl`, and `LibreOffice`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::examples::{Caller, DOMAIN, last_year, month, python_with_library, serve_history};
use test_support::service::Service;

const HOSTILE: &str = "=HYPERLINK(\"http://x\")";

/// April of last year by stream, with a total of three pushes and a hostile name.
fn april(caller: &Caller, service: &Service) -> String {
    let began = last_year("04-16");
    caller.send(service, "start", HOSTILE, &["--publish-timestamp", &began]);
    caller.send(service, "end", HOSTILE, &["--publish-timestamp", &began, "--wait"]);
    let [april, may] = [4, 5].map(month);
    let period = format!("from={april}-01&to={may}-01&time_zone=Europe/Berlin&group_by=domain,stream");
    format!("{}/v1/reports/push-duration?{period}&format=xlsx", service.url())
}

/// What openpyxl reads from a workbook, which it stores at a path.
fn read_by_openpyxl(caller: &Caller, url: &str, path: &Path) -> Value {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/process/delivery/read_workbook.py");
    let mut python = Command::new(python_with_library());
    python.arg(script).arg(url).arg(path).env("STREAMTALLY_TOKEN", &caller.token).env("NO_PROXY", "*");
    let read = python.stdin(Stdio::null()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn a_workbook_is_read_by_openpyxl_with_its_types_and_formats() {
    let (caller, service) = serve_history();
    let url = april(&caller, &service);
    let book = read_by_openpyxl(&caller, &url, &caller.home.path().join("april.xlsx"));
    let rows = &book["sheets"]["Push duration"];
    assert_eq!(rows[0][2][0], "Start (Europe/Berlin)");
    assert_eq!(rows[1][1], json!(["=2+3", "s", "@"]));
    assert_eq!([&rows[2][0], &rows[2][1]], [&json!([DOMAIN, "s", "@"]), &json!([HOSTILE, "s", "@"])]);
    let first = format!("{}-01 00:00:00", month(4));
    assert_eq!(rows[1][2], json!([first, "d", "yyyy-mm-dd hh:mm:ss"]));
    assert_eq!((&rows[1][6], &rows[1][7]), (&json!(["720", "n", "#,##0.00"]), &json!(["2592000", "n", "#,##0"])));
    // Two pushes of all of April, and two of its last fifteen days without two hours.
    let total = 2 * 30 * 86_400 + 2 * (15 * 86_400 - 2 * 3_600);
    assert_eq!((&rows[5][0][0], &rows[5][7][0]), (&json!("Total"), &json!(total.to_string())));
    let about = book["sheets"]["About"].as_array().unwrap();
    let value = |name: &str| about.iter().find(|row| row[0][0] == name).unwrap()[1].clone();
    assert_eq!(value("From (Europe/Berlin)"), json!([first, "d", "yyyy-mm-dd hh:mm:ss"]));
    let as_of = value("As of")[0].as_str().unwrap().replace('T', " ");
    // It was created at the second of its `as_of`, so that the same request gives the same bytes.
    assert!(as_of.starts_with(book["created"].as_str().unwrap()), "{as_of} {}", book["created"]);
    service.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn a_workbook_is_opened_by_libreoffice_and_no_name_is_a_formula() {
    let (caller, service) = serve_history();
    let folder = caller.home.path();
    let url = april(&caller, &service);
    read_by_openpyxl(&caller, &url, &folder.join("april.xlsx"));
    // As CSV in UTF-8, each sheet in a file of its own, cells as they are shown.
    let filter = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1";
    let mut office = Command::new("soffice");
    office.arg(format!("-env:UserInstallation=file://{}", folder.join("office").display()));
    office.args(["--headless", "--convert-to", filter, "--outdir"]).arg(folder).arg(folder.join("april.xlsx"));
    let converted = office.stdin(Stdio::null()).output().expect("scripts/test installs LibreOffice");
    let sheet = |name: &str| {
        let path = folder.join(format!("april-{name}.csv"));
        let text = fs::read(&path).unwrap_or_else(|_| panic!("{}: {converted:?}", path.display()));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect::<Vec<Vec<String>>>()
    };
    let rows = sheet("Push duration");
    let names: Vec<_> = rows[1..5].iter().map(|row| row[1].as_str()).collect();
    assert_eq!(names, ["=2+3", HOSTILE, "room1", "room2"]);
    assert_eq!(rows[1][2..4], [4, 5].map(|number| format!("{}-01 00:00:00", month(number))));
    assert_eq!(rows[1][6..8], ["720.00", "2,592,000"]);
    assert_eq!([&rows[5][0], &rows[5][6]], ["Total", "2,156.00"]);
    assert!(sheet("About").iter().any(|row| row[0] == "Time zone" && row[1] == "Europe/Berlin"));
    service.stop();
}
