-- Counts of rejected callbacks, for support. Nothing else depends on them. Bounded: old minutes are deleted, and
-- further unregistered domains of a minute are counted together.

create table rejection (
    minute_at      timestamptz not null,
    -- Empty: callbacks without a domain, and further unregistered domains.
    claimed_domain text        not null,
    cause          text        not null,
    count          bigint      not null,
    first_at       timestamptz not null,
    last_at        timestamptz not null,
    -- The first of the callbacks, with credentials masked.
    sample         jsonb       not null,
    constraint rejection_pkey primary key (minute_at, claimed_domain, cause),
    constraint rejection_count_positive check (count > 0)
);
