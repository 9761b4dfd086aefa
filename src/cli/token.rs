//! `token`: creates, lists and revokes tokens.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::database::{Access, CREATE, CommandContext, with_installation};
use super::one_of;
use super::output::{Column, Output, OutputOptions, Printer, say};
use crate::access::admin::{self, NewToken};
use crate::api::KIOSK;
use crate::config::InstallationOptions;
use crate::http::tokens::TokenView;
use crate::model::access::Scope;
use crate::platform::clock;
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token and print it once
    ///
    /// Give each client its own token with only the scopes that it needs: `read` shows live counts, streams, sessions,
    /// broadcasts, events and rejections without IP addresses and user_args, `personal` adds these, `billing` allows reports,
    /// `admin` allows all of this, and administration.
    ///
    /// For a token with the scope `read` alone, this also prints a link for a wall display: opened once on its screen, it signs
    /// the screen in for as long as the token is valid.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateToken),
    /// List all tokens, without their secrets
    #[command(after_help = LIST_EXAMPLES)]
    List(ListTokens),
    /// Revoke a token; takes effect in every process within 2 seconds
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeToken),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  streamtally token create \"wall display\" --scopes read --domain push.example.com
  streamtally token create invoices --scopes read,billing --expires-at 2027-01-01T00:00:00Z";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally token list
  streamtally token list --output json";

const REVOKE_EXAMPLES: &str = "\
Examples:
  streamtally token revoke 0a6f6f0e-4c27-4b3c-9c8c-8f1d5b3e2a10";

const COLUMNS: [Column; 7] = [
    Column::new("token_id"),
    Column::new("name"),
    Column::new("scopes"),
    Column::or("domains", "all"),
    Column::new("created_at"),
    Column::or("expires_at", "never"),
    Column::or("last_used_at", "never"),
];

#[derive(Debug, Args)]
pub(super) struct ListTokens {
    #[command(flatten)]
    installation: InstallationOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct CreateToken {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Name of the token: its purpose or owner
    name: String,
    /// Scopes, separated by commas
    #[arg(long = "scopes", default_value = "read", value_delimiter = ',', value_parser = one_of::<Scope>())]
    scopes: Vec<Scope>,
    /// Limit the token to this domain. May be repeated. Default: all domains
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// Expiry, as an RFC 3339 time. Default: never
    #[arg(long, value_name = "TIME")]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Args)]
pub(super) struct RevokeToken {
    #[command(flatten)]
    installation: InstallationOptions,
    /// ID of the token, as printed by `token list`
    token_id: Uuid,
}

impl TokenCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(ListTokens { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, output.output).await).await
            }
            Self::Revoke(RevokeToken { installation, token_id }) => {
                with_installation(&installation, Access::Change, async |on| {
                    if !admin::revoke_token(&on.pool, &on.actor, token_id, clock::now()).await? {
                        anyhow::bail!("token not found; `token list` shows all tokens");
                    }
                    Ok(say!("{token_id} is revoked")?)
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
            scopes: self.scopes,
            domains: (!self.domains.is_empty()).then_some(self.domains),
            expires_at: self.expires_at,
        };
        with_installation(&self.installation, CREATE, async |on| {
            let (row, token) = admin::create_token(&on.pool, &on.actor, new, clock::now()).await?;
            say!("Token id: {}", row.token_id)?;
            say!("Token, shown this once: {}", token.expose_secret())?;
            if row.scopes == [Scope::Read] {
                let path = format!("/dashboard/sign-in?to={KIOSK}#token={}", token.expose_secret());
                say!("Wall display, on the address of the service: {path}")?;
            }
            Ok(())
        })
        .await
    }
}

async fn list(on: &CommandContext, output: Output) -> anyhow::Result<()> {
    let rows = store::access_token::list_access_tokens(&on.pool).await?;
    let none = rows.is_empty().then(|| "there are no tokens; `token create NAME` creates one".to_owned());
    let mut printer = Printer::new(output, COLUMNS);
    for row in rows {
        printer.row(&serde_json::to_value(TokenView::from(row))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}
