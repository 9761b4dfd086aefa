//! Explains a pasted callback: whether it would be accepted, which key fits, and the repair. Stores nothing.
//!
//! For administrators only: it tells how to sign what is accepted.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use maud::{Markup, html};
use secrecy::ExposeSecret;

use super::super::error::PageError;
use super::super::form::{self, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::problems::long_text;
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{ROOT, words};
use super::credentials::short_id;
use super::draft::{Draft, FieldError};
use super::{KNOWN_YEARS, find_domain, page_of};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::event_log::incoming;
use crate::http::domains::read_field_separator;
use crate::huawei::admission::{self, CallbackRoute, Verdict};
use crate::huawei::diagnosis::capture::{self, Notice, SignatureForm};
use crate::huawei::diagnosis::signing::{self, FieldVariant, Fit, KeyVariant, Remedy};
use crate::huawei::notification::{self, Notification};
use crate::model::access::{FieldSeparator, Scope};
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::registry::{domain_of, open_key};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// Maximum length of a pasted callback: real ones have about one kilobyte.
const MAX_BODY_BYTES: usize = 16 * 1024;

#[get("/set-up/diagnose")]
pub async fn show_diagnosis(visitor: Visitor) -> Result<HttpResponse, PageError> {
    visitor.require_scope(Scope::Admin)?;
    Ok(page(&visitor, &Draft::default(), &html! {}))
}

#[post("/set-up/diagnose")]
pub async fn diagnose(submitted: SubmittedForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let visitor = &submitted.visitor;
    let text = visitor.view.language;
    let body = submitted.text("body").unwrap_or_default();
    let received_at = read_time(submitted.text("received_at").as_deref(), visitor.view);
    let error = match &received_at {
        _ if body.is_empty() => Some(FieldError::new("body", text.setup_diagnose_empty())),
        _ if body.len() > MAX_BODY_BYTES => Some(FieldError::new("body", text.setup_diagnose_too_long())),
        Err(()) => Some(FieldError::new("received_at", text.setup_diagnose_time_invalid())),
        Ok(_) => None,
    };
    if let Some(error) = error {
        return Ok(page(visitor, &Draft::rejected(&submitted, error), &html! {}));
    }
    let draft = Draft::of_values(
        ["body", "received_at"].map(|field| (field, submitted.text(field).unwrap_or_default())).into(),
    );
    let result = match notification::parse(body.as_bytes()) {
        Err(error) => {
            let cause = RejectionReason::from(&error.problem);
            unreadable(text, body.as_bytes(), cause, &error.problem.to_string())
        }
        Ok(message) => {
            let now = received_at.unwrap_or_default().unwrap_or(visitor.view.now);
            let path = submitted.text("callback_path");
            let diagnosis = Diagnosis::of(&state, message, path.as_deref(), now).await?;
            diagnosis.show(visitor, draft.value("received_at").is_empty())
        }
    };
    Ok(page(visitor, &draft, &result))
}

/// A time in the visitor's zone; `None` if empty.
fn read_time(text: Option<&str>, view: View) -> Result<Option<DateTime<Utc>>, ()> {
    let Some(text) = text else { return Ok(None) };
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let local = local.filter(|local| KNOWN_YEARS.contains(&local.year()));
    let at = local.and_then(|local| local.and_local_timezone(view.zone).earliest());
    at.map(|at| Some(at.to_utc())).ok_or(())
}

fn page(visitor: &Visitor, draft: &Draft, result: &Markup) -> HttpResponse {
    let text = visitor.view.language;
    let fields = html! {
        label { (text.setup_diagnose_body())
            textarea name="body" rows="10" required maxlength=(MAX_BODY_BYTES) spellcheck="false" aria-invalid=[draft.invalid("body")]
                placeholder="{\"domain\":\"push.example.com\",\"app\":\"live\",\"stream\":\"…\",…}" { (draft.value("body")) }
        }
        (draft.error("body"))
        label { (text.setup_diagnose_received(visitor.view.zone.name()))
            input type="datetime-local" step="1" name="received_at" value=(draft.value("received_at")) aria-invalid=[draft.invalid("received_at")];
        }
        (draft.error("received_at"))
        label { (text.setup_diagnose_path())
            input type="password" name="callback_path" maxlength="300" autocomplete="off" spellcheck="false";
        }
        button.primary { (text.problems_check_callback()) }
    };
    let content = html! {
        h1 { (text.problems_check_callback()) }
        p.hint { (text.setup_diagnose_hint()) }
        (result)
        (form::form(visitor, "card", &format!("{ROOT}/set-up/diagnose"), &fields))
    };
    draft.answer(layout::page(visitor, NavItem::SetUp, &text.problems_check_callback(), &content))
}

fn unreadable(text: Language, body: &[u8], cause: RejectionReason, problem: &str) -> Markup {
    html! {
        section #verdict.card.error {
            h2 { (text.setup_test_rejected()) " " (text.rejection_name(cause)) }
            p lang="en" { (problem) }
            p { (text.rejection_advice(cause)) }
            (notices(text, &capture::notices_of_body(body)))
        }
    }
}

