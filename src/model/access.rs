//! Closed sets about domains, tokens and administration.

use super::closed_set;

closed_set! {
    /// A permission of a token.
    #[schema(as = ScopeWord)]
    pub enum Scope {
        /// Access to sessions, streams, live counts and events.
        Read,
        /// Adds addresses and `user_args` to `Read`.
        Personal,
        /// Access to reports.
        Billing,
        /// All permissions.
        Admin,
    }
}

closed_set! {
    /// A kind of administrative action, as the audit log names it.
    #[schema(as = ActWord)]
    pub enum Act {
        DomainRegistered,
        DomainChanged,
        /// Including its keys.
        DomainRemoved,
        KeyAdded,
        KeyRemoved,
        /// A domain got a new secret path.
        CallbackPathReplaced,
        TokenCreated,
        TokenRevoked,
        EventReleased,
        /// All callbacks of a domain that were quarantined for a reason and received in a period.
        EventsReleased,
        /// Kept rejections were admitted.
        RejectionsRetried,
        SessionEnded,
        SessionEndWithdrawn,
        SessionConfirmed,
        SealedReportDeleted,
        WebhookCreated,
        WebhookChanged,
        WebhookRemoved,
        /// A webhook got a new secret.
        WebhookSecretReplaced,
        /// Events of a webhook were sent again.
        WebhookReplayed,
        ProviderAccountCreated,
        ProviderAccountChanged,
        ProviderAccountRemoved,
        /// Events that a wrong clock recorded in the future were moved to the present.
        ClockRepaired,
        MasterKeyRotated,
    }
}

closed_set! {
    /// Whether a domain's callbacks are signed.
    #[schema(as = SignatureRuleWord)]
    pub enum SignatureRule {
        /// Every callback is signed with one of the domain's keys.
        Required,
        /// Callbacks are unsigned and come through the domain's secret path.
        None,
    }
}

closed_set! {
    /// The separator of the signed fields of a domain's callbacks.
    #[schema(as = JoinerWord)]
    #[derive(Default)]
    pub enum FieldSeparator {
        /// The documented formula, read as plain concatenation.
        #[default]
        Nothing = "",
        /// As in the code of a sister product.
        Plus = "+",
    }
}
