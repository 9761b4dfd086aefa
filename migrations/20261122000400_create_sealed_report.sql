-- Reports that somebody wants to stand by: kept byte for byte, whatever the log says later.

create table sealed_report (
    sealed_report_id uuid        not null,
    status           text        not null,
    -- When sealing began.
    sealed_at        timestamptz not null,
    -- The last sign of life, by the database's clock, of the process that seals it.
    renewed_at       timestamptz not null,
    as_of            timestamptz not null,
    -- Who sealed it, and the domains that existed for them; null for all.
    actor            text        not null,
    visible_domains  text[],
    -- What it was asked for, as reports echo it.
    parameters       jsonb       not null,
    -- These four of a report that is sealed.
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

-- The report as CSV, in parts of whole lines, each written when it is known. Of a report whose sealing failed there are none.
create table sealed_report_part (
    sealed_report_id uuid    not null,
    number           integer not null,
    content          bytea   not null,
    constraint sealed_report_part_pkey primary key (sealed_report_id, number),
    constraint sealed_report_part_report_fkey
        foreign key (sealed_report_id) references sealed_report on delete cascade
);
