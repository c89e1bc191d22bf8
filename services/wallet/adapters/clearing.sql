-- Taps by the million: the tables of clearing. What is done with them stands in clearing_functions.sql, what became of
-- their cases in clearing_cases.sql. `{schema}` is the wallet's PostgreSQL schema.

-- Which card bears which number on its chip, and which holdings have had their wallet opened. Projections write these
-- three tables; only a card of an open wallet has a purse that can be charged.
create table {schema}.tap_chip (
    number     bigint primary key,
    card_id    text   not null,
    holding_id text   not null
);
create table {schema}.tap_opened (
    holding_id text primary key
);

-- Reports of loss that cover a card's purse. One that was lifted or has lapsed leaves its taps with the holder.
create table {schema}.tap_stop (
    card_id text        primary key,
    from_at timestamptz not null
);

create table {schema}.tap_terminal (
    terminal   bigint primary key,
    city       text   not null,
    merchant   text   not null,
    service    text   not null,
    retired_at timestamptz
);

-- From `received_at` on, a terminal had the hotlist as it stood at `as_of` (made anew in clearing_cases.sql).
create table {schema}.tap_receipt (
    terminal    bigint      not null,
    received_at timestamptz not null,
    as_of       timestamptz not null,
    primary key (terminal, received_at)
);

-- Uploads. `cleared` is how many records are done: it moves in the transaction that books them, so an upload that was
-- broken off goes on where it stood.
create table {schema}.tap_file (
    id          integer     generated always as identity primary key,
    city        text        not null,
    sender      text        not null,
    number      integer     not null,
    sha256      bytea       not null,
    records     integer     not null,
    total_fen   bigint      not null,
    received_at timestamptz not null,
    cleared     integer     not null default 0,
    done_at     timestamptz,
    unique (city, sender, number)
);
create table {schema}.tap_file_class (
    file    integer  not null,
    class   smallint not null,
    records integer  not null,
    fen     bigint   not null,
    primary key (file, class)
);

-- Every distinct genuine tap. `plain` is its class when no other contradicts it, `standing` its class among all others.
-- The first content that came with a natural key has variant 0 there; contradicting ones are kept beside it.
create table {schema}.tap (
    card             bigint      not null,
    terminal         bigint      not null,
    at               timestamptz not null,
    counter          integer     not null,
    sequence         integer     not null,
    fen              integer     not null,
    balance_fen      integer     not null,
    tac              integer     not null,
    file             integer     not null,
    line             integer     not null,
    kind             smallint    not null,
    plain            smallint    not null,
    standing         smallint    not null,
    variant          smallint    not null,
    terminal_variant smallint    not null,
    primary key (card, counter, variant),
    constraint tap_of_terminal unique (terminal, sequence, terminal_variant)
);

create index if not exists tap_at on {schema}.tap using brin (at);  -- Taps come roughly as they happened.

-- Records that the card did not sign, as they came.
create table {schema}.tap_bad (
    file     integer     not null,
    line     integer     not null,
    card     bigint      not null,
    counter  integer     not null,
    terminal bigint      not null,
    sequence integer     not null,
    fen      integer     not null,
    at       timestamptz not null,
    primary key (file, line)
);

-- Cards among whose taps something once did not agree: all their taps are judged again whenever one comes.
create table {schema}.tap_unclean (
    card bigint primary key
);

-- Counters that have not come yet. A gap closes when they come; nothing needs to be remembered for that.
create view {schema}.tap_gap as
select card, counter - missing as from_counter, counter - 1 as to_counter, at as seen_at, file
from (
    select card, counter, at, file,
           counter - 1 - coalesce(lag(counter) over (partition by card order by counter), 0) as missing
    from {schema}.tap where variant = 0
) t where missing > 0;

-- Batches are booked in a shard of the journal of their own, so that nobody who pays online waits for a million taps.
insert into {schema}.fold_mark (shard) values (64);
