-- The installation and the registry: ingest domains with their keys, tokens, and the audit log.
--
-- The registry is small and rarely changes. Every process caches it and reloads it when `installation.registry_version`
-- changes, which each change of the registry increases in its own transaction.

create table installation (
    only_row         boolean     not null default true,
    -- Distinguishes the installation from others.
    installation_id  uuid        not null,
    -- Number of shards of the log. Fixed for the life of the installation.
    shards           smallint    not null,
    -- Whether the tables are distributed over a Citus cluster. Determined when the schema is created.
    distributed      boolean     not null,
    -- Derived from the master key, so that a process detects at its start that it has a different one.
    master_key_check bytea       not null,
    -- The key that encrypts kept rejections, itself encrypted with the master key like a callback key.
    sealed_rejection_key bytea   not null,
    registry_version bigint      not null default 1,
    created_at       timestamptz not null,
    constraint installation_pkey primary key (only_row),
    constraint installation_has_one_row check (only_row),
    constraint installation_shards_in_range check (shards between 1 and 1024),
    constraint installation_master_key_check_is_sha256 check (octet_length(master_key_check) = 32),
    constraint installation_sealed_rejection_key_length check (octet_length(sealed_rejection_key) = 24 + 16 + 32)
);

create table ingest_domain (
    domain              text        not null,
    signature           text        not null,
    -- Null: all apps are accepted.
    apps                text[],
    -- Separator of the signed fields: empty, or a plus sign.
    joiner              text        not null,
    rendition_templates text[]      not null,
    concurrent_pushes   boolean     not null,
    -- How long a session is live and unconfirmed before it ends without an end callback. Null: as long as the service's
    -- setting says; 0: it never ends so.
    close_unconfirmed_seconds bigint,
    -- SHA-256 of the secret part of the callback path.
    callback_token_hash bytea,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    constraint ingest_domain_pkey primary key (domain),
    constraint ingest_domain_length check (char_length(domain) between 1 and 255),
    constraint ingest_domain_signature_known check (signature in ('required', 'none')),
    constraint ingest_domain_joiner_known check (joiner in ('', '+')),
    constraint ingest_domain_close_unconfirmed_seconds_in_range
        check (close_unconfirmed_seconds between 0 and 316224000),
    constraint ingest_domain_callback_token_hash_is_sha256 check (octet_length(callback_token_hash) = 32)
);

create table signing_key (
    key_id       uuid        not null,
    domain       text        not null,
    -- The key, encrypted with the master key: nonce, then ciphertext and tag (XChaCha20-Poly1305).
    sealed_key   bytea       not null,
    created_at   timestamptz not null,
    -- When it last verified a callback. Accurate to some seconds; written with a delay.
    last_used_at timestamptz,
    constraint signing_key_pkey primary key (key_id),
    constraint signing_key_domain_fkey foreign key (domain) references ingest_domain (domain) on delete cascade,
    constraint signing_key_sealed_key_length check (octet_length(sealed_key) between 24 + 16 + 32 and 24 + 16 + 512)
);

create index signing_key_domain_idx on signing_key (domain);

create table access_token (
    token_id     uuid        not null,
    name         text        not null,
    -- SHA-256 of the token. The token itself is not stored.
    token_hash   bytea       not null,
    scopes       text[]      not null,
    -- Null: all domains.
    domains      text[],
    created_at   timestamptz not null,
    expires_at   timestamptz,
    -- Accurate to about a second; written with a delay.
    last_used_at timestamptz,
    constraint access_token_pkey primary key (token_id),
    constraint access_token_hash_key unique (token_hash),
    constraint access_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint access_token_scopes_known
        check (cardinality(scopes) > 0 and scopes <@ array ['read', 'personal', 'billing', 'admin']),
    constraint access_token_domains_not_empty check (domains is null or cardinality(domains) > 0),
    constraint access_token_admin_is_unbound check (domains is null or not scopes @> array ['admin'])
);

-- Sign-ins to the dashboard that were signed out before they expired. Kept until they would have expired.
create table signed_out (
    sign_in_id uuid        not null,
    -- When the sign-in would have expired.
    until      timestamptz not null,
    constraint signed_out_pkey primary key (sign_in_id)
);

-- The audit log: every administrative action, recorded in the transaction of the action or just before it. Stores the
-- actor's name as of then, because revoking a token deletes it.
create table audit_entry (
    audit_id   uuid        not null,
    done_at    timestamptz not null,
    actor      text        not null,
    -- Null: the administrator's token, or a command.
    token_id   uuid,
    act        text        not null,
    domain     text,
    -- The affected key, token, event, session or sealed report.
    subject_id uuid,
    details    jsonb,
    constraint audit_entry_pkey primary key (done_at, audit_id)
);
