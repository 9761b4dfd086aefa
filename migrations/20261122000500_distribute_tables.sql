-- On Citus, the tables with a column `shard` are distributed by it. The other tables stay on the coordinator, to which
-- the service connects: they are small, and their changes commit there without other nodes.

-- Distributes a table over the nodes of a cluster; equal shards of all tables are on the same node.
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
        from unnest(array ['append_entries', 'append_releases']) as name;
    end if;
end
$$;
