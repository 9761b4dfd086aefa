-- The event log: the source of truth from which everything else is computed. Rows are only added. Later, retention
-- redacts personal fields in old rows, and then drops whole months.
--
-- The log is divided into shards. Positions in a shard have no gaps and follow commit order: an append locks the
-- shard's head row first and holds the lock until it commits. So a reader that has read a shard up to a position never
-- finds a new row at or below it.

create table shard_head (
    shard       smallint    not null,
    position    bigint      not null,
    -- When the newest event was recorded. Never decreases, even if the clock goes back.
    recorded_at timestamptz not null,
    constraint shard_head_pkey primary key (shard),
    constraint shard_head_position_not_negative check (position >= 0)
) with (fillfactor = 20);

-- How far back the log reaches. Events are folded, then redacted, then dropped (in whole months), each in the order of
-- positions.
create table log_horizon (
    shard             smallint    not null,
    -- Position of the last dropped event; 0 if none.
    position          bigint      not null,
    recorded_at       timestamptz not null,
    -- Position of the last event whose personal fields were redacted; 0 if none.
    personal_position bigint      not null,
    constraint log_horizon_pkey primary key (shard),
    constraint log_horizon_position_not_negative check (position >= 0),
    constraint log_horizon_is_blanked check (position <= personal_position)
) with (fillfactor = 20);

create table log_entry (
    shard              smallint    not null,
    position           bigint      not null,
    -- The database's clock at the append; increases with the position.
    recorded_at        timestamptz not null,
    -- The service's clock when the callback arrived.
    received_at        timestamptz not null,
    event_id           uuid        not null,
    session_id         uuid        not null,
    domain             text        not null,
    app                text        not null,
    stream             text        not null,
    publish_timestamp  bigint      not null,
    -- The source of the event, and its name: the provider's, or one of the service's own.
    origin             text        not null,
    event              text        not null,
    disposition        text        not null,
    reason             text,
    signature          text,
    key_id             uuid,
    auth_timestamp     bigint,
    auth_sign          bytea,
    -- The first 8 bytes of the signature; distinguishes signatures with the same expiry. Set only in the first event of
    -- each session that counts with this signature.
    signature_tag      bigint,
    -- The session that used the signature first, if this event counts nevertheless.
    signature_shared_with uuid,
    client_ip          text,
    node_ip            text,
    source_ip          text,
    -- Credentials are masked before.
    user_args          text,
    -- The template of a rendition, by the domain's templates at receipt; null for a source stream.
    rendition_template text,
    -- Undocumented members of the callback.
    extra              jsonb,
    -- Unsigned members that are not stored exactly as sent; null if none.
    altered            text[],
    -- The callback was rejected when it arrived, kept, and admitted later.
    retried            boolean     not null default false,
    -- Personal fields were redacted.
    blanked            boolean     not null default false,
    -- For inferred ends and operators' ends: the end.
    ended_at           timestamptz,
    actor              text,
    note               text,
    -- For releases: the quarantined event, which counts from this position on. All its other fields are copied.
    original_event_id    uuid,
    original_event       text,
    original_received_at timestamptz,
    constraint log_entry_pkey primary key (shard, position, recorded_at),
    constraint log_entry_position_positive check (position > 0),
    constraint log_entry_publish_timestamp_in_range check (publish_timestamp between 0 and 9999999999),
    constraint log_entry_origin_known check (origin in ('provider', 'inference', 'operator')),
    constraint log_entry_disposition_known check (disposition in ('accepted', 'quarantined', 'released')),
    constraint log_entry_quarantine_has_reason check (disposition <> 'quarantined' or reason is not null),
    constraint log_entry_signature_known check (signature in ('verified', 'unsigned')),
    constraint log_entry_verified_can_be_verified_again check (signature is distinct from 'verified'
        or (key_id is not null and auth_timestamp is not null and octet_length(auth_sign) = 32)),
    constraint log_entry_provider_says_how_signed check (origin <> 'provider' or signature is not null),
    constraint log_entry_inference_finds_an_end check (origin <> 'inference' or ended_at is not null),
    constraint log_entry_operator_end_has_end check (event <> 'OPERATOR_END' or origin <> 'operator' or ended_at is not null),
    constraint log_entry_operator_has_actor check (origin <> 'operator' or actor is not null),
    constraint log_entry_altered_known check (altered <@ array ['user_args', 'client_ip', 'node_ip', 'undocumented']),
    constraint log_entry_blanked_is_blank
        check (not blanked or num_nonnulls(client_ip, node_ip, source_ip, user_args, extra) = 0),
    constraint log_entry_release_has_original check ((disposition = 'released') = (original_event_id is not null)
        and num_nulls(original_event_id, original_event, original_received_at) in (0, 3))
) partition by range (recorded_at);

create index log_entry_session_idx on log_entry (session_id, position);
create index log_entry_recorded_idx on log_entry (recorded_at, shard, position);
-- Quarantined events, and releases.
create index log_entry_quarantined_idx on log_entry (event_id) where disposition = 'quarantined';
create index log_entry_quarantined_recorded_idx on log_entry (recorded_at, shard, position)
    where disposition = 'quarantined';
