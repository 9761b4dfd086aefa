//! The settings of a domain as flags.

use clap::{Args, ValueEnum};

use crate::cli::one_of;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::model::close_rule::CloseRule;
use crate::registry::admin::DomainSettings;
use crate::store::domain::DomainRow;

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
    /// End a session without an end callback after it has been live this long, since its start or since an operator
    /// confirmed it; off: never. Default: as --close-unconfirmed-after of the service says
    #[arg(long, value_name = "DURATION|off")]
    close_unconfirmed_after: Option<CloseRule>,
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
}

/// The settings of a domain of which none is named.
pub(super) fn default_settings() -> DomainSettings {
    DomainSettings {
        signature: SignatureRule::Required,
        apps: None,
        joiner: FieldSeparator::Nothing,
        rendition_templates: Vec::new(),
        concurrent_pushes: false,
        close_unconfirmed_after: CloseRule::default(),
    }
}

pub(super) fn settings_of(row: DomainRow) -> DomainSettings {
    DomainSettings {
        close_unconfirmed_after: row.close_rule(),
        signature: row.signature,
        apps: row.apps,
        joiner: row.joiner,
        rendition_templates: row.rendition_templates,
        concurrent_pushes: row.concurrent_pushes,
    }
}

impl SettingsOptions {
    pub(super) fn names_any(&self) -> bool {
        let Self { unsigned, apps, joiner, rendition_templates, concurrent_pushes, close_unconfirmed_after } = self;
        *unsigned
            || !apps.is_empty()
            || joiner.is_some()
            || !rendition_templates.is_empty()
            || concurrent_pushes.is_some()
            || close_unconfirmed_after.is_some()
    }

    /// The settings with those that are named.
    pub(super) fn apply_to(self, mut settings: DomainSettings) -> DomainSettings {
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
        settings
    }
}

impl ResetOptions {
    pub(super) fn names_any(&self) -> bool {
        !self.reset.is_empty()
    }

    pub(super) fn apply_to(&self, settings: DomainSettings) -> DomainSettings {
        let default = default_settings();
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
        })
    }
}
