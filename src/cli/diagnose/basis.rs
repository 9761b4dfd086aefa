//! The data to check a callback against: a given key, or the registered domain.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::cli::database::{Access, CommandContext, with_installation};
use crate::cli::suggestion::closest;
use crate::config::InstallationOptions;
use crate::event_log::incoming;
use crate::huawei::admission::{CallbackRoute, DomainPolicy, Known};
use crate::huawei::diagnosis::signing;
use crate::huawei::notification::Notification;
use crate::huawei::signature::SigningKey;
use crate::model::access::{FieldSeparator, SignatureRule};
use crate::registry::admin::{AdminError, check_key};
use crate::registry::{domain_of, hash_callback_token, open_key};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

pub(super) struct Basis {
    /// `None` if the domain is not registered.
    pub(super) policy: Option<DomainPolicy>,
    pub(super) path: CallbackRoute,
    pub(super) keys: Vec<NamedKey>,
    /// What the log knows of the signature and the push.
    pub(super) known: Option<Known>,
    /// Registered domains that only the spelling of the name distinguishes.
    pub(super) similar_domains: Vec<String>,
    /// The registered domain that may be meant, if this one is not registered.
    pub(super) meant_domain: Option<String>,
    /// Contains no secrets.
    pub(super) notices: Vec<String>,
    /// Whether the data comes from an installation.
    pub(super) is_registered_data: bool,
}

pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) key: SecretString,
}

impl Basis {
    /// Only this key, for signed callbacks of every app.
    pub(super) fn of_given_key(key: SecretString, joiner: FieldSeparator) -> Self {
        let notice = check_key(&key).err().map(|error| match error {
            AdminError::Invalid { name, reason } => format!("the {name} {reason}; the provider accepts no other"),
            other => other.to_string(),
        });
        let policy = DomainPolicy {
            signature: SignatureRule::Required,
            apps: None,
            joiner,
            keys: vec![(Uuid::nil(), SigningKey::new(key.expose_secret()))],
        };
        Self {
            policy: Some(policy),
            path: CallbackRoute::Open,
            keys: vec![NamedKey { name: "the given key".to_owned(), key }],
            known: None,
            similar_domains: Vec::new(),
            meant_domain: None,
            notices: notice.into_iter().collect(),
            is_registered_data: false,
        }
    }

    /// The registered domain of a callback. Also tries the keys of domains with similar names.
    ///
    /// # Errors
    /// The installation is unusable.
    pub(super) async fn of_installation(
        options: &InstallationOptions,
        message: &Notification,
        callback_path: Option<&str>,
    ) -> anyhow::Result<Self> {
        with_installation(options, Access::Read, async |on| {
            let rows = store::domain::list_domains(&on.pool).await?;
            let key_rows = store::signing_key::list_signing_keys(&on.pool).await?;
            let known = incoming::recall(&mut *on.pool.acquire().await?, message).await?;
            Ok(Self { known, ..Self::of_rows(on, rows, &key_rows, &message.domain, callback_path) })
        })
        .await
    }

    fn of_rows(
        on: &CommandContext,
        rows: Vec<DomainRow>,
        key_rows: &[SigningKeyRow],
        domain: &str,
        callback_path: Option<&str>,
    ) -> Self {
        let names = rows.iter().map(|row| row.domain.as_str());
        let similar_domains: Vec<String> =
            signing::similar_domains(domain, names).into_iter().map(str::to_owned).collect();
        let is_registered = rows.iter().any(|row| row.domain == domain);
        let meant_domain = closest(domain, rows.iter().map(|row| row.domain.as_str()).filter(|_| !is_registered));
        let meant_domain = meant_domain.map(str::to_owned);
        let mut notices = Vec::new();
        let mut keys = Vec::new();
        for row in key_rows.iter().filter(|row| row.domain == domain || similar_domains.contains(&row.domain)) {
            match open_key(row, &on.master_key) {
                Ok(key) => keys.push(NamedKey { name: name_of(row, domain), key }),
                Err(_) => notices.push(format!(
                    "{} cannot be decrypted with this master key: no signature matches it",
                    name_of(row, domain)
                )),
            }
        }
        let row = rows.into_iter().find(|row| row.domain == domain);
        let registered = row.map(|row| domain_of(row, key_rows, &on.master_key));
        let token = callback_path.map(|path| hash_callback_token(path.rsplit('/').next().unwrap_or(path)));
        Self {
            path: registered.as_ref().map_or(CallbackRoute::Open, |registered| registered.path_of(token.as_ref())),
            policy: registered.map(|registered| registered.policy),
            keys,
            known: None,
            similar_domains,
            meant_domain,
            notices,
            is_registered_data: true,
        }
    }
}

fn name_of(row: &SigningKeyRow, domain: &str) -> String {
    if row.domain == domain { format!("key {}", row.key_id) } else { format!("key {} of {:?}", row.key_id, row.domain) }
}