/// The secret part of a callback URL or of its path; `None` for the URL without a secret.
fn secret_of_path(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let secret = path.rsplit_once("/callbacks/huawei").map_or(path, |(_, rest)| rest.trim_start_matches('/'));
    (!secret.is_empty()).then_some(secret)
}

fn notices(text: Language, notices: &[Notice]) -> Markup {
    html! { @for notice in notices { p.wrong { (notice_text(text, *notice)) } } }
}

fn notice_text(text: Language, notice: Notice) -> String {
    match (text, notice) {
        (Language::English, notice) => notice.to_string(),
        (Language::Chinese, Notice::WholeRequest) => text.setup_notice_whole_request(),
        (Language::Chinese, Notice::ByteOrderMark) => text.setup_notice_byte_order_mark(),
        (Language::Chinese, Notice::Masked(name)) => text.setup_notice_masked(name),
        (Language::Chinese, Notice::MaskedSignature) => text.setup_notice_masked_signature(),
        (Language::Chinese, Notice::ExpiryInMilliseconds) => text.setup_notice_milliseconds(),
    }
}

/// What is found of a callback that can be parsed.
struct Diagnosis {
    message: Notification,
    /// The registered domain of exactly this name.
    domain: Option<DomainRow>,
    /// Registered domains with similar names.
    similar: Vec<String>,
    /// The keys of these domains.
    tried: usize,
    /// The keys that give the signature, and how.
    fits: Vec<(SigningKeyRow, Fit)>,
    verdict: Verdict,
}

