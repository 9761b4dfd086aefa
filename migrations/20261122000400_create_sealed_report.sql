-- Reports that somebody wants to stand by: kept byte for byte, whatever the log says later.

create table sealed_report (
    sealed_report_id uuid        not null,
    sealed_at        timestamptz not null,
    as_of            timestamptz not null,
    -- Who sealed it, and the domains that existed for them; null for all.
    actor            text        not null,
    visible_domains  text[],
    -- What it was asked for, as reports echo it.
    parameters       jsonb       not null,
    totals           jsonb       not null,
    row_count        bigint      not null,
    byte_count       bigint      not null,
    sha256           bytea       not null,
    constraint sealed_report_pkey primary key (sealed_report_id),
    constraint sealed_report_counts_not_negative check (row_count >= 0 and byte_count > 0),
    constraint sealed_report_sha256_is_sha256 check (octet_length(sha256) = 32)
);

create index sealed_report_sealed_idx on sealed_report (sealed_at, sealed_report_id);

-- The report as CSV, in parts of whole lines; written before the report itself: parts without one are of none.
create table sealed_report_part (
    sealed_report_id uuid    not null,
    number           integer not null,
    content          bytea   not null,
    constraint sealed_report_part_pkey primary key (sealed_report_id, number)
);