-- Frequent events are found without an index; rare ones need it.
create index log_entry_seldom_idx on log_entry (event, recorded_at, shard, position)
    where event not in ('PUBLISH', 'PUBLISH_DONE');
-- Events that were in the spool for long. All others are recorded soon after receipt.
create index log_entry_late_idx on log_entry (recorded_at, shard, position)
    where recorded_at - received_at > interval '1 hour';
create index log_entry_original_idx on log_entry (original_event_id) where original_event_id is not null;

-- A signature does not cover the whole callback, so it counts for the push that used it first, and for at most one
-- other. The log itself decides which ones: a captured signature can fit only streams of one shard, and events of a
-- shard are ordered. All events with one signature have the same expiry, so this index grows at one end.
create index log_entry_signature_idx on log_entry (auth_timestamp, signature_tag) where signature_tag is not null;

-- The sessions that have used these signatures. The caller must hold the head rows of these shards: because the
-- function is volatile, it sees everything committed until then, not only what was committed when the append started to
-- wait for the locks. No event is recorded later than these rows say, so future months are not searched. PL/pgSQL
-- caches the plan.
create function signature_uses(
    held_shards smallint[], shards smallint[], auth_timestamps bigint[], signature_tags bigint[], used_from timestamptz,
    used_until timestamptz)
    returns table (ordinal bigint, session_id uuid, publish_timestamp bigint, received_at timestamptz)
    language plpgsql volatile
as $$
#variable_conflict use_column
begin
    return query
    select asked.ordinal, used.session_id, used.publish_timestamp, used.received_at
    from unnest(shards, auth_timestamps, signature_tags) with ordinality
        as asked (shard, auth_timestamp, signature_tag, ordinal)
    cross join lateral (
        select entry.session_id, entry.publish_timestamp,
            coalesce(entry.original_received_at, entry.received_at) as received_at
        from log_entry entry
        where entry.auth_timestamp = asked.auth_timestamp
          and entry.signature_tag = asked.signature_tag
          and entry.shard = asked.shard
          -- Redundant, but a cluster finds the node by it.
          and entry.shard = any (held_shards)
          and entry.recorded_at between used_from and used_until
        -- Prevents the planner from choosing another index.
        offset 0
    ) used
    where asked.signature_tag is not null and asked.shard = any (held_shards);
end
$$;

-- An event to append: its content without its position in the log.
create type new_entry as (
    shard              smallint,
    received_at        timestamptz,
    event_id           uuid,
    session_id         uuid,
    domain             text,
    app                text,
    stream             text,
    publish_timestamp  bigint,
    origin             text,
    event              text,
    disposition        text,
    reason             text,
    signature          text,
    key_id             uuid,
    auth_timestamp     bigint,
    auth_sign          bytea,
    signature_tag      bigint,
    signature_shared_with uuid,
    client_ip          text,
    node_ip            text,
    source_ip          text,
    user_args          text,
    rendition_template text,
    extra              jsonb,
    altered            text[],
    retried            boolean,
    ended_at           timestamptz,
    actor              text,
    note               text
);

-- Appends events, each at the next position of its shard. If the signature of one of them was used only by other
-- sessions, and not exactly by the one in its `signature_shared_with`, it appends none and returns the uses of the
-- signatures.
--
-- `held_shards` are the shards of the events in ascending order, so that two appends cannot deadlock. `counts` are the
-- numbers of events per shard. For each event, `slots` is the index of its shard in `held_shards`, and `ranks` its
-- 1-based number within that shard. `shards`, `auth_timestamps` and `signature_tags` are the signatures to look up, per
-- event; each tag occurs at most once, and those of first uses are stored. `home` is the first shard. On a cluster it
-- is the only one, and the function runs on its node.
--
-- The clock is read after the head rows are locked, so that it increases with the position. Must be the only statement
-- of its transaction: then no client can stall while it holds the locks.
create function append_entries(
    home smallint, held_shards smallint[], counts integer[], slots integer[], ranks integer[], shards smallint[],
    auth_timestamps bigint[], signature_tags bigint[], entries new_entry[], used_from timestamptz)
    returns table (signature_tag bigint, session_id uuid, publish_timestamp bigint, received_at timestamptz)
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    positions    bigint[];
    recorded_ats timestamptz[];
    used_until   timestamptz;
    appended_at  timestamptz;
    used         record;
    may_append   boolean := true;
