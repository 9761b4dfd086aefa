//! Whether JSON fits a schema of the document of the API.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use streamtally::http::api_document;

static SCHEMAS: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(api_document()).unwrap()["components"]["schemas"].clone());

/// Asserts that a value fits a schema, which may refer to others.
pub fn assert_fits(what: &str, schema: &Value, value: &Value) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);
    // What fails one test is to fail no other.
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = json!({ "schemas": *SCHEMAS });
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        options.build(&whole).unwrap()
    });
    let faults: Vec<_> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {value} does not fit: {faults:?}");
}
