-- Webhooks: what is sent to other systems. The event log is their queue: a cursor says up to which position of each shard
-- a webhook has settled its events.
--
-- All of it is small, and stays on the coordinator of a cluster.

create table webhook (
    webhook_id           uuid        not null,
    name                 text        not null,
    kind                 text        not null,
    url                  text        not null,
    -- Null: all types of events. Always null for a relay.
    event_types          text[],
    -- Null: all domains. A relay names its domains.
    domains              text[],
    -- Null: all apps.
    apps                 text[],
    renditions           text        not null,
    -- Whether events contain addresses and push URLs' query strings.
    personal             boolean     not null,
    -- The secrets that sign, and further headers, encrypted with the master key like a callback key.
    sealed_secret        bytea       not null,
    sealed_secret_before bytea,
    secret_before_until  timestamptz,
    sealed_headers       bytea,
    state                text        not null,
    disabled_reason      text,
    -- When the first attempt failed since the last success. Null: the last attempt succeeded, or there was none.
    failing_since        timestamptz,
    failed_attempts      integer     not null,
    last_success_at      timestamptz,
    last_error           text,
    created_at           timestamptz not null,
    updated_at           timestamptz not null,
    -- Counts changes of what a sender has loaded: settings, secrets, replays.
    version              integer     not null,
    constraint webhook_pkey primary key (webhook_id),
    constraint webhook_name_key unique (name),
    constraint webhook_kind_known check (kind in ('events', 'relay')),
    constraint webhook_renditions_known check (renditions in ('include', 'exclude', 'only')),
    constraint webhook_state_known check (state in ('enabled', 'disabled')),
    constraint webhook_disabled_has_reason check ((state = 'disabled') = (disabled_reason is not null)),
    constraint webhook_disabled_reason_known check (disabled_reason in ('administrator', 'failing', 'gone')),
    constraint webhook_secret_before_ends check ((sealed_secret_before is null) = (secret_before_until is null)),
    constraint webhook_failures_have_begun check ((failing_since is null) = (failed_attempts = 0)),
    constraint webhook_relay_has_domains check (kind <> 'relay' or (cardinality(domains) > 0 and event_types is null))
);

-- What no event of the log tells: a domain is silent, a session is unconfirmed. Positions have no gaps and follow commit
-- order, like those of a shard.
create table notice (
    "position" bigint      not null,
    noticed_at timestamptz not null,
    event_type text        not null,
    -- Distinguishes notices, so that each is written once.
    key        text        not null,
    -- Null: not about a domain.
    domain     text,
    data       jsonb       not null,
    constraint notice_pkey primary key ("position"),
    constraint notice_key_key unique (key),
    constraint notice_event_type_known check (event_type in
        ('session.unconfirmed', 'messages.quarantined', 'domain.silent', 'domain.heard', 'webhook.disabled', 'feed.gap'))
);

create table webhook_cursor (
    webhook_id uuid     not null,
    -- A shard of the log; -1 for notices.
    shard      smallint not null,
    "position" bigint   not null,
    constraint webhook_cursor_pkey primary key (webhook_id, shard),
    constraint webhook_cursor_webhook_fkey foreign key (webhook_id) references webhook (webhook_id) on delete cascade,
    constraint webhook_cursor_position_not_negative check ("position" >= 0)
) with (fillfactor = 20);

-- Deliveries that were attempted, or are to be sent again. One that succeeded at once is recorded, too, for some days.
create table webhook_delivery (
    webhook_id        uuid        not null,
    -- What the receiver sees as `webhook-id`.
    delivery_id       uuid        not null,
    event_type        text        not null,
    -- Where the event comes from: the log, or a notice (shard -1).
    shard             smallint    not null,
    "position"        bigint      not null,
    -- Null for notices.
    stream_id         uuid,
    session_id        uuid,
    recorded_at       timestamptz not null,
    state             text        not null,
    -- Whether someone asked for it to be sent again; attempts count from then on.
    replayed          boolean     not null,
    attempts          integer     not null,
    -- When it was first attempted, or someone asked for it.
    first_attempt_at  timestamptz not null,
    last_attempt_at   timestamptz not null,
    -- Null unless waiting.
    next_attempt_at   timestamptz,
    -- Status of the last response; null if there was none.
    last_status       smallint,
    last_error        text,
    constraint webhook_delivery_pkey primary key (webhook_id, delivery_id),
    constraint webhook_delivery_webhook_fkey
        foreign key (webhook_id) references webhook (webhook_id) on delete cascade,
    constraint webhook_delivery_state_known check (state in ('delivered', 'waiting', 'dead')),
    constraint webhook_delivery_waiting_has_next check ((state = 'waiting') = (next_attempt_at is not null)),
    constraint webhook_delivery_was_attempted check (attempts > 0 or (replayed and attempts = 0))
);

create index webhook_delivery_attempted_idx on webhook_delivery (webhook_id, last_attempt_at, delivery_id);
create index webhook_delivery_waiting_idx on webhook_delivery (webhook_id, next_attempt_at) where state = 'waiting';
create index webhook_delivery_last_attempt_idx on webhook_delivery (last_attempt_at);
create index webhook_delivery_place_idx on webhook_delivery (webhook_id, shard, "position");

-- The bodies of callbacks for each relay that has not delivered them. Written before their events are appended, so an event
-- of the log that is to be relayed has its body. Without a foreign key: receiving does not wait for changes of webhooks.
create table relay_body (
    webhook_id   uuid        not null,
    -- The event in the log. There is none if the append failed.
    event_id     uuid        not null,
    domain       text        not null,
    received_at  timestamptz not null,
    content_type text,
    -- Encrypted like a kept rejection.
    sealed_body  bytea       not null,
    constraint relay_body_pkey primary key (webhook_id, event_id)
);

create index relay_body_received_idx on relay_body (received_at);
