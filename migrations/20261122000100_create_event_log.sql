-- The event log: the truth that everything else is computed from. Rows are only ever added; but when
-- they are old, what is personal in them is blanked, and their month is dropped.
--
-- Streams are spread over shards; within a shard, positions have no gaps and follow the order of commits. An append
-- takes the shard's head row first and holds it to its commit, so whoever has read a shard up to a position will
-- never later find a new row at or below it.

create table shard_head (
    shard       smallint    not null,
    position    bigint      not null,
    -- When the newest entry was recorded. Never moves back, whatever the clock does.
    recorded_at timestamptz not null,
    constraint shard_head_pkey primary key (shard),
    constraint shard_head_position_not_negative check (position >= 0)
) with (fillfactor = 20);

-- How far back the log reaches. Whole months are dropped, and personal fields are blanked, in the order of positions;
-- entries are blanked before they are dropped, and folded before they are blanked.
create table log_horizon (
    shard             smallint    not null,
    -- The last entry that was dropped; 0 before the first.
    position          bigint      not null,
    recorded_at       timestamptz not null,
    -- The last entry whose personal fields were blanked; 0 before the first.
    personal_position bigint      not null,
    constraint log_horizon_pkey primary key (shard),
    constraint log_horizon_position_not_negative check (position >= 0),
    constraint log_horizon_is_blanked check (position <= personal_position)
) with (fillfactor = 20);

create table log_entry (
    shard              smallint    not null,
    position           bigint      not null,
    -- The database's clock when the entry was appended; grows with the position.
    recorded_at        timestamptz not null,
    -- The service's clock when the message arrived.
    received_at        timestamptz not null,
    event_id           uuid        not null,
    session_id         uuid        not null,
    domain             text        not null,
    app                text        not null,
    stream             text        not null,
    publish_timestamp  bigint      not null,
    -- Who says it, and what: the provider's own word, or one of ours.
    origin             text        not null,
    event              text        not null,
    disposition        text        not null,
    reason             text,
    signature          text,
    key_id             uuid,
    auth_timestamp     bigint,
    auth_sign          bytea,
    -- The first 8 bytes of the signature, of the first entry of each session that counts by it: tells the signatures of
    -- one second apart.
    signature_tag      bigint,
    -- The session that used the signature first, if this entry counts all the same.
    signature_shared_with uuid,
    client_ip          text,
    node_ip            text,
    source_ip          text,
    -- Credentials in it are masked before they come here.
    user_args          text,
    -- The template that made this rendition, by the domain's templates at receipt; null for a source stream.
    rendition_template text,
    -- Members of the callback that are not documented.
    extra              jsonb,
    -- The unsigned members that are not quite as they were sent; null for none.
    altered            text[],
    -- Addresses or user_args were there, and are no longer kept.
    blanked            boolean     not null default false,
    -- Of inferences and operators' acts: the end that they find.
    ended_at           timestamptz,
    actor              text,
    note               text,
    -- Of releases: the quarantined entry that counts from here on. All else that it says is copied.
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
-- What waits for an operator, and what an operator let go.
create index log_entry_quarantined_idx on log_entry (event_id) where disposition = 'quarantined';
create index log_entry_quarantined_recorded_idx on log_entry (recorded_at, shard, position)
    where disposition = 'quarantined';
-- What the provider says all day is found without an index; what is said seldom is not.
create index log_entry_seldom_idx on log_entry (event, recorded_at, shard, position)
    where event not in ('PUBLISH', 'PUBLISH_DONE');
-- What waited for the database for long: all else is recorded soon after it is received.
create index log_entry_late_idx on log_entry (recorded_at, shard, position)
    where recorded_at - received_at > interval '1 hour';
create index log_entry_original_idx on log_entry (original_event_id) where original_event_id is not null;

-- A signature does not cover everything that a callback says, so it counts for the push that it came with first, and at
-- most for one other. Which ones these are, the log itself tells: a captured signature fits only streams of one shard, and
-- within a shard there is an order. Entries with one signature have one expiry, so that the index grows at one end.
create index log_entry_signature_idx on log_entry (auth_timestamp, signature_tag) where signature_tag is not null;

-- The sessions that use these signatures. To be called by an append that holds the head rows of these shards: being
-- volatile, it sees what was committed until then, and not only what was there when the append began to wait for them.
-- Nothing was recorded after what those rows say, so that months to come are not searched. In PL/pgSQL, which keeps its
-- plan.
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
          -- Said again: a cluster finds the node by it.
          and entry.shard = any (held_shards)
          and entry.recorded_at between used_from and used_until
        -- So that no index is chosen but that of signatures.
        offset 0
    ) used
    where asked.signature_tag is not null and asked.shard = any (held_shards);
