//! The form of a domain's settings.

use maud::{Markup, html};

use super::super::draft::Draft;
use super::super::form::{self, SubmittedForm};
use super::super::links;
use super::super::visitor::Visitor;
use crate::api::problem::ApiError;
use crate::http::domains::{
    read_close_rule, read_field_separator, read_poll_mode, read_provider_account, read_signature_rule,
};
use crate::model::polling::PollMode;
use crate::registry::admin::DomainSettings;
use crate::store::domain::DomainRow;
use crate::store::provider_account::ProviderAccountRow;

/// The settings as they are.
pub fn draft_of(row: &DomainRow) -> Draft {
    let mut values = vec![
        ("signature", row.signature.as_str().to_owned()),
        ("apps", row.apps.as_ref().map(|apps| apps.join(", ")).unwrap_or_default()),
        ("joiner", row.joiner.as_str().to_owned()),
        ("rendition_templates", row.rendition_templates.join(", ")),
        ("close_unconfirmed_after", row.close_rule().text().unwrap_or_default()),
        ("poll_mode", row.poll_mode.as_str().to_owned()),
        ("provider_account", row.provider_account_id.map(|id| id.to_string()).unwrap_or_default()),
    ];
    if row.concurrent_pushes {
        values.push(("concurrent_pushes", "yes".to_owned()));
    }
    Draft::of_values(values)
}

pub fn read(submitted: &SubmittedForm) -> Result<DomainSettings, ApiError> {
    let apps = submitted.words("apps");
    Ok(DomainSettings {
        signature: read_signature_rule(&submitted.text("signature").unwrap_or_default())?,
        apps: (!apps.is_empty()).then_some(apps),
        joiner: read_field_separator(&submitted.text("joiner").unwrap_or_default())?,
        rendition_templates: submitted.words("rendition_templates"),
        concurrent_pushes: submitted.is_checked("concurrent_pushes"),
        close_unconfirmed_after: read_close_rule(submitted.text("close_unconfirmed_after").as_deref())?,
        poll_mode: submitted.text("poll_mode").map_or(Ok(PollMode::Off), |mode| read_poll_mode(&mode))?,
        provider_account_id: read_provider_account(submitted.text("provider_account").as_deref())?,
    })
}

pub fn form(visitor: &Visitor, domain: &str, draft: &Draft, accounts: &[ProviderAccountRow]) -> Markup {
    let text = visitor.view.language;
    let choice = |field: &str, value: &str, label: String| {
        html! { option value=(value) selected[draft.value(field) == value] { (label) } }
    };
    let typed = |field: &str, label: String, hint: String| {
        html! {
            label { (label)
                input type="text" name=(field) value=(draft.value(field)) aria-invalid=[draft.invalid(field)] aria-describedby=[draft.described_by(field)] autocapitalize="off" spellcheck="false";
            }
            (draft.error(field))
            p.hint { (hint) }
        }
    };
    let fields = html! {
        label { (text.setup_signature())
            select name="signature" {
                (choice("signature", "required", text.setup_signed()))
                (choice("signature", "none", text.setup_unsigned_choice()))
            }
        }
        (typed("apps", text.setup_accepted_apps(), text.setup_accepted_apps_hint()))
        label { (text.setup_separator())
            select name="joiner" { (choice("joiner", "", text.setup_separator_none())) (choice("joiner", "+", "+".to_owned())) }
        }
        p.hint { (text.setup_separator_hint()) }
        (typed("rendition_templates", text.setup_templates(), text.setup_templates_hint()))
        label.tick {
            input type="checkbox" name="concurrent_pushes" value="yes" checked[draft.has("concurrent_pushes", "yes")];
            (text.setup_concurrent())
        }
        p.hint { (text.setup_concurrent_hint()) }
        (typed("close_unconfirmed_after", text.setup_close(), text.setup_close_hint()))
        label { (text.providers_mode())
            select name="poll_mode" {
                (choice("poll_mode", PollMode::Off.as_str(), text.providers_mode_off()))
                (choice("poll_mode", PollMode::Observe.as_str(), text.providers_mode_observe()))
                (choice("poll_mode", PollMode::Repair.as_str(), text.providers_mode_repair()))
            }
        }
        p.hint { (text.providers_mode_hint()) }
        label { (text.provider())
            select name="provider_account" aria-invalid=[draft.invalid("provider_account")] aria-describedby=[draft.described_by("provider_account")] {
                (choice("provider_account", "", text.providers_none_chosen()))
                @for account in accounts { (choice("provider_account", &account.account_id.to_string(), account.name.clone())) }
            }
        }
        (draft.error("provider_account"))
        button.primary { (text.save()) }
    };
    form::form(visitor, "card", &links::domain(domain), &fields)
}
