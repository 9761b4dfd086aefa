-- What an installation is made with, who may send to it and who may read from it.
--
-- These tables are small and change rarely. Every process keeps a copy in memory and reads it again when
-- `installation.registry_version` has moved, which every change of them does in its own transaction.

create table installation (
    only_row         boolean     not null default true,
    -- By which a process knows it from others.
    installation_id  uuid        not null,
    -- The number of shards that streams are spread over. Fixed for the life of the installation.
    shards           smallint    not null,
    -- Whether they are spread over the nodes of a Citus cluster. Known since the schema was made.
    distributed      boolean     not null,
    -- A code made with the master key, by which a process notices at its start that it holds another one.
    master_key_check bytea       not null,
    registry_version bigint      not null default 1,
    created_at       timestamptz not null,
    constraint installation_pkey primary key (only_row),
    constraint installation_has_one_row check (only_row),
    constraint installation_shards_in_range check (shards between 1 and 1024),
    constraint installation_master_key_check_is_sha256 check (octet_length(master_key_check) = 32)
);

create table ingest_domain (
    domain              text        not null,
    signature           text        not null,
    -- Null: every application is welcome.
    apps                text[],
    -- What stands between the signed fields: nothing, or a plus sign.
    joiner              text        not null,
    rendition_templates text[]      not null,
    concurrent_pushes   boolean     not null,
    -- SHA-256 of the secret part of the callback path.
    callback_token_hash bytea,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    constraint ingest_domain_pkey primary key (domain),
    constraint ingest_domain_length check (char_length(domain) between 1 and 255),
    constraint ingest_domain_signature_known check (signature in ('required', 'none')),
    constraint ingest_domain_joiner_known check (joiner in ('', '+')),
    constraint ingest_domain_callback_token_hash_is_sha256 check (octet_length(callback_token_hash) = 32)
);

create table signing_key (
    key_id     uuid        not null,
    domain     text        not null,
    -- The key under the master key: nonce, then ciphertext and tag (XChaCha20-Poly1305).
    sealed_key bytea       not null,
    created_at timestamptz not null,
    constraint signing_key_pkey primary key (key_id),
    constraint signing_key_domain_fkey foreign key (domain) references ingest_domain (domain) on delete cascade,
    constraint signing_key_sealed_key_length check (octet_length(sealed_key) between 24 + 16 + 32 and 24 + 16 + 512)
);

create index signing_key_domain_idx on signing_key (domain);

create table access_token (
    token_id     uuid        not null,
    name         text        not null,
    -- SHA-256 of the token, which itself is kept nowhere.
    token_hash   bytea       not null,
    scopes       text[]      not null,
    -- Null: every domain.
    domains      text[],
    created_at   timestamptz not null,
    expires_at   timestamptz,
    -- To the second or so; written some time after the use.
    last_used_at timestamptz,
    constraint access_token_pkey primary key (token_id),
    constraint access_token_hash_key unique (token_hash),
    constraint access_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint access_token_scopes_known
        check (cardinality(scopes) > 0 and scopes <@ array ['read', 'personal', 'billing', 'admin']),
    constraint access_token_domains_not_empty check (domains is null or cardinality(domains) > 0),
    constraint access_token_admin_is_unbound check (domains is null or not scopes @> array ['admin'])
);

-- Sign-ins to the dashboard that were ended before their time, which they are kept for.
create table signed_out (
    sign_in_id uuid        not null,
    -- When it would have ended by itself.
    until      timestamptz not null,
    constraint signed_out_pkey primary key (sign_in_id)
);

-- Every administrative act, written in the transaction that does it or just before. The actor's name is kept as it was then: tokens
-- are removed when they are revoked.
create table audit_entry (
    audit_id   uuid        not null,
    done_at    timestamptz not null,
    actor      text        not null,
    -- Null: the administrator's own token, or a command.
    token_id   uuid,
    act        text        not null,
    domain     text,
    -- The key, token or log entry that it was done to.
    subject_id uuid,
    details    jsonb,
    constraint audit_entry_pkey primary key (done_at, audit_id)
);
