//! `domain key`: keys that sign callbacks.

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{OneDomain, get};
use crate::cli::database::{Access, CommandContext, with_installation};
use crate::cli::output::{OneOutputOptions, Output, print_json, say};
use crate::cli::prompt::{YesOption, confirm};
use crate::cli::rejections::say_what_a_retry_admits;
use crate::cli::secret_from_stdin;
use crate::cli::suggestion::{Named, pick};
use crate::platform::clock;
use crate::registry::admin;
use crate::store;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyCommand {
    /// Add a key, and print it if it was generated
    #[command(after_help = ADD_KEY_EXAMPLES)]
    Add(AddKey),
    /// Remove a key; callbacks signed with it are rejected from now on
    #[command(visible_alias = "rm", after_help = REMOVE_KEY_EXAMPLES)]
    Remove(RemoveKey),
}

const ADD_KEY_EXAMPLES: &str = "\
Examples:
  streamtally domain key add push.example.com                    generate a key and print it once
  streamtally domain key add push.example.com --key-stdin <key.txt";

const REMOVE_KEY_EXAMPLES: &str = "\
Examples:
  streamtally domain key remove push.example.com 85831e6a";

#[derive(Debug, Args)]
pub(in crate::cli) struct AddKey {
    #[command(flatten)]
    one: OneDomain,
    /// Read the key from standard input, as set at the provider. Default: generate a key
    #[arg(long)]
    key_stdin: bool,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveKey {
    #[command(flatten)]
    one: OneDomain,
    /// ID of the key, or how it begins, as printed by `domain show`
    key_id: String,
    #[command(flatten)]
    yes: YesOption,
}

impl KeyCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(AddKey { one, key_stdin, output }) => {
                let key = if key_stdin { Some(secret_from_stdin()?) } else { None };
                with_installation(&one.installation, Access::Change, async |on| {
                    let added = add_key(on, &one.domain, key).await?;
                    if output.output == Output::Json {
                        return print_json(&added);
                    }
                    say_key(&added)?;
                    say_what_a_retry_admits(on, &one.domain).await
                })
                .await
            }
            Self::Remove(RemoveKey { one: OneDomain { installation, domain }, key_id, yes }) => {
                with_installation(&installation, Access::Change, async |on| {
                    get(on, &domain).await?;
                    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
                    let own = keys.iter().filter(|key| key.domain == domain);
                    let candidates: Vec<_> = own.map(|key| Named { id: key.key_id, name: "" }).collect();
                    let key_id = pick(&key_id, &candidates, "key", &format!("domain show {domain}"))?;
                    confirm(&format!("Reject callbacks of {domain} that are signed with {key_id} from now on?"), yes)?;
                    admin::remove_key(&on.pool, &on.actor, &domain, key_id, clock::now()).await?;
                    Ok(say!("callbacks signed with {key_id} are rejected from now on")?)
                })
                .await
            }
        }
    }
}

/// Adds a key, as the API answers; `key` only if it was generated.
pub(super) async fn add_key(
    on: &CommandContext,
    domain: &str,
    key: Option<SecretString>,
) -> anyhow::Result<Map<String, Value>> {
    let is_generated = key.is_none();
    get(on, domain).await?;
    let (row, key) = admin::add_key(&on.pool, &on.actor, &on.master_keys, domain, key, clock::now()).await?;
    let mut added = Map::from_iter([("key_id".to_owned(), json!(row.key_id))]);
    if is_generated {
        added.insert("key".to_owned(), key.expose_secret().into());
    }
    added.insert("created_at".to_owned(), json!(row.created_at));
    Ok(added)
}

pub(super) fn say_key(added: &Map<String, Value>) -> anyhow::Result<()> {
    let text = |name: &str| added.get(name).and_then(Value::as_str);
    say!("Key id: {}", text("key_id").unwrap_or_default())?;
    if let Some(key) = text("key") {
        say!("Key to set at the provider, shown this once: {key}")?;
    }
    Ok(())
}
