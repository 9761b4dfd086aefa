-- Counts of rejected callbacks, for support. Nothing else depends on them. Bounded: old minutes are deleted, and
-- further unregistered domains of a minute are counted together.

create table rejection (
    minute_at      timestamptz not null,
    -- Empty: callbacks without a domain, and further unregistered domains.
    claimed_domain text        not null,
    cause          text        not null,
    count          bigint      not null,
    -- How many of them were kept.
    kept           bigint      not null,
    first_at       timestamptz not null,
    last_at        timestamptz not null,
    -- The first of the callbacks, with credentials masked.
    sample         jsonb       not null,
    constraint rejection_pkey primary key (minute_at, claimed_domain, cause),
    constraint rejection_count_positive check (count > 0),
    constraint rejection_kept_in_range check (kept between 0 and count)
);

-- Rejected callbacks themselves, for some days, so that they can be admitted when the cause is fixed. Bounded in bytes.
create table kept_rejection (
    received_at         timestamptz not null,
    -- Also the ID of the event if the callback is admitted, so that it is admitted once.
    rejection_id        uuid        not null,
    -- Empty: the body names no domain.
    claimed_domain      text        not null,
    cause               text        not null,
    -- SHA-256 of the secret part of the path that it was sent to.
    callback_token_hash bytea,
    source_ip           text,
    -- The body, encrypted: nonce, then ciphertext and tag (XChaCha20-Poly1305).
    sealed_body         bytea       not null,
    -- What the row takes on disk, approximately.
    bytes               integer     not null,
    constraint kept_rejection_pkey primary key (received_at, rejection_id),
    constraint kept_rejection_callback_token_hash_is_sha256 check (octet_length(callback_token_hash) = 32),
    constraint kept_rejection_bytes_positive check (bytes > 0)
);
-- Encrypted bodies do not compress.
alter table kept_rejection alter column sealed_body set storage external;
