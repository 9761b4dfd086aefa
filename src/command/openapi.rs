//! `openapi`: the document of the API.

use std::io::Write;

use anyhow::Context;

use crate::http::api_document;

/// Prints the document as it is served, indented.
///
/// # Errors
/// When it cannot be written as JSON, or nobody reads what is printed.
pub(super) fn print() -> anyhow::Result<()> {
    let document = api_document().to_pretty_json()?;
    writeln!(std::io::stdout(), "{document}").context("the document cannot be printed")
}
