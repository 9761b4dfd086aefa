-- What the log says, folded: one row a session, one row a stream, and how far each shard has been folded.
-- All of it can be made anew from the log, as far back as that is kept.

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
    constraint stream_pkey primary key (stream_id, shard),
    -- With the id, so that parts of names are searched for in here alone.
    constraint stream_name_key unique (domain, app, stream, shard) include (stream_id)
);

-- A name, or the beginning of one, of whatever domain. Written once for each stream that ever was.
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
    -- What the messages and findings say: the state that entries are folded into.
    start_received_at    timestamptz,
    start_deliveries     integer     not null,
    end_received_at      timestamptz,
    end_deliveries       integer     not null,
    end_noticed_at       timestamptz,
    superseded_at        timestamptz,
    timed_out_at         timestamptz,
    operator_ended_at    timestamptz,
    quarantined_messages integer     not null,
    key_conflict         boolean     not null,
    shared_signature     boolean     not null,
    client_ip            text,
    node_ip              text,
    -- What all starts say of these in canonical form, where that is anything else.
    client_address       text,
    node_address         text,
    user_args            text,
    -- These were there, and are no longer kept.
    blanked              boolean     not null,
    rendition_template   text,
    -- What follows from that state, kept for reading. 'unseen': nothing accepted yet, only quarantined messages;
    -- such a row is no session to a caller.
    status               text        not null,
    ended_at             timestamptz,
    ended_at_source      text,
    flags                text[]      not null,
    -- When the first message that counts was recorded; when that entry was that made status, end and rendition what they
    -- are; and whether the session was anything but live in between (see session_outcome).
    seen_at              timestamptz,
    outcome_at           timestamptz,
    revised              boolean     not null,
    -- The first and the last entry folded into this row.
    first_position       bigint      not null,
    last_position        bigint      not null,
    last_recorded_at     timestamptz not null,
    -- Whoever folds holds the shard, so that no session has two states.
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

-- A row moves when its session's status changes. What is live is small, whatever the history, and has the indexes that
-- dashboards need; what has ended is added once, complete, and has those of lists and reports. Lists by start use the
-- primary keys, because ids begin with the start.
create table unseen_session partition of stream_session for values in ('unseen');
create table live_session partition of stream_session for values in ('live');
create table ended_session partition of stream_session for values in ('ended');

-- What is in the log, and in no list of sessions.
create index unseen_session_domain_idx on unseen_session (domain, stream);

-- Counts of what is live; and whether a stream is.
create index live_session_name_idx on live_session (domain, app, stream_id, session_id) include (rendition_template);
create index live_session_stream_idx on live_session (stream_id, session_id);

create index ended_session_domain_idx on ended_session (domain, session_id);
create index ended_session_stream_idx on ended_session (stream_id, session_id) include (shard, ended_at);
-- What is rare is found without passing all the rest, and costs only rare sessions anything.
create index ended_session_flagged_idx on ended_session (session_id) where flags <> '{}';
create index ended_session_unnotified_idx on ended_session (ended_at_source, session_id)
    where ended_at_source <> 'notification';
-- Whatever was on air at a moment began in the day before it, or is in here, or is live.
create index ended_session_long_idx on ended_session (session_id, ended_at)
    where ended_at - started_at > interval '24 hours';
-- What a report of a moment finds live then that has ended since, and began long before the report's period.
create index ended_session_late_idx on ended_session (outcome_at) where outcome_at - started_at > interval '24 hours';
-- Which stretches of the table cannot hold an address. Sessions are added at no cost to speak of; an index by address
-- would cost every one of them.
create index ended_session_address_idx on ended_session
    using brin (
        (coalesce(client_address, client_ip)) text_bloom_ops (n_distinct_per_range = 2000),
        (coalesce(node_address, node_ip)) text_bloom_ops (n_distinct_per_range = 200))
    with (pages_per_range = 64, autosummarize = on);

-- What sessions were before, where that was not just live, or is anything else now: a report of a moment counts by what the
-- log said then. A row is written when it holds no longer, from what the log says, and never changes.
create table session_outcome (
    shard              smallint    not null,
    session_id         uuid        not null,
    -- By when the entries were recorded that made it so, and that changed it.
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
