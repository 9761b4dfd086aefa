-- Sealed reports: stored byte for byte, independent of later events.

create table sealed_report (
    sealed_report_id uuid        not null,
    status           text        not null,
    -- Start of sealing.
    sealed_at        timestamptz not null,
    -- The last renewal of the lease by the process that seals, by the database's clock.
    renewed_at       timestamptz not null,
    as_of            timestamptz not null,
    -- The actor who sealed it, and the domains visible to them; null for all.
    actor            text        not null,
    visible_domains  text[],
    -- The parameters, as in responses.
    parameters       jsonb       not null,
    -- Set if and only if the report is sealed.
    totals           jsonb,
    row_count        bigint,
    byte_count       bigint,
    sha256           bytea,
    constraint sealed_report_pkey primary key (sealed_report_id),
    constraint sealed_report_status_known check (status in ('sealing', 'sealed', 'failed')),
    constraint sealed_report_sealed_is_whole
        check (num_nonnulls(totals, row_count, byte_count, sha256) = case status when 'sealed' then 4 else 0 end),
    constraint sealed_report_counts_not_negative check (row_count >= 0 and byte_count > 0),
    constraint sealed_report_sha256_is_sha256 check (octet_length(sha256) = 32)
);

create index sealed_report_sealed_idx on sealed_report (sealed_at, sealed_report_id);

-- The report as CSV, in parts of whole lines, each written as soon as it is computed. Deleted if sealing fails.
create table sealed_report_part (
    sealed_report_id uuid    not null,
    number           integer not null,
    content          bytea   not null,
    constraint sealed_report_part_pkey primary key (sealed_report_id, number),
    constraint sealed_report_part_report_fkey
        foreign key (sealed_report_id) references sealed_report on delete cascade
);
