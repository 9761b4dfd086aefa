//! `token`: who may read.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::database::with_installation;
use crate::access::Scope;
use crate::access::admin::{self, NewToken};
use crate::clock;
use crate::config::InstallationOptions;
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and print it this once
    Create(CreateToken),
    /// Show every token, without the tokens themselves
    List(InstallationOptions),
    /// Revoke a token; takes effect everywhere within 2 seconds
    Revoke(RevokeToken),
}

#[derive(Debug, Args)]
pub(super) struct CreateToken {
    #[command(flatten)]
    installation: InstallationOptions,
    /// What it is for
    name: String,
    /// What it may do, separated by commas
    #[arg(long = "scopes", default_value = "read", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)))]
    scopes: Vec<String>,
    /// A domain that exists for it; all do when none is named. May be repeated
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// When it stops working, as an RFC 3339 time; never when left out
    #[arg(long, value_name = "TIME")]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Args)]
pub(super) struct RevokeToken {
    #[command(flatten)]
    installation: InstallationOptions,
    /// The token's id, as `token list` prints it
    token_id: Uuid,
}

impl TokenCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// When the database cannot be used, or what is asked for is not possible.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(options) => {
                with_installation(&options, async |on| {
                    for row in store::access_token::list_access_tokens(&on.pool).await? {
                        let domains = row.domains.map_or("all domains".to_owned(), |domains| domains.join(","));
                        let time = |at: Option<DateTime<Utc>>| {
                            at.map_or("never".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
                        };
                        let (expires, used) = (time(row.expires_at), time(row.last_used_at));
                        println!(
                            "{}\t{}\t{}\t{domains}\texpires {expires}\tlast used {used}",
                            row.token_id,
                            row.name,
                            row.scopes.join(",")
                        );
                    }
                    Ok(())
                })
                .await
            }
            Self::Revoke(RevokeToken { installation, token_id }) => {
                with_installation(&installation, async |on| {
                    if !admin::revoke_token(&on.pool, &on.actor, token_id, clock::now()).await? {
                        anyhow::bail!("there is no such token; `token list` shows them");
                    }
                    println!("{token_id} is revoked");
                    Ok(())
                })
                .await
            }
        }
    }
}

impl CreateToken {
    async fn run(self) -> anyhow::Result<()> {
        let new = NewToken {
            name: self.name,
            scopes: self.scopes.iter().filter_map(|word| Scope::from_word(word)).collect(),
            domains: (!self.domains.is_empty()).then_some(self.domains),
            expires_at: self.expires_at,
        };
        with_installation(&self.installation, async |on| {
            let (row, token) = admin::create_token(&on.pool, &on.actor, new, clock::now()).await?;
            println!("Token id: {}", row.token_id);
            println!("Token, shown this once: {}", token.expose_secret());
            Ok(())
        })
        .await
    }
}