impl Diagnosis {
    async fn of(
        state: &AppState,
        message: Notification,
        callback_path: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self, PageError> {
        let domains = store::domain::list_domains(&state.work_pool).await?;
        let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
        let mut connection = state.work_pool.acquire().await?;
        let known = incoming::recall(&mut connection, &message).await?;
        drop(connection);
        let master_key = state.registry.current().master_key;
        let names = domains.iter().map(|row| row.domain.as_str());
        let similar: Vec<String> =
            signing::similar_domains(&message.domain, names).into_iter().map(str::to_owned).collect();
        let of_similar = |key: &&SigningKeyRow| key.domain == message.domain || similar.contains(&key.domain);
        let opened: Vec<_> =
            keys.iter().filter(of_similar).filter_map(|row| Some((row, open_key(row, &master_key).ok()?))).collect();
        let fits = opened.iter().flat_map(|(row, key)| {
            signing::fits_of(&message, key.expose_secret()).into_iter().map(|fit| ((*row).clone(), fit))
        });
        let fits = fits.collect();
        let domain = domains.into_iter().find(|row| row.domain == message.domain);
        let registered = domain.clone().map(|row| domain_of(row, &keys, &master_key));
        let token = callback_path.and_then(secret_of_path);
        let path = registered.as_ref().map_or(CallbackRoute::Open, |registered| registered.path_of(token));
        let limits = &state.receiver.limits;
        let policy = registered.as_ref().map(|registered| &registered.policy);
        let verdict = admission::admit(&message, path, policy, limits, now);
        let verdict = verdict.reviewed(&message, known.as_ref(), limits, now);
        Ok(Self { tried: opened.len(), message, domain, similar, fits, verdict })
    }

    /// The ways of signing that fit with keys of the domain itself.
    fn own_fits(&self) -> impl Iterator<Item = Fit> {
        self.fits.iter().filter(|(row, _)| row.domain == self.message.domain).map(|(_, fit)| *fit)
    }

    /// What makes the signature acceptable.
    fn remedies(&self) -> impl Iterator<Item = Remedy> {
        let joiner = self.domain.as_ref().map(|row| row.joiner);
        self.own_fits().filter_map(move |fit| fit.remedy(joiner?))
    }

    fn show(&self, visitor: &Visitor, is_received_now: bool) -> Markup {
        let view = visitor.view;
        let text = view.language;
        html! {
            (self.show_verdict(text, is_received_now))
            div.card {
                dl.facts {
                    dt { (text.problems_event()) } dd { code { bdi { (self.message.event.word()) } } }
                    dt { (text.problems_domain()) } dd { (self.show_domain(text)) }
                    dt { (text.problems_app()) } dd { bdi { (self.message.app) } }
                    dt { (text.problems_stream()) } dd { bdi { (self.message.stream) } }
                    dt { (text.problems_push_started()) } dd { (words::maybe_time(view, DateTime::from_timestamp(self.message.publish_timestamp, 0))) }
                    @if let Some(seconds) = self.message.auth_timestamp {
                        dt { (text.setup_diagnose_expiry()) }
                        dd { @match DateTime::from_timestamp(seconds, 0).filter(|_| seconds.to_string().len() == 10) {
                            Some(at) => (words::time(view, at)),
                            None => (seconds),
                        } }
                    }
                    dt { (text.setup_diagnose_signature()) } dd { (self.show_signature(text)) }
                }
                (notices(text, &capture::notices_of_message(&self.message)))
            }
            (self.show_repairs(visitor))
        }
    }

    fn show_verdict(&self, text: Language, is_received_now: bool) -> Markup {
        match &self.verdict {
            Verdict::Accept(_) => html! {
                section #verdict.card.success { h2 { (text.setup_test_accepted()) } p { (text.setup_diagnose_accepted()) } }
            },
            Verdict::Quarantine(_, reason) => html! {
                section #verdict.card.warning {
                    h2 { (text.setup_test_quarantined()) " " (text.quarantine_name(*reason)) }
                    p { (text.quarantine_advice(*reason)) }
                    @if is_received_now && *reason == QuarantineReason::Expired { p.hint { (text.setup_diagnose_say_when()) } }
                }
            },
            Verdict::Reject(cause) => html! {
                section #verdict.card.error {
                    h2 { (text.setup_test_rejected()) " " (text.rejection_name(*cause)) }
                    @if self.remedies().any(|remedy| matches!(remedy, Remedy::SetSeparator(_))) { p { (text.setup_diagnose_other_separator()) } }
                    @else { div { (long_text(text, text.rejection_advice(*cause))) } }
                }
            },
        }
    }

    fn show_domain(&self, text: Language) -> Markup {
        html! {
            bdi { (self.message.domain) }
            @if self.domain.is_none() { " " span.flag { (text.setup_not_registered()) } }
            @for name in &self.similar { p.wrong { (words::fill(&text.setup_diagnose_similar(), &[html! { a href=(page_of(name)) { bdi { (name) } } }])) } }
        }
    }

    fn show_signature(&self, text: Language) -> Markup {
        let Some(auth_sign) = &self.message.auth_sign else { return html! { (text.setup_diagnose_unsigned()) } };
        let form = SignatureForm::of(auth_sign);
        html! {
            @if text == Language::English || form.case.is_none() || form.length != 64 { span lang="en" { (form) } }
            @for (row, fit) in &self.fits {
                p { strong { (text.setup_diagnose_fits()) } " " (fit_of(text, row, *fit, &self.message.domain)) }
            }
            @if self.tried == 0 { p.wrong { (text.setup_diagnose_no_key()) } }
            @else if self.fits.is_empty() { p.wrong { (text.setup_diagnose_fits_none(self.tried)) } }
        }
    }

    /// The buttons that repair it.
    fn show_repairs(&self, visitor: &Visitor) -> Markup {
        let text = visitor.view.language;
        let Some(domain) = &self.domain else {
            let path = words::path(&format!("{ROOT}/set-up"), &[("domain", Some(&self.message.domain))]);
            return html! { div.actions { a.button.primary href=(path) { (text.problems_register(&self.message.domain)) } } };
        };
        let fits_nothing = self.own_fits().count() == 0 && self.message.auth_sign.is_some();
        let page = page_of(&domain.domain);
        html! {
            div.actions {
                @for remedy in self.remedies() { (show_remedy(visitor, &page, remedy)) }
                @if fits_nothing { a.button.primary href=(format!("{page}#keys")) { (text.problems_add_key()) } }
                @if self.verdict == Verdict::Reject(RejectionReason::AppNotAllowed) { a.button.primary href=(format!("{page}#settings")) { (text.problems_change_apps()) } }
                a.button href=(page) { (text.setup_diagnose_domain()) }
            }
        }
    }
}

