-- Refused messages, counted: for support to see that a key is wrong. Nothing else depends on it. Bounded: old minutes
-- are deleted, and what claims to be of one of many unknown domains is counted together.

create table rejection (
    minute_at      timestamptz not null,
    -- Empty: messages that name no domain, or one of too many.
    claimed_domain text        not null,
    cause          text        not null,
    count          bigint      not null,
    first_at       timestamptz not null,
    last_at        timestamptz not null,
    -- The first of these messages, credentials masked.
    sample         jsonb       not null,
    constraint rejection_pkey primary key (minute_at, claimed_domain, cause),
    constraint rejection_count_positive check (count > 0)
);
