//! `openapi`: the document of the API.

use super::output::say;
use crate::http::api_document;

pub(super) const EXAMPLES: &str = "\
Examples:
  streamtally openapi >openapi.json";

/// Prints the document as it is served, indented.
///
/// # Errors
/// When it cannot be written as JSON, or nobody reads what is printed.
pub(super) fn print() -> anyhow::Result<()> {
    Ok(say!("{}", api_document().to_pretty_json()?)?)
}
