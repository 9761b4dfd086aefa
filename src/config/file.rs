//! The settings file: TOML, whose values become the defaults of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Command};

use super::{InstallationOptions, ServeOptions};

/// Makes the values of the settings file the defaults of the command line.
///
/// # Errors
/// The file is not readable or not TOML, or contains an unknown setting.
pub fn with_file(mut command: Command, arguments: &[OsString]) -> anyhow::Result<Command> {
    let Some(path) = file_named_by(arguments).or_else(|| std::env::var_os("STREAMTALLY_CONFIG")).map(PathBuf::from)
    else {
        return Ok(command);
    };
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("failed to read the settings in {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    for (name, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Array(items) => {
                let items = items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>();
                items.with_context(|| format!("{name} in {} must be a list of strings", path.display()))?.join(",")
            }
            _ => bail!("{name} in {} must be a string, a number, true or false, or a list of strings", path.display()),
        };
        if !is_setting(&name) {
            bail!("{} contains the unknown setting {name}", path.display());
        }
        command = with_default(command, &name, &value);
    }
    Ok(command)
}

/// Only the options of the service are settings.
fn is_setting(name: &str) -> bool {
    let settings = ServeOptions::augment_args(InstallationOptions::augment_args(Command::new("")));
    name != "config" && settings.get_arguments().any(|argument| argument.get_id() == name)
}

/// Sets the default of a setting in the command and its subcommands.
fn with_default(mut command: Command, setting: &str, value: &str) -> Command {
    if command.get_arguments().any(|argument| argument.get_id() == setting) {
        command = command.mut_arg(setting, |argument| argument.default_value(value.to_owned()));
    }
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    below
        .iter()
        .fold(command, |command, name| command.mut_subcommand(name, |below| with_default(below, setting, value)))
}

fn file_named_by(arguments: &[OsString]) -> Option<OsString> {
    let (mut arguments, mut before_program) = (arguments.iter(), false);
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().cloned();
        }
        let is_option = argument.to_string_lossy().starts_with('-');
        if before_program && !is_option {
            // The remaining arguments belong to the program that `database` runs.
            return None;
        }
        before_program |= argument == "database";
        if before_program && is_option && !argument.to_string_lossy().contains('=') {
            arguments.next();
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    None
}
