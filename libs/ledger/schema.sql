-- The books of one service, beside its event store. `{schema}` is its PostgreSQL schema, `{lock_class}` the first half
-- of its advisory locks. Core PostgreSQL 15 only: no extensions.

-- The journal: gap-free positions per shard. Rows are never changed.
create table {schema}.entry (
    shard        smallint    not null,
    position     bigint      not null,
    reference    text        not null,
    kind         text        not null,
    digest       bytea       not null,
    at           timestamptz not null,
    recorded_at  timestamptz not null,
    accounts     text[]      not null,
    amounts_fen  bigint[]    not null,
    held_fen     bigint[]    not null,
    primary key (shard, position),
    constraint entry_reference unique (reference)
);

-- The same legs by account, for statements: within a shard in the order of time, each with all that its line says, so
-- that a page is read from neighbouring places of one index, however large the books are. `others` are the accounts on
-- the entry's other legs; null where they are many, and only the journal tells. Lines that no vacuum has seen yet are
-- looked up in the table as well, a place for each: so vacuum comes after each hundredth of new lines, not each fifth.
create table {schema}.posting (
    account    text        not null,
    shard      smallint    not null,
    position   bigint      not null,
    leg        smallint    not null,
    amount_fen bigint      not null,
    held_fen   bigint      not null,
    at         timestamptz not null,
    reference  text        not null,
    kind       text        not null,
    others     text[],
    primary key (account, shard, position, leg) include (amount_fen, held_fen, at, reference, kind, others)
) with (autovacuum_vacuum_insert_scale_factor = 0.01);

-- Guarded accounts, which are locked and checked. Balance and hold are a cache of the journal, re-folded by the auditor.
create table {schema}.account (
    id            text        primary key,
    balance_fen   bigint      not null default 0,
    held_fen      bigint      not null default 0,
    bearer        text        not null,
    open_until    timestamptz,
    stopped_from  timestamptz,
    stopped_until timestamptz
) with (fillfactor = 60);

-- All other accounts are only ever added to, so that ten thousand payers of one merchant never wait for one row. What
-- they hold is `folded`, up to the position in `fold_mark`, and the postings above it.
create table {schema}.folded (
    account     text   primary key,
    balance_fen bigint not null,
    held_fen    bigint not null
);
create table {schema}.fold_mark (
    shard    smallint primary key,
    position bigint   not null default 0
);
insert into {schema}.fold_mark (shard) select generate_series(0, 63);
