//! Explains a pasted callback: whether it would be accepted, which key fits, and the repair. Stores nothing.
//!
//! For administrators only: it tells how to sign what is accepted.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use secrecy::ExposeSecret;

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::layout::{self, NavItem};
use super::super::problems::long_text;
use super::super::texts::Language;
use super::super::typed_time::{is_supported, read_time};
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::credentials::short_id;
use super::find_domain;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::event_log::incoming;
use crate::http::domains::read_field_separator;
use crate::huawei::admission::{self, CallbackRoute, Verdict};
use crate::huawei::diagnosis::capture::{self, Notice, SignatureForm};
use crate::huawei::diagnosis::signing::{self, FieldVariant, Fit, KeyVariant, Remedy};
use crate::huawei::notification::{self, Notification};
use crate::model::access::FieldSeparator;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::registry::admin::{self, DomainSettings};
use crate::registry::{domain_of, hash_callback_token, open_key};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// Maximum length of a pasted callback: real ones have about one kilobyte.
const MAX_BODY_BYTES: usize = 16 * 1024;

#[get("/set-up/diagnose")]
pub async fn show_diagnosis(visitor: AdminVisitor) -> Result<HttpResponse, PageError> {
    Ok(page(&visitor, &Draft::default(), &html! {}))
}

#[post("/set-up/diagnose")]
pub async fn diagnose(submitted: AdminForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let text = visitor.view.language;
    let body = submitted.text("body").unwrap_or_default();
    let typed_time = submitted.text("received_at");
    let view = visitor.view;
    let received_at = typed_time.as_deref().map(|typed| read_time(view.zone, typed)?.earliest());
    let received_at = received_at.map(|at| at.filter(|at| is_supported(view.local(*at).date_naive())));
    let wrong_body = if body.is_empty() {
        Some(text.setup_diagnose_empty())
    } else {
        (body.len() > MAX_BODY_BYTES).then(|| text.setup_diagnose_too_long())
    };
    let wrong_time = (received_at == Some(None)).then(|| text.setup_diagnose_time_invalid());
    let errors = [("body", wrong_body), ("received_at", wrong_time)];
    let errors = errors.into_iter().filter_map(|(field, wrong)| Some(FieldError::new(field, wrong?)));
    let draft = Draft::typed(&submitted, errors);
    if draft.is_rejected() {
        return Ok(page(visitor, &draft, &html! {}));
    }
    let result = match notification::parse(body.as_bytes()) {
        Err(error) => {
            let cause = RejectionReason::from(&error.problem);
            unreadable(text, body.as_bytes(), cause, &error.problem.to_string())
        }
        Ok(message) => {
            let now = received_at.flatten().unwrap_or(view.now);
            let path = submitted.text("callback_path");
            let diagnosis = Diagnosis::of(&state, message, path.as_deref(), now).await?;
            diagnosis.show(visitor, typed_time.is_none())
        }
    };
    Ok(page(visitor, &draft, &result))
}

fn page(visitor: &Visitor, draft: &Draft, result: &Markup) -> HttpResponse {
    let text = visitor.view.language;
    let fields = html! {
        label { (text.setup_diagnose_body())
            textarea name="body" rows="10" required maxlength=(MAX_BODY_BYTES) spellcheck="false" aria-invalid=[draft.invalid("body")] aria-describedby=[draft.described_by("body")]
                placeholder="{\"domain\":\"push.example.com\",\"app\":\"live\",\"stream\":\"…\",…}" { (draft.value("body")) }
        }
        (draft.error("body"))
        label { (text.setup_diagnose_received(visitor.view.zone.name()))
            input type="datetime-local" step="1" name="received_at" value=(draft.value("received_at")) aria-invalid=[draft.invalid("received_at")] aria-describedby=[draft.described_by("received_at")];
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
        (form::form(visitor, "card", &links::diagnose(), &fields))
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
        let token = callback_path.and_then(secret_of_path).map(hash_callback_token);
        let path = registered.as_ref().map_or(CallbackRoute::Open, |registered| registered.path_of(token.as_ref()));
        let limits = &state.receiver.admitter.limits;
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
                    dt { (text.event()) } dd { code { bdi { (self.message.event.word()) } } }
                    dt { (text.domain()) } dd { (self.show_domain(text)) }
                    dt { (text.app()) } dd { bdi { (self.message.app) } }
                    dt { (text.stream()) } dd { bdi { (self.message.stream) } }
                    dt { (text.push_started()) } dd { (words::maybe_time(view, DateTime::from_timestamp(self.message.publish_timestamp, 0))) }
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
            @for name in &self.similar { p.wrong { (words::fill(&text.setup_diagnose_similar(), &[html! { a href=(links::domain(name)) { bdi { (name) } } }])) } }
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
            let path = links::new_domain(&self.message.domain);
            return html! { div.actions { a.button.primary href=(path) { (text.problems_register(&self.message.domain)) } } };
        };
        let fits_nothing = self.own_fits().count() == 0 && self.message.auth_sign.is_some();
        let page = links::domain(&domain.domain);
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
    submitted: AdminForm,
    state: Data<AppState>,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    let row = find_domain(&state, &domain).await?;
    let joiner: FieldSeparator = read_field_separator(&submitted.text("joiner").unwrap_or_default())?;
    let domain = row.domain.clone();
    let settings = DomainSettings { joiner, ..DomainSettings::of(row) };
    let actor = &submitted.visitor.principal.actor;
    let put = admin::put_domain(&state.work_pool, actor, &domain, settings, clock::now()).await;
    put.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&format!("{}#settings", links::domain(&domain))))
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
