-- The folded log: one row per session, one row per stream, and the positions up to which each shard is folded.
-- Everything can be rebuilt from the log, as far back as it is retained.

create table fold_progress (
    shard       smallint    not null,
    position    bigint      not null,
    recorded_at timestamptz not null,
    constraint fold_progress_pkey primary key (shard),
    constraint fold_progress_position_not_negative check (position >= 0)
) with (fillfactor = 20);

create table stream (
    shard     smallint not null,
    stream_id uuid     not null,
    domain    text     not null,
    app       text     not null,
    stream    text     not null,
    -- Includes the ID, so that searches for parts of names read only this index. A stream is found by its ID through its
    -- sessions.
    constraint stream_pkey primary key (domain, app, stream, shard) include (stream_id)
);

-- For names and prefixes without a domain. Written once per stream.
create index stream_stream_idx on stream (stream text_pattern_ops);

create table stream_session (
    shard                smallint    not null,
    session_id           uuid        not null,
    stream_id            uuid        not null,
    domain               text        not null,
    app                  text        not null,
    stream               text        not null,
    publish_timestamp    bigint      not null,
    started_at           timestamptz not null,
    -- The state into which events are folded.
    start_received_at    timestamptz,
    start_deliveries     integer     not null,
    end_received_at      timestamptz,
    end_deliveries       integer     not null,
    end_noticed_at       timestamptz,
    superseded_at        timestamptz,
    timed_out_at         timestamptz,
    operator_ended_at    timestamptz,
    -- When an operator confirmed last that the session is live.
    confirmed_at         timestamptz,
    quarantined_messages integer     not null,
    key_conflict         boolean     not null,
    shared_signature     boolean     not null,
    client_ip            text,
    node_ip              text,
    -- The canonical address that all starts report, if it differs from client_ip or node_ip.
    client_address       text,
    node_address         text,
    user_args            text,
    -- Personal fields were redacted.
    blanked              boolean     not null,
    rendition_template   text,
    -- Derived from that state, for queries. 'unseen': only quarantined callbacks, nothing accepted yet; the API does
    -- not show such a row as a session.
    status               text        not null,
    ended_at             timestamptz,
    ended_at_source      text,
    flags                text[]      not null,
    -- When the first callback that counts was recorded; when the event was recorded that led to the current status, end
    -- and rendition; and whether the session was anything but live in between (see session_outcome).
    seen_at              timestamptz,
    outcome_at           timestamptz,
    revised              boolean     not null,
    -- The first and the last event folded into this row.
    first_position       bigint      not null,
    last_position        bigint      not null,
    last_recorded_at     timestamptz not null,
    -- Includes the partition key. A process that folds holds the shard, so a session has one row.
    constraint stream_session_pkey primary key (session_id, shard, status),
    constraint stream_session_started_at_is_publish_timestamp
        check (extract(epoch from started_at) = publish_timestamp),
    constraint stream_session_status_known check (status in ('unseen', 'live', 'ended')),
    constraint stream_session_ended_at_source_known
        check (ended_at_source in ('notification', 'superseded', 'timed_out', 'operator')),
    constraint stream_session_ended_has_end
        check ((status = 'ended') = (ended_at is not null) and (ended_at is null) = (ended_at_source is null)),
    constraint stream_session_ends_after_start check (ended_at >= started_at),
    constraint stream_session_deliveries_match_receipts
        check ((start_received_at is null) = (start_deliveries = 0) and (end_received_at is null) = (end_deliveries = 0)
            and (end_received_at is null) = (end_noticed_at is null)),
    constraint stream_session_seen_has_message
        check ((status = 'unseen') = (start_deliveries = 0 and end_deliveries = 0)),
    constraint stream_session_counts_not_negative
        check (start_deliveries >= 0 and end_deliveries >= 0 and quarantined_messages >= 0),
    constraint stream_session_blanked_is_blank check (not blanked or num_nonnulls(client_ip, node_ip, user_args) = 0),
    constraint stream_session_positions_in_order check (0 < first_position and first_position <= last_position),
    constraint stream_session_seen_since
        check ((status = 'unseen') = (seen_at is null) and (seen_at is null) = (outcome_at is null)),
    constraint stream_session_outcome_in_order check (seen_at <= outcome_at and outcome_at <= last_recorded_at),
    constraint stream_session_flags_known check (flags <@ array
        ['start_missing', 'end_before_start', 'key_conflict', 'quarantined_messages', 'shared_signature'])
) partition by list (status);

