//! Settings from the environment.

use std::ffi::OsString;

use anyhow::bail;

/// Rejects settings whose whole value is in quotes. A shell and systemd remove them when they read a file of settings; `docker run
/// --env-file` does not. No setting has such a value. The error does not quote it: it may be a secret.
///
/// # Errors
/// A setting is in quotes.
pub fn reject_quotes(variables: impl Iterator<Item = (OsString, OsString)>) -> anyhow::Result<()> {
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let value = value.to_string_lossy();
        let is_setting = name.starts_with("STREAMTALLY_") || name == "DATABASE_URL";
        let is_quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
        if is_setting && (is_quoted('"') || is_quoted('\'')) {
            bail!("the value of the environment variable {name} is in quotes: leave them out, as in {name}=value");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::reject_quotes;

    fn is_rejected(name: &str, value: &str) -> bool {
        reject_quotes([(name.into(), value.into())].into_iter()).is_err()
    }

    #[test]
    fn only_a_setting_that_is_all_in_quotes_is_rejected() {
        assert!(is_rejected("DATABASE_URL", "\"postgres://localhost/x\""));
        assert!(is_rejected("STREAMTALLY_LISTEN", "'0.0.0.0:8080'"));
        assert!(is_rejected("STREAMTALLY_LOG", "\"\""));
        assert!(!is_rejected("STREAMTALLY_LOG", "info,streamtally[{name=\"x\"}]=debug"));
        assert!(!is_rejected("STREAMTALLY_LISTEN", "\""));
        assert!(!is_rejected("STREAMTALLY_LISTEN", "\"0.0.0.0:8080'"));
        assert!(!is_rejected("PS1", "\"$ \""));
    }
}
