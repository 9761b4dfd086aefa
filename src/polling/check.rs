//! Compares the callback URL and key that are set at the provider with ours, without showing either key.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use subtle::ConstantTimeEq;
use tokio::join;
use url::Url;

use super::client::{Account, PollError, ProviderClient};
use super::secrets::open_account;
use crate::huawei::live_api::answer::{CallbackSettings, Refusal};
use crate::model::access::SignatureRule;
use crate::model::polling::{CallbackKeyState, CallbackUrlState, ListState};
use crate::registry::master_key::MasterKeyError;
use crate::registry::master_keys::MasterKeys;
use crate::registry::{hash_callback_token, open_key};
use crate::store;
use crate::store::domain::DomainRow;

/// The path of callbacks. The secret path of a domain has one more part.
const CALLBACK_PATH: &str = "/callbacks/huawei";

/// Stands for the secret part of a path.
const HIDDEN: &str = "***";

/// The period of the history that is asked for.
const HISTORY_PERIOD: TimeDelta = TimeDelta::hours(1);

/// What a check has found.
#[derive(Debug)]
pub struct ProviderCheck {
    pub url_state: CallbackUrlState,
    /// The URL that is set, without what may be secret.
    pub url: Option<String>,
    pub key_state: CallbackKeyState,
    pub list_state: ListState,
    pub history_state: ListState,
    /// How far the provider's clock is ahead of ours.
    pub clock_difference: Option<TimeDelta>,
    /// Why the settings could not be read.
    pub settings_error: Option<PollError>,
    /// Why the list could not be read.
    pub list_error: Option<PollError>,
    /// Why the history could not be read.
    pub history_error: Option<PollError>,
}

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("domain not found")]
    NotFound,
    #[error("the domain has no provider account: set one first")]
    NoAccount,
    /// The master key is missing or wrong, or the account's secret key is damaged.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Checks a domain. `host` is the host, with its port unless it is the default, by which this service was just reached.
///
/// # Errors
/// [`CheckError`]. A request that the provider rejects is not one.
pub async fn check_domain(
    pool: &PgPool,
    master_keys: &MasterKeys,
    client: &ProviderClient,
    domain: &str,
    host: Option<&str>,
    now: DateTime<Utc>,
) -> Result<ProviderCheck, CheckError> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let row = store::domain::get_domain(&mut *snapshot, domain).await?.ok_or(CheckError::NotFound)?;
    let account_id = row.provider_account_id.ok_or(CheckError::NoAccount)?;
    let account = store::provider_account::get_provider_account(&mut *snapshot, account_id).await?;
    let keys = store::signing_key::list_signing_keys(&mut *snapshot).await?;
    let check = store::installation::get_master_key_check(&mut *snapshot).await?;
    snapshot.commit().await?;
    let master_key = master_keys.find(&check.unwrap_or_default())?;
    let account = open_account(&master_key, account.ok_or(CheckError::NoAccount)?)?;
    // A key that cannot be decrypted verifies no signature.
    let own = keys.iter().filter(|key| key.domain == row.domain);
    let keys: Vec<SecretString> = own.filter_map(|key| open_key(key, &master_key).ok()).collect();

    let answers = ask(client, &account, domain, now).await;
    let (list_state, list_error) = state_of(answers.list);
    let (history_state, history_error) = state_of(answers.history);
    let (url_state, url, key_state, settings_error) = match answers.settings {
        Ok(Some(settings)) => {
            let (state, url) = compare_url(settings.url.expose_secret(), &row, host);
            (state, Some(url), compare_key(&settings, &keys), None)
        }
        Ok(None) => (CallbackUrlState::None, None, CallbackKeyState::None, None),
        Err(error) => (CallbackUrlState::Unknown, None, CallbackKeyState::Unknown, Some(error)),
    };
    let clock_difference = answers.clock_difference;
    Ok(ProviderCheck {
        url_state,
        url,
        key_state,
        list_state,
        history_state,
        clock_difference,
        settings_error,
        list_error,
        history_error,
    })
}

/// What the provider has answered.
struct Answers {
    list: Result<(), PollError>,
    history: Result<(), PollError>,
    settings: Result<Option<CallbackSettings>, PollError>,
    clock_difference: Option<TimeDelta>,
}

/// Asks for the list first. Nothing else is asked if it would fail alike: a key that is refused several times is locked.
async fn ask(client: &ProviderClient, account: &Account, domain: &str, now: DateTime<Utc>) -> Answers {
    let list = client.list_streams(account, domain, (0, 1), None, now).await;
    if let Err(error) = &list.result
        && is_of_all_requests(error)
    {
        let (history, settings) = (Err(error.clone()), Err(error.clone()));
        return Answers { list: list.result.map(drop), history, settings, clock_difference: list.clock_difference };
    }
    let (history, settings) = join!(
        client.list_history(account, domain, (now - HISTORY_PERIOD, now), 0, now),
        client.get_callback_settings(account, domain, now),
    );
    Answers {
        list: list.result.map(drop),
        history: history.result.map(drop),
        settings: settings.result,
        clock_difference: list.clock_difference.or(history.clock_difference).or(settings.clock_difference),
    }
}

/// Whether an error is of the key or of the endpoint, and not of one request.
fn is_of_all_requests(error: &PollError) -> bool {
    match error {
        // Status 403 is of one permission.
        PollError::Refused { refusal, status, .. } => *refusal == Refusal::Unauthorized && *status == 401,
        PollError::Endpoint(_) | PollError::Forbidden(_) | PollError::TimedOut | PollError::Unreachable => true,
        PollError::Unreadable(_) | PollError::TooLong | PollError::Broken => false,
    }
}