-- A session to write. A type of its own: a running process goes on when a newer version adds a column to the table.
create type folded_session as (
    shard                smallint,
    session_id           uuid,
    stream_id            uuid,
    domain               text,
    app                  text,
    stream               text,
    publish_timestamp    bigint,
    started_at           timestamptz,
    start_received_at    timestamptz,
    start_deliveries     integer,
    end_received_at      timestamptz,
    end_deliveries       integer,
    end_noticed_at       timestamptz,
    superseded_at        timestamptz,
    timed_out_at         timestamptz,
    operator_ended_at    timestamptz,
    confirmed_at         timestamptz,
    quarantined_messages integer,
    key_conflict         boolean,
    shared_signature     boolean,
    client_ip            text,
    node_ip              text,
    client_address       text,
    node_address         text,
    user_args            text,
    blanked              boolean,
    rendition_template   text,
    status               text,
    ended_at             timestamptz,
    ended_at_source      text,
    flags                text[],
    seen_at              timestamptz,
    outcome_at           timestamptz,
    revised              boolean,
    first_position       bigint,
    last_position        bigint,
    last_recorded_at     timestamptz
);

-- The live partition stays small, however long the history, and has the indexes of dashboards. A session that ends leaves
-- it and is added to the ended partition once, complete; that has the indexes of lists and reports. Lists by start use the
-- primary keys, because ids begin with the start. An index includes the status where queries are to read only the index:
-- PostgreSQL checks it although the partition says it.
create table unseen_session partition of stream_session for values in ('unseen');
create table live_session partition of stream_session for values in ('live');
create table ended_session partition of stream_session for values in ('ended');

-- Sessions that are in the log but in no list.
create index unseen_session_domain_idx on unseen_session (domain, stream);

-- Counts, lists of a domain, and whether a stream is live; the second for lists of a stream. Counts read only the first.
create index live_session_name_idx on live_session (domain, app, stream_id, session_id)
    include (rendition_template, status, confirmed_at);
create index live_session_stream_idx on live_session (stream_id, session_id);
create index live_session_flagged_idx on live_session (session_id) where cardinality(flags) > 0;

-- Lists of a domain or a stream.
create index ended_session_domain_idx on ended_session (domain, session_id);
create index ended_session_stream_idx on ended_session (stream_id, session_id) include (shard, status, ended_at);
-- Partial indexes for rare values: queries skip all other sessions, and only rare sessions pay for the index.
-- By the number of flags: with a comparison of the flags, the planner would count their rarity twice.
create index ended_session_flagged_idx on ended_session (session_id) where cardinality(flags) > 0;
create index ended_session_unnotified_idx on ended_session (ended_at_source, session_id)
    where ended_at_source <> 'notification';
-- A session that was live at an instant started in the day before, is in this index, or is still live.
create index ended_session_long_idx on ended_session (session_id, ended_at)
    where ended_at - started_at > interval '24 hours';
-- For reports: sessions that started long before the period, were live at its as_of, and have ended since.
create index ended_session_late_idx on ended_session (outcome_at) where outcome_at - started_at > interval '24 hours';
-- Block ranges of the table that cannot contain an address. Adding a session costs next to nothing; a B-tree by address
-- would cost a write per session.
create index ended_session_address_idx on ended_session
    using brin (
        (coalesce(client_address, client_ip)) text_bloom_ops (n_distinct_per_range = 2000),
        (coalesce(node_address, node_ip)) text_bloom_ops (n_distinct_per_range = 200))
    with (pages_per_range = 64, autosummarize = on);

-- Earlier outcomes of sessions, except in the usual case of first live and then ended: a report counts by the log as of
-- its as_of. A row is derived from the log, is written when the outcome no longer holds, and never changes.
create table session_outcome (
    shard              smallint    not null,
    session_id         uuid        not null,
    -- When the events were recorded that led to the outcome and that replaced it.
    known_from         timestamptz not null,
    known_until        timestamptz not null,
    started_at         timestamptz not null,
    ended_at           timestamptz,
    ended_at_source    text,
    rendition_template text,
    constraint session_outcome_pkey primary key (session_id, known_from, shard),
    constraint session_outcome_held check (known_from < known_until),
    constraint session_outcome_ended_at_source_known
        check (ended_at_source in ('notification', 'superseded', 'timed_out', 'operator')),
    constraint session_outcome_ended_has_source check ((ended_at is null) = (ended_at_source is null)),
    constraint session_outcome_ends_after_start check (ended_at >= started_at)
);