fn show_remedy(visitor: &Visitor, page: &str, remedy: Remedy) -> Markup {
    let text = visitor.view.language;
    match remedy {
        Remedy::SetSeparator(separator) => form::form(
            visitor,
            "actions",
            &format!("{page}/separator"),
            &html! {
                input type="hidden" name="joiner" value=(separator.as_str());
                button.primary { (text.setup_diagnose_set_separator(&separator_name(text, separator.as_str()))) }
            },
        ),
        Remedy::TrimKey => html! { p.wrong { (text.setup_diagnose_trim_key()) } },
        Remedy::Unsupported => html! { p.wrong { (text.setup_diagnose_unsupported()) } },
    }
}

fn separator_name(text: Language, separator: &str) -> String {
    if separator.is_empty() { text.setup_separator_none() } else { separator.escape_debug().to_string() }
}

fn fit_of(text: Language, row: &SigningKeyRow, fit: Fit, domain: &str) -> Markup {
    html! {
        code title=(row.key_id) { (short_id(row.key_id)) }
        @if row.domain != domain { " (" bdi { (row.domain) } ")" }
        ", " (key_variant(text, fit.key))
        "; " (text.setup_separator()) ": " code { (separator_name(text, fit.joiner)) }
        @if fit.fields != FieldVariant::AsDocumented { "; " span lang="en" { (fit.fields) } }
    }
}

fn key_variant(text: Language, key: KeyVariant) -> String {
    match (text, key) {
        (Language::English, key) => key.to_string(),
        (Language::Chinese, KeyVariant::AsGiven) => text.setup_key_as_given(),
        (Language::Chinese, KeyVariant::Trimmed) => text.setup_key_trimmed(),
        (Language::Chinese, KeyVariant::WithNewline) => text.setup_key_with_newline(),
        (Language::Chinese, KeyVariant::HexDecoded) => text.setup_key_hex(),
        (Language::Chinese, KeyVariant::Base64Decoded) => text.setup_key_base64(),
    }
}

/// Sets a domain's separator; its other settings stay.
#[post("/set-up/domains/{domain}/separator")]
pub async fn set_separator(
    submitted: SubmittedForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let joiner: FieldSeparator = read_field_separator(&submitted.text("joiner").unwrap_or_default())?;
    let settings = DomainSettings {
        signature: row.signature,
        apps: row.apps,
        joiner,
        rendition_templates: row.rendition_templates,
        concurrent_pushes: row.concurrent_pushes,
    };
    let actor = &submitted.visitor.principal.actor;
    let put = admin::put_domain(&state.work_pool, actor, &row.domain, settings, clock::now()).await;
    put.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{}#settings", page_of(&row.domain))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_callback_path_is_what_follows_the_open_path() {
        for (path, secret) in [
            ("/callbacks/huawei", None),
            ("https://a.example/callbacks/huawei/", None),
            ("https://a.example/callbacks/huawei/s3cret/", Some("s3cret")),
            ("/callbacks/huawei/s3cret", Some("s3cret")),
            ("s3cret", Some("s3cret")),
        ] {
            assert_eq!(secret_of_path(path), secret, "{path}");
        }
    }
}
