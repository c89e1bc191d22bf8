-- Files of others, and what both sides have said of each movement. `{schema}` is the wallet's PostgreSQL schema.

create table {schema}.statement_file (
    id          integer     generated always as identity primary key,
    city        text        not null,
    source      text        not null,
    sender      text        not null,
    number      integer     not null,
    day         date        not null,
    sha256      text        not null,
    lines       integer     not null,
    total_fen   bigint      not null,
    received_at timestamptz not null,
    taken_on    date,  -- The day with which it was reconciled.
    unique (city, source, sender, number)
);
create table {schema}.statement_line (
    file      integer not null,
    nth       integer not null,
    reference text    not null,
    fen       bigint  not null,
    day       date    not null,
    posted    date    not null,
    primary key (file, nth)
);

-- Up to where in each shard of the journal an account's postings have been reconciled, and what was taken on which day.
create table {schema}.statement_mark (
    account  text     not null,
    shard    smallint not null,
    position bigint   not null,
    primary key (account, shard)
);
create table {schema}.statement_ours (
    account   text   not null,
    taken_on  date   not null,
    reference text   not null,
    fen       bigint not null,
    day       date   not null,
    primary key (account, taken_on, reference)
);

-- All that both sides have said of one movement. Written by the day's reconciliation alone.
create table {schema}.statement_item (
    city          text    not null,
    source        text    not null,
    sender        text    not null,
    reference     text    not null,
    since         date    not null,
    ours_fen      bigint  not null default 0,
    ours_lines    integer not null default 0,
    theirs_fen    bigint  not null default 0,
    theirs_lines  integer not null default 0,
    parked_fen    bigint  not null default 0,
    difference_id text    not null default '',
    suspended_fen bigint  not null default 0,
    worked_off_fen bigint not null default 0,
    why           text    not null default '',
    primary key (city, source, sender, reference)
);
create index statement_item_open on {schema}.statement_item (city, source, sender, reference)
    where ours_fen <> theirs_fen or suspended_fen <> 0 or worked_off_fen <> 0;
create index statement_item_suspended on {schema}.statement_item (city, since, difference_id)
    where suspended_fen <> 0 or worked_off_fen <> 0;
create unique index statement_item_difference on {schema}.statement_item (difference_id) where difference_id <> '';

create table {schema}.statement_party (
    city       text   not null,
    source     text   not null,
    sender     text   not null,
    ours_fen   bigint not null default 0,
    theirs_fen bigint not null default 0,
    covered    date,  -- The last day for which a file has come.
    primary key (city, source, sender)
);

-- Days: `taken_at` when both sides' new lines were taken together, `done_at` when each of them had been judged.
create table {schema}.statement_run (
    city     text        not null,
    day      date        not null,
    taken_at timestamptz not null,
    done_at  timestamptz,
    primary key (city, day)
);
