//! Closed sets about webhooks: what is sent to other systems.

use super::closed_set;

closed_set! {
    /// What a webhook sends.
    pub enum WebhookKind {
        /// Events about sessions, callbacks and domains, as JSON.
        Events,
        /// The provider's callbacks, byte for byte.
        Relay,
    }
}

closed_set! {
    /// The type of an event that webhooks send.
    pub enum WebhookEventType {
        /// The first callback of a session that counts arrived, and the session is live.
        SessionStarted = "session.started",
        /// The session ended. Sent once per session; later changes are corrections.
        SessionEnded = "session.ended",
        /// What is known of the session changed otherwise.
        SessionCorrected = "session.corrected",
        /// The session was known only from the provider's history and is the push of another session: it no longer
        /// counts.
        SessionWithdrawn = "session.withdrawn",
        /// The session is live for longer than expected.
        SessionUnconfirmed = "session.unconfirmed",
        /// Callbacks of a domain were quarantined within a minute.
        MessagesQuarantined = "messages.quarantined",
        /// A domain sends no callbacks, unlike before.
        DomainSilent = "domain.silent",
        /// A silent domain sends callbacks again.
        DomainHeard = "domain.heard",
        /// Another webhook was disabled because its receiver failed for days.
        WebhookDisabled = "webhook.disabled",
        /// Events were passed over, because they were too old or retention had dropped them.
        FeedGap = "feed.gap",
        /// An administrator asked for a test.
        WebhookTest = "webhook.test",
        /// A callback of the provider, which is relayed.
        Callback = "callback",
    }
}

closed_set! {
    /// Why what is known of a session changed.
    pub enum CorrectionReason {
        /// A callback arrived late or in the wrong order.
        Callback,
        /// An end was inferred.
        Inference,
        /// An operator set, withdrew or confirmed something.
        Operator,
        /// An operator released a quarantined callback.
        Release,
        /// The provider's lists showed that it is on air, or that it is not.
        ProviderList,
    }
}

closed_set! {
    /// Why something is not sent.
    pub enum GapReason {
        /// The log no longer has it.
        Retention,
        /// It was kept for its relays for as long as it may be (`--relay-keep`).
        RelayKeep,
        /// What is kept for relays was too large (`--relay-capacity`).
        RelayCapacity,
    }
}

closed_set! {
    /// Whether a webhook sends.
    pub enum WebhookState {
        Enabled,
        Disabled,
    }
}

closed_set! {
    /// Why a webhook is disabled.
    pub enum DisabledReason {
        /// An administrator disabled it.
        Administrator,
        /// Its receiver failed for days.
        Failing,
        /// Its receiver answered 410 Gone.
        Gone,
    }
}

closed_set! {
    /// The state of one event's delivery to one webhook.
    pub enum DeliveryState {
        /// The receiver accepted it.
        Delivered,
        /// It failed, and is attempted again.
        Waiting,
        /// It failed as often as it is attempted.
        Dead,
    }
}

impl WebhookEventType {
    /// Whether a webhook can be set to send it. Tests are sent to every one, callbacks by relays.
    pub fn can_be_chosen(&self) -> bool {
        match self {
            Self::WebhookTest | Self::Callback => false,
            Self::SessionStarted
            | Self::SessionEnded
            | Self::SessionCorrected
            | Self::SessionWithdrawn
            | Self::SessionUnconfirmed
            | Self::MessagesQuarantined
            | Self::DomainSilent
            | Self::DomainHeard
            | Self::WebhookDisabled
            | Self::FeedGap => true,
        }
    }
}