begin
    select array_agg(head.position order by head.shard), array_agg(head.recorded_at order by head.shard),
        max(head.recorded_at)
    into positions, recorded_ats, used_until
    from (
        select shard, position, recorded_at from shard_head where shard = any (held_shards) order by shard for update
    ) head;
    if cardinality(positions) is distinct from cardinality(held_shards) then
        raise exception 'a shard has no head: the entries were made for another installation';
    end if;
    appended_at := clock_timestamp();

    for used in
        select uses.ordinal, array_agg(uses.session_id) as session_ids
        from signature_uses(held_shards, shards, auth_timestamps, signature_tags, used_from, used_until) uses
        group by uses.ordinal
    loop
        if (entries[used.ordinal]).session_id = any (used.session_ids) then
            signature_tags[used.ordinal] := null;
        elsif used.session_ids is distinct from array [(entries[used.ordinal]).signature_shared_with] then
            may_append := false;
        end if;
    end loop;
    if not may_append then
        return query
        select signature_tags[uses.ordinal], uses.session_id, uses.publish_timestamp, uses.received_at
        from signature_uses(held_shards, shards, auth_timestamps, signature_tags, used_from, used_until) uses;
        return;
    end if;

    insert into log_entry (
        shard, position, recorded_at, received_at, event_id, session_id, domain, app, stream, publish_timestamp, origin,
        event, disposition, reason, signature, key_id, auth_timestamp, auth_sign, signature_tag, signature_shared_with,
        client_ip, node_ip, source_ip, user_args, rendition_template, extra, altered, retried, ended_at, actor, note
    )
    select shard, positions[slots[ordinality]] + ranks[ordinality], greatest(recorded_ats[slots[ordinality]], appended_at),
        received_at, event_id, session_id, domain, app, stream, publish_timestamp, origin, event, disposition, reason,
        signature, key_id, auth_timestamp, auth_sign, signature_tags[ordinality], signature_shared_with, client_ip,
        node_ip, source_ip, user_args, rendition_template, extra, altered, retried, ended_at, actor, note
    from unnest(entries) with ordinality;
    update shard_head head
    set position = head.position + advance.entries, recorded_at = greatest(head.recorded_at, appended_at)
    from unnest(held_shards, counts) as advance (shard, entries)
    where head.shard = advance.shard and head.shard = any (held_shards);
end
$$;

-- Appends releases at the next positions of a shard, each with the content of the quarantined event at a position, in the
-- order of the arguments. A release counts as the first use of its signature, unless there was one. An event that was
-- released before, or does not exist, is left out. Whether it was released is checked while the head row is locked, so an
-- event is released once, however many callers try. Must be the only statement of its transaction, like `append_entries`;
-- receiving waits for it, so callers pass few events.
create function append_releases(
    home smallint, original_positions bigint[], release_ids uuid[], released_at timestamptz, released_by text, why text)
    returns table (original_position bigint, outcome text)
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    entry       log_entry%rowtype;
    head        shard_head%rowtype;
    appended_at timestamptz;
begin
    select * into strict head from shard_head where shard = home for update;
    appended_at := greatest(head.recorded_at, clock_timestamp());
    for number in 1 .. cardinality(original_positions) loop
        select * into entry from log_entry
        where shard = home and position = original_positions[number] and disposition = 'quarantined';
        if not found then
            return query select original_positions[number], 'not_quarantined';
            continue;
        end if;
        perform from log_entry where shard = home and original_event_id = entry.event_id;
        if found then
            return query select original_positions[number], 'released_before';
            continue;
        end if;
        entry.signature_tag := ('x' || encode(substring(entry.auth_sign for 8), 'hex'))::bit(64)::bigint;
        perform from signature_uses(
            array [home], array [home], array [entry.auth_timestamp], array [entry.signature_tag], '-infinity',
            head.recorded_at);
        if found then
            entry.signature_tag := null;
        end if;
        entry.retried := false;
        entry.original_event_id := entry.event_id;
        entry.original_event := entry.event;
        entry.original_received_at := entry.received_at;
        entry.position := head.position + 1;
        entry.recorded_at := appended_at;
        entry.received_at := released_at;
        entry.event_id := release_ids[number];
        entry.origin := 'operator';
        entry.event := 'RELEASED';
        entry.disposition := 'released';
        entry.actor := released_by;
        entry.note := why;
        insert into log_entry values (entry.*);
        head.position := entry.position;
        head.recorded_at := appended_at;
        return query select original_positions[number], 'released';
    end loop;
    update shard_head set position = head.position, recorded_at = head.recorded_at where shard = home;
end
$$;

-- Closes an instant, or the latest possible one, after current appends have finished. Locks the head rows in the order
-- of their shards, like an append; one by one, because a cluster requires that; and then reads the clock. The latest
-- instant is at most `not_after`, in case the clock jumps just then.
create function close_moment(asked timestamptz, not_after timestamptz)
    returns table (closed_at timestamptz, shard smallint, "position" bigint)
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    shards constant smallint[] := (select array_agg(shard order by shard) from shard_head);
    taken  smallint;
    latest timestamptz;
    moment timestamptz;
begin
    foreach taken in array shards loop
        select greatest(latest, recorded_at) into latest from shard_head where shard = taken for update;
    end loop;
    moment := coalesce(asked, least(greatest(clock_timestamp(), latest), not_after));
    foreach taken in array shards loop
        return query
        update shard_head set recorded_at = greatest(recorded_at, moment + interval '1 microsecond')
        where shard = taken
        returning moment, shard, position;
    end loop;
end
$$;
