-- Provider accounts: with which access key the provider's own lists are read, and what is done with what they show, for each
-- domain.
--
-- All of it is small, and stays on the coordinator of a cluster.

create table provider_account (
    account_id        uuid        not null,
    name              text        not null,
    -- Base URL of the provider's API, without a path.
    endpoint          text        not null,
    project_id        text        not null,
    access_key        text        not null,
    -- Encrypted with the master key like a callback key.
    sealed_secret_key bytea       not null,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    -- Counts changes of what a poller has loaded.
    version           integer     not null,
    constraint provider_account_pkey primary key (account_id),
    constraint provider_account_name_key unique (name),
    constraint provider_account_sealed_secret_key_length
        check (octet_length(sealed_secret_key) between 24 + 16 + 1 and 24 + 16 + 512)
);

-- Processes of the version before write neither column: a domain that they register is not polled.
alter table ingest_domain
    -- Whether the provider's lists are read, and whether lost callbacks are made up for.
    add column poll_mode           text not null default 'off',
    add column provider_account_id uuid,
    add constraint ingest_domain_poll_mode_known check (poll_mode in ('off', 'observe', 'repair')),
    add constraint ingest_domain_polled_has_account check (poll_mode = 'off' or provider_account_id is not null),
    add constraint ingest_domain_provider_account_fkey
        foreign key (provider_account_id) references provider_account (account_id);
