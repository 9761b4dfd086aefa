//! `token`: creates, lists and revokes tokens.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::database::{Access, CommandContext, with_installation};
use super::domain::reject_unknown_domain;
use super::output::{OneOutputOptions, Output, OutputOptions, Printer, print_json, say};
use super::prompt::{YesOption, confirm};
use super::suggestion::{Named, pick};
use super::table::Column;
use super::{moment, one_of};
use crate::access::admin::{self, NewToken};
use crate::api::KIOSK;
use crate::config::InstallationOptions;
use crate::http::tokens::TokenView;
use crate::model::access::Scope;
use crate::model::duration;
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
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListTokens),
    /// Revoke a token; takes effect in every process within 2 seconds
    #[command(visible_alias = "rm", after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeToken),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  streamtally token create \"wall display\" --scopes read -d push.example.com
  streamtally token create invoices --scopes read,billing --expires-in 90d
  streamtally token create invoices --scopes billing -o json | jq -r .token";

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally token list
  streamtally token list --output json";

const REVOKE_EXAMPLES: &str = "\
Examples:
  streamtally token revoke \"wall display\"
  streamtally token revoke 0a6f6f0e --yes";

const COLUMNS: [Column; 7] = [
    Column::id("token_id").titled("token id"),
    Column::new("name"),
    Column::new("scopes"),
    Column::new("domains").or("all"),
    Column::time("created_at"),
    Column::time("expires_at").or("never"),
    Column::time("last_used_at").or("never"),
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
    #[arg(long = "domain", short, value_name = "DOMAIN")]
    domains: Vec<String>,
    /// Time until it expires, such as 90d. Default: never
    #[arg(long, value_name = "DURATION", value_parser = duration::read, conflicts_with = "expires_at")]
    expires_in: Option<TimeDelta>,
    /// Expiry, as an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires_at: Option<DateTime<Utc>>,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct RevokeToken {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Name or ID of the token, or how its ID begins, as printed by `token list`
    token: String,
    #[command(flatten)]
    yes: YesOption,
}

impl TokenCommand {
    /// # Errors
    /// The database is unusable, or the request is invalid.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(ListTokens { installation, output }) => {
                with_installation(&installation, Access::Read, async |on| list(on, &output).await).await
            }
            Self::Revoke(command) => command.run().await,
        }
    }
}

impl RevokeToken {
    async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Change, async |on| {
            let rows = store::access_token::list_access_tokens(&on.pool).await?;
            let candidates: Vec<_> = rows.iter().map(|row| Named { id: row.token_id, name: &row.name }).collect();
            let token_id = pick(&self.token, &candidates, "token", "token list")?;
            confirm(&format!("Reject requests with the token {} from now on?", self.token), self.yes)?;
            if !admin::revoke_token(&on.pool, &on.actor, token_id, clock::now()).await? {
                anyhow::bail!("token not found; `token list` lists all");
            }
            Ok(say!("{token_id} is revoked")?)
        })
        .await
    }
}

impl CreateToken {
    async fn run(self) -> anyhow::Result<()> {
        let new = NewToken {
            name: self.name,
            scopes: self.scopes,
            domains: (!self.domains.is_empty()).then_some(self.domains),
            expires_at: self.expires_at.or_else(|| self.expires_in.map(|duration| clock::now() + duration)),
        };
        with_installation(&self.installation, Access::Change, async |on| {
            for domain in new.domains.iter().flatten() {
                reject_unknown_domain(on, domain).await?;
            }
            let (row, token) = admin::create_token(&on.pool, &on.actor, new, clock::now()).await?;
            let token = token.expose_secret();
            if self.output.output == Output::Json {
                let mut view = Map::from_iter([("token".to_owned(), Value::from(token))]);
                view.extend(serde_json::to_value(TokenView::from(row))?.as_object().cloned().unwrap_or_default());
                return print_json(&view);
            }
            say!("Token id: {}", row.token_id)?;
            say!("Token, shown this once: {token}")?;
            if row.scopes == [Scope::Read] {
                say!("Wall display, on the address of the service: /dashboard/sign-in?to={KIOSK}#token={token}")?;
            }
            Ok(())
        })
        .await
    }
}

async fn list(on: &CommandContext, output: &OutputOptions) -> anyhow::Result<()> {
    let rows = store::access_token::list_access_tokens(&on.pool).await?;
    let none = rows.is_empty().then(|| "there are no tokens; `token create NAME` creates one".to_owned());
    let mut printer = Printer::new(output.format(), COLUMNS);
    for row in rows {
        printer.row(&serde_json::to_value(TokenView::from(row))?)?;
    }
    Ok(printer.finish(&json!({}), none.as_slice())?)
}
