//! The settings of a domain as flags.

use clap::{Args, ValueEnum};

use crate::cli::database::CommandContext;
use crate::cli::{one_of, provider};
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::model::polling::PollMode;
use crate::registry::admin::DomainSettings;

#[derive(Debug, Args)]
pub(super) struct SettingsOptions {
    /// Callbacks are unsigned and must use the secret path
    #[arg(long)]
    unsigned: bool,
    /// Accept only this app. May be repeated. Default: all apps
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// Separator (joiner) of the signed fields: empty or +. Default: empty
    #[arg(long, value_parser = one_of::<FieldSeparator>())]
    joiner: Option<FieldSeparator>,
    /// Transcoding template: a stream whose name is STREAM, an underscore and TEMPLATE is a rendition of STREAM. May be
    /// repeated
    #[arg(long = "rendition-template", value_name = "TEMPLATE")]
    rendition_templates: Vec<String>,
    /// Several encoders push one stream at the same time: a later push does not end an earlier one
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    concurrent_pushes: Option<bool>,
    /// End a session without an end callback after it has been live this long, since its start or since an operator or
    /// the provider's list confirmed it; off: never. Default: as --close-unconfirmed-after of the service says
    #[arg(long, value_name = "DURATION|off")]
    close_unconfirmed_after: Option<CloseRule>,
    /// Whether the provider's lists of streams are read: observe only compares them, repair corrects for lost
    /// callbacks. Tried only against a fake: use observe, and compare some days by hand, before you bill by repair.
    /// Default: off
    #[arg(long, value_parser = one_of::<PollMode>())]
    poll_mode: Option<PollMode>,
    /// Provider account with which they are read: its name or ID, or how its ID begins
    #[arg(long, value_name = "ACCOUNT")]
    provider_account: Option<String>,
}

/// For `domain set`.
#[derive(Debug, Args)]
pub(super) struct ResetOptions {
    /// Restore the defaults: of all settings, or of those listed, such as --reset=apps,joiner
    #[arg(
        long,
        value_enum,
        value_name = "SETTINGS",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = "all"
    )]
    reset: Vec<Setting>,
}

/// What can be restored to its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Setting {
    All,
    Signature,
    Apps,
    Joiner,
    RenditionTemplates,
    ConcurrentPushes,
    CloseUnconfirmedAfter,
    PollMode,
    ProviderAccount,
}

impl SettingsOptions {
    pub(super) fn names_any(&self) -> bool {
        let Self {
            unsigned,
            apps,
            joiner,
            rendition_templates,
            concurrent_pushes,
            close_unconfirmed_after,
            poll_mode,
            provider_account,
        } = self;
        *unsigned
            || !apps.is_empty()
            || joiner.is_some()
            || !rendition_templates.is_empty()
            || concurrent_pushes.is_some()
            || close_unconfirmed_after.is_some()
            || poll_mode.is_some()
            || provider_account.is_some()
    }

    /// The settings with those that are named.
    ///
    /// # Errors
    /// There is no such provider account.
    pub(super) async fn apply_to(
        self,
        on: &CommandContext,
        mut settings: DomainSettings,
    ) -> anyhow::Result<DomainSettings> {
        if let Some(account) = &self.provider_account {
            settings.provider_account_id = Some(provider::find(on, account).await?.account_id);
        }
        settings.poll_mode = self.poll_mode.unwrap_or(settings.poll_mode);
        if self.unsigned {
            settings.signature = SignatureRule::None;
        }
        if !self.apps.is_empty() {
            settings.apps = Some(self.apps);
        }
        if !self.rendition_templates.is_empty() {
            settings.rendition_templates = self.rendition_templates;
        }
        settings.joiner = self.joiner.unwrap_or(settings.joiner);
        settings.concurrent_pushes = self.concurrent_pushes.unwrap_or(settings.concurrent_pushes);
        settings.close_unconfirmed_after = self.close_unconfirmed_after.unwrap_or(settings.close_unconfirmed_after);
        Ok(settings)
    }
}

impl ResetOptions {
    pub(super) fn names_any(&self) -> bool {
        !self.reset.is_empty()
    }

    pub(super) fn apply_to(&self, settings: DomainSettings) -> DomainSettings {
        let default = DomainSettings::default();
        self.reset.iter().fold(settings, |settings, setting| match setting {
            Setting::All => default.clone(),
            Setting::Signature => DomainSettings { signature: default.signature, ..settings },
            Setting::Apps => DomainSettings { apps: None, ..settings },
            Setting::Joiner => DomainSettings { joiner: default.joiner, ..settings },
            Setting::RenditionTemplates => DomainSettings { rendition_templates: Vec::new(), ..settings },
            Setting::ConcurrentPushes => DomainSettings { concurrent_pushes: default.concurrent_pushes, ..settings },
            Setting::CloseUnconfirmedAfter => {
                DomainSettings { close_unconfirmed_after: default.close_unconfirmed_after, ..settings }
            }
            Setting::PollMode => DomainSettings { poll_mode: default.poll_mode, ..settings },
            Setting::ProviderAccount => DomainSettings { provider_account_id: None, ..settings },
        })
    }
}