fn state_of(result: Result<(), PollError>) -> (ListState, Option<PollError>) {
    match result {
        Ok(()) => (ListState::Readable, None),
        Err(error @ PollError::Refused { refusal: Refusal::Unauthorized, .. }) => (ListState::Refused, Some(error)),
        Err(error) => (ListState::Unknown, Some(error)),
    }
}

/// In constant time for each key.
fn compare_key(settings: &CallbackSettings, keys: &[SecretString]) -> CallbackKeyState {
    let Some(set) = &settings.key else { return CallbackKeyState::None };
    let is_set = |key: &SecretString| bool::from(key.expose_secret().as_bytes().ct_eq(set.expose_secret().as_bytes()));
    if keys.iter().any(is_set) { CallbackKeyState::Matches } else { CallbackKeyState::Differs }
}

/// Whether a URL leads to this service, and the URL without what may be secret: user name, password, query, fragment, the
/// last part of a secret path, and each path that is not known. A misspelled secret path has the secret, too.
fn compare_url(text: &str, row: &DomainRow, host: Option<&str>) -> (CallbackUrlState, String) {
    let Ok(url) = Url::parse(text) else { return (CallbackUrlState::Other, HIDDEN.to_owned()) };
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return (CallbackUrlState::Other, HIDDEN.to_owned()),
    };
    // Callbacks may have a slash at the end.
    let path = url.path().trim_end_matches('/');
    // A proxy may take away what is before it.
    let (before, token) = match path.split_once(CALLBACK_PATH) {
        Some((before, rest)) => (before, rest.strip_prefix('/')),
        None => (path, None),
    };
    let is_own_path = match token {
        None => path == format!("{before}{CALLBACK_PATH}") && row.signature == SignatureRule::Required,
        Some(token) => {
            let hash = row.callback_token_hash.as_deref();
            hash.is_some_and(|hash| bool::from(hash.ct_eq(&hash_callback_token(token))))
        }
    };
    let shown_path = match token {
        Some(_) if before.is_empty() => format!("{CALLBACK_PATH}/{HIDDEN}"),
        None if ["", CALLBACK_PATH].contains(&path) => path.to_owned(),
        _ => format!("/{HIDDEN}"),
    };
    let shown = format!("{}://{authority}{shown_path}", url.scheme());
    let is_own_host = before.is_empty() && host.is_some_and(|host| host.eq_ignore_ascii_case(&authority));
    let state = match (is_own_path, is_own_host) {
        (false, _) => CallbackUrlState::Other,
        (true, true) => CallbackUrlState::Ours,
        (true, false) => CallbackUrlState::OtherHost,
    };
    (state, shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::FieldSeparator;
    use crate::model::polling::PollMode;

    fn domain(signature: SignatureRule) -> DomainRow {
        DomainRow {
            domain: "push.example.com".to_owned(),
            signature,
            apps: None,
            joiner: FieldSeparator::Nothing,
            rendition_templates: Vec::new(),
            concurrent_pushes: false,
            close_unconfirmed_seconds: None,
            callback_token_hash: Some(hash_callback_token("the-token").to_vec()),
            poll_mode: PollMode::Off,
            provider_account_id: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_callback_url_is_ours_by_its_path_and_its_host() {
        use CallbackUrlState::{Other, OtherHost, Ours};
        use SignatureRule::{None, Required};
        const HOST: &str = "tally.example.com";
        for (signature, url, state) in [
            (Required, "https://tally.example.com/callbacks/huawei", Ours),
            (Required, "https://TALLY.example.com:443/callbacks/huawei/", Ours),
            (Required, "https://tally.example.com/callbacks/huawei/the-token", Ours),
            (Required, "https://tally.example.com/callbacks/huawei/another", Other),
            (Required, "https://tally.example.com:8443/callbacks/huawei", OtherHost),
            (Required, "https://other.example.com/callbacks/huawei", OtherHost),
            (Required, "https://tally.example.com/proxied/callbacks/huawei", OtherHost),
            (Required, "https://tally.example.com/callbacks/huaweix", Other),
            (Required, "https://tally.example.com/", Other),
            (Required, "not a URL", Other),
            (None, "https://tally.example.com/callbacks/huawei", Other),
            (None, "https://tally.example.com/callbacks/huawei/the-token", Ours),
        ] {
            assert_eq!(compare_url(url, &domain(signature), Some(HOST)).0, state, "{signature} {url}");
        }
        let (state, _) = compare_url("https://tally.example.com/callbacks/huawei", &domain(Required), Option::None);
        assert_eq!(state, OtherHost);
    }

    #[test]
    fn a_shown_url_has_no_secret() {
        let shown = |url: &str| compare_url(url, &domain(SignatureRule::Required), None).1;
        assert_eq!(
            shown("https://me:secret@tally.example.com:8443/callbacks/huawei/the-token?key=secret#secret"),
            "https://tally.example.com:8443/callbacks/huawei/***"
        );
        for known in ["https://cms.example.com", "https://cms.example.com/callbacks/huawei"] {
            assert_eq!(shown(&format!("{known}/")), known);
        }
        for path in [
            "hooks/live?key=secret",
            "callback/huawei/the-token",
            "Callbacks/huawei/the-token",
            "callbacks/huaweithe-token",
            "secret/callbacks/huawei",
            "secret/callbacks/huawei/the-token",
        ] {
            assert_eq!(shown(&format!("https://cms.example.com/{path}")), "https://cms.example.com/***", "{path}");
        }
        assert_eq!(shown("not a URL"), "***");
    }
}
