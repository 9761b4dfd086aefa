//! `openapi`: the document of the API.

use crate::http::api_document;

/// Prints the document as it is served, indented.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn print() -> anyhow::Result<()> {
    println!("{}", api_document().to_pretty_json()?);
    Ok(())
}
