-- On Citus, the tables that carry `shard` are spread over its nodes by it; all else stays on the coordinator, where the
-- service is connected: it is small, and changes of it commit there without asking other nodes.

-- Closes a moment, or the latest there is, once what is being appended is. It takes the head rows in the order of their
-- shards, as an append does, and one by one, as a cluster wants it; and it reads the clock after that.
create function close_moment(asked timestamptz) returns table (closed_at timestamptz, shard smallint, "position" bigint)
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
    moment := coalesce(asked, greatest(clock_timestamp(), latest));
    foreach taken in array shards loop
        return query
        update shard_head set recorded_at = greatest(recorded_at, moment + interval '1 microsecond')
        where shard = taken
        returning moment, shard, position;
    end loop;
end
$$;

-- Spreads a table over the nodes of a cluster by its shards, each beside the same shards of other tables.
create function spread_over_nodes(name regclass) returns void
    language plpgsql
as $$
begin
    if exists (select from pg_extension where extname = 'citus') then
        perform create_distributed_table(
            name, 'shard', colocate_with => case name when 'shard_head'::regclass then 'default' else 'shard_head' end);
    end if;
end
$$;

do $$
begin
    perform spread_over_nodes(name::regclass)
    from unnest(array [
        'shard_head', 'log_horizon', 'log_entry', 'fold_progress', 'stream', 'stream_session', 'session_outcome'
    ]) as name;
    if exists (select from pg_extension where extname = 'citus') then
        perform create_distributed_function(name::regproc::oid::regprocedure, 'home', 'shard_head')
        from unnest(array ['append_entries', 'append_release']) as name;
    end if;
end
$$;
