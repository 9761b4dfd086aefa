//! What a message is held against: a key that is given, or what is registered.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::cli::database::{Access, Installation, with_installation};
use crate::config::InstallationOptions;
use crate::event_log::incoming;
use crate::huawei::admission::{CallbackRoute, DomainPolicy, Known, SignatureRule};
use crate::huawei::diagnosis;
use crate::huawei::notification::Notification;
use crate::huawei::signature::{Joiner, SigningKey};
use crate::registry::admin::{AdminError, check_key};
use crate::registry::{domain_of, open_key};
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::signing_key::SigningKeyRow;

/// What a message is held against.
pub(super) struct Basis {
    /// What admission is asked with; `None` when the domain is not registered.
    pub(super) policy: Option<DomainPolicy>,
    /// How the message came in.
    pub(super) path: CallbackRoute,
    /// The keys to try.
    pub(super) keys: Vec<NamedKey>,
    /// What the log says of the message's signature and push.
    pub(super) known: Option<Known>,
    /// Registered domains whose names are nearly that of the message.
    pub(super) similar_domains: Vec<String>,
    /// What is odd about all this; holds no secret.
    pub(super) notices: Vec<String>,
    /// Whether all this comes from an installation.
    pub(super) is_registered_data: bool,
}

/// A key and what to call it.
pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) key: SecretString,
}

impl Basis {
    /// This key alone, for signed messages of every application.
    pub(super) fn of_given_key(key: SecretString, joiner: Joiner) -> Self {
        let notice = check_key(&key).err().map(|error| match error {
            AdminError::Invalid { name, reason } => format!("the {name} {reason}; the provider takes no other"),
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
            notices: notice.into_iter().collect(),
            is_registered_data: false,
        }
    }

    /// What an installation has registered for a message's domain, and what its log says of it. The keys of
    /// domains with nearly its name are to be tried too.
    ///
    /// # Errors
    /// When the installation cannot be read.
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
        on: &Installation,
        rows: Vec<DomainRow>,
        key_rows: &[SigningKeyRow],
        domain: &str,
        callback_path: Option<&str>,
    ) -> Self {
        let names = rows.iter().map(|row| row.domain.as_str());
        let similar_domains: Vec<String> =
            diagnosis::similar_domains(domain, names).into_iter().map(str::to_owned).collect();
        let mut notices = Vec::new();
        let mut keys = Vec::new();
        for row in key_rows.iter().filter(|row| row.domain == domain || similar_domains.contains(&row.domain)) {
            match open_key(row, &on.master_key) {
                Ok(key) => keys.push(NamedKey { name: name_of(row, domain), key }),
                Err(_) => notices.push(format!(
                    "{} cannot be opened with this master key, so that nothing verifies with it",
                    name_of(row, domain)
                )),
            }
        }
        let row = rows.into_iter().find(|row| row.domain == domain);
        let is_there = row.is_some();
        let registered = row.and_then(|row| domain_of(row, key_rows, &on.master_key));
        if is_there && registered.is_none() {
            notices.push("the domain is registered in a way that this version does not know".to_owned());
        }
        let token = callback_path.map(|path| path.rsplit('/').next().unwrap_or(path));
        Self {
            path: registered.as_ref().map_or(CallbackRoute::Open, |registered| registered.path_of(token)),
            policy: registered.map(|registered| registered.policy),
            keys,
            known: None,
            similar_domains,
            notices,
            is_registered_data: true,
        }
    }
}

fn name_of(row: &SigningKeyRow, domain: &str) -> String {
    if row.domain == domain { format!("key {}", row.key_id) } else { format!("key {} of {:?}", row.key_id, row.domain) }
}
