-- The provider's own lists: what is on air, and what was pushed. What follows from them for a session is an event of the log;
-- the tables here say only what the lists had, and could be emptied.

-- In a block: Citus passes on the text of a statement, which must not be that of the whole file. One node connection does all, for
-- the type below.
do $$
begin
    perform set_config('citus.multi_shard_modify_mode', 'sequential', true);
    -- Not validated: a constraint that was valid before implies each of these for the rows there are.
    alter table log_entry drop constraint log_entry_origin_known;
    alter table log_entry add constraint log_entry_origin_known
        check (origin in ('provider', 'inference', 'operator', 'poll')) not valid;
    alter table log_entry add constraint log_entry_poll_finds_an_end
        check (origin <> 'poll' or event in ('LISTED', 'REPLACED') or ended_at is not null) not valid;

    alter table stream_session add column listed_at timestamptz;
    alter table stream_session add column unlisted_at timestamptz;
    alter table stream_session add column unlisted_ended_at timestamptz;
    alter table stream_session add column history_ended_at timestamptz;
    alter table stream_session add column replaced boolean not null default false;
    alter table stream_session drop constraint stream_session_ended_at_source_known;
    alter table stream_session add constraint stream_session_ended_at_source_known check (ended_at_source in
        ('notification', 'superseded', 'timed_out', 'operator', 'unlisted', 'provider_history')) not valid;
    alter table stream_session add constraint stream_session_unlisted_has_end
        check ((unlisted_at is null) = (unlisted_ended_at is null)) not valid;
    alter table stream_session drop constraint stream_session_seen_has_message;
    alter table stream_session add constraint stream_session_is_seen check ((status = 'unseen')
        = (start_deliveries = 0 and end_deliveries = 0 and (history_ended_at is null or replaced))) not valid;
    alter table stream_session drop constraint stream_session_flags_known;
    alter table stream_session add constraint stream_session_flags_known check (flags <@ array['start_missing', 'start_listed',
        'end_before_start', 'key_conflict', 'quarantined_messages', 'shared_signature']) not valid;
    alter table session_outcome drop constraint session_outcome_ended_at_source_known;
    alter table session_outcome add constraint session_outcome_ended_at_source_known check (ended_at_source in
        ('notification', 'superseded', 'timed_out', 'operator', 'unlisted', 'provider_history')) not valid;
end
$$;

-- A session to write. `folded_session` is for processes of the version before.
create type session_to_write as (
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
    listed_at            timestamptz,
    unlisted_at          timestamptz,
    unlisted_ended_at    timestamptz,
    history_ended_at     timestamptz,
    replaced             boolean,
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

-- When the list of streams on air had a session last. Written every few minutes: a process that reads the lists knows the rest.
create table poll_sighting (
    session_id     uuid        not null,
    domain         text        not null,
    account_id     uuid        not null,
    last_listed_at timestamptz not null,
    constraint poll_sighting_pkey primary key (session_id)
) with (fillfactor = 50);

create index poll_sighting_domain_idx on poll_sighting (domain);

-- How each list was read.
create table poll (
    domain       text        not null,
    begun_at     timestamptz not null,
    milliseconds integer     not null,
    outcome      text        not null,
    pages        integer     not null,
    -- Rows of the list, and sessions that it had.
    listed       integer     not null,
    matched      integer     not null,
    -- The provider's code of an error.
    error_code   text,
    -- Many sessions have disappeared at once, so that nothing is ended.
    mass_absence boolean     not null,
    constraint poll_pkey primary key (domain, begun_at),
    constraint poll_outcome_known check (outcome in
        ('complete', 'torn', 'throttled', 'refused', 'not_found', 'failed', 'resting'))
);

-- The last complete list is asked for by each page of the dashboard, also where none was complete for days.
create index poll_complete_idx on poll (domain, begun_at) where outcome = 'complete';

-- What the provider's lists say otherwise than the callbacks.
create table poll_difference (
    domain        text        not null,
    kind          text        not null,
    app           text        not null,
    stream        text        not null,
    started_at    timestamptz not null,
    -- Null: no session is known.
    session_id    uuid,
    -- The end that the lists or the history show.
    ended_at      timestamptz,
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    -- Whether an event of the log says so.
    repaired      boolean     not null,
    constraint poll_difference_pkey primary key (domain, kind, app, stream, started_at),
    constraint poll_difference_kind_known check (kind in
        ('unlisted', 'listed', 'history', 'unknown_push', 'missed_push', 'end_differs')),
    constraint poll_difference_of_session check (kind in ('unknown_push', 'missed_push') or session_id is not null),
    constraint poll_difference_in_order check (first_seen_at <= last_seen_at)
);

create index poll_difference_seen_idx on poll_difference (domain, last_seen_at);