end
$$;

-- An entry that is to be appended: what it says, without its place in the log.
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
    ended_at           timestamptz,
    actor              text,
    note               text
);

-- Appends entries, each as the next of its shard, or none of them: then it gives who uses signatures of theirs that are
-- not theirs alone, nor shared with whom they say. `held_shards` are their shards in ascending order, so that two appends
-- cannot wait for each other, `counts` how many entries each has, `slots` which of these shards an entry is of, and
-- `ranks` its 1-based number within that shard. Of each entry, `shards`, `auth_timestamps` and `signature_tags` say once
-- more what is looked for; no tag comes twice in there, and these are what is kept. The clock is read when the heads are
-- held, so that it grows with the position. To be the only statement of its transaction: what it holds, nobody can freeze
-- then. `home` is the first of these shards: in a cluster the only one, where this runs.
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
        client_ip, node_ip, source_ip, user_args, rendition_template, extra, altered, ended_at, actor, note
    )
    select shard, positions[slots[ordinality]] + ranks[ordinality], greatest(recorded_ats[slots[ordinality]], appended_at),
        received_at, event_id, session_id, domain, app, stream, publish_timestamp, origin, event, disposition, reason,
        signature, key_id, auth_timestamp, auth_sign, signature_tags[ordinality], signature_shared_with, client_ip,
        node_ip, source_ip, user_args, rendition_template, extra, altered, ended_at, actor, note
    from unnest(entries) with ordinality;
    update shard_head head
    set position = head.position + advance.entries, recorded_at = greatest(head.recorded_at, appended_at)
    from unnest(held_shards, counts) as advance (shard, entries)
    where head.shard = advance.shard and head.shard = any (held_shards);
end
$$;

-- Appends a release, as the next entry of a shard: with what the quarantined entry at a position says, it counts as the
-- first use of its signature, unless there was one. False when that entry is not there. To be the only statement of its
-- transaction, as above.
create function append_release(
    home smallint, original_position bigint, release_id uuid, released_at timestamptz, released_by text, why text)
    returns boolean
    language plpgsql volatile
as $$
declare
    entry log_entry%rowtype;
    head  shard_head%rowtype;
begin
    select * into entry from log_entry
    where shard = home and position = original_position and disposition = 'quarantined';
    if not found then
        return false;
    end if;
    select * into strict head from shard_head where shard = home for update;
    entry.signature_tag := ('x' || encode(substring(entry.auth_sign for 8), 'hex'))::bit(64)::bigint;
    perform from signature_uses(
        array [home], array [home], array [entry.auth_timestamp], array [entry.signature_tag], '-infinity',
        head.recorded_at);
    if found then
        entry.signature_tag := null;
    end if;
    entry.original_event_id := entry.event_id;
    entry.original_event := entry.event;
    entry.original_received_at := entry.received_at;
    entry.position := head.position + 1;
    entry.recorded_at := greatest(head.recorded_at, clock_timestamp());
    entry.received_at := released_at;
    entry.event_id := release_id;
    entry.origin := 'operator';
    entry.event := 'RELEASED';
    entry.disposition := 'released';
    entry.actor := released_by;
    entry.note := why;
    insert into log_entry values (entry.*);
    update shard_head set position = entry.position, recorded_at = entry.recorded_at where shard = home;
    return true;
end
$$;

-- Closes a moment, or the latest there is, once what is being appended is. It takes the head rows in the order of their
-- shards, as an append does, and one by one, as a cluster wants it; and it reads the clock after that. The latest is not
-- after `not_after`, should the clock leap just then.
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
