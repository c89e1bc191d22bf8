-- The event store of one service. `{schema}` is its PostgreSQL schema, `{lock_class}` the first half of its advisory locks.
-- Core PostgreSQL 15 only: no extensions.

-- The log: gap-free positions per shard, gap-free versions per stream. Rows are never changed.
create table {schema}.fact (
    shard        smallint    not null,
    position     bigint      not null,
    stream       text        not null,
    version      integer     not null,
    name         text        not null,
    data         text        not null,
    meta         text        not null,
    effective_at timestamptz not null,
    recorded_at  timestamptz not null,
    primary key (shard, position),
    unique (stream, version)
);

-- What was published, kept for ever, so that the card-lifecycle log can be rebuilt from here.
create table {schema}.outbox (
    shard        smallint    not null,
    sequence     bigint      not null,
    stream       text        not null,
    version      integer     not null,
    type         text        not null,
    key          text        not null,
    data         text        not null,
    effective_at timestamptz not null,
    meta         text        not null,
    primary key (shard, sequence)
);

-- Every command that was ever done: the answer to "did it happen?", and the inbox of all reactions.
create table {schema}.command (
    id          uuid        primary key,
    stream      text        not null,
    version     integer     not null,
    fingerprint bytea       not null,
    refusal     text        not null,
    recorded_at timestamptz not null
);

-- Commands whose hour is set. A row goes when its command has been handled; the command's id stays known above.
create table {schema}.due (
    id       uuid        primary key,
    at       timestamptz not null,
    name     text        not null,
    data     text        not null,
    stream   text        not null,
    trace    text        not null,
    attempts integer     not null default 0,
    error    text        not null default '',
    parked   boolean     not null default false
);
create index on {schema}.due (at) where not parked;

-- How far the relay has carried each shard of the outbox to the log.
create table {schema}.relayed (
    shard    smallint primary key,
    sequence bigint   not null default 0
);
insert into {schema}.relayed (shard) select generate_series(0, 63);

-- Many commands at once, each judged alone: 'appended', 'replayed' or 'conflict'.
--
-- The shards are locked, in ascending order, by a statement of their own: the next statement's snapshot is therefore
-- younger than everything that an earlier holder of the lock has committed, and position = max + 1 can neither collide
-- nor be overtaken. That is why no reader of the log ever skips a late commit.
create function {schema}.append_all(
    c_id uuid[], c_stream text[], c_shard smallint[], c_key text[], c_expected integer[], c_fingerprint bytea[],
    c_refusal text[], c_at timestamptz[], c_meta text[], c_trace text[],
    f_command integer[], f_nth integer[], f_name text[], f_data text[],
    m_command integer[], m_nth integer[], m_type text[], m_data text[],
    d_command integer[], d_id uuid[], d_at timestamptz[], d_name text[], d_data text[],
    now_ timestamptz
) returns table (
    nth integer, outcome text, version integer, stream text, fingerprint bytea, refusal text
) language plpgsql volatile as $$
#variable_conflict use_column
declare
    one smallint;
begin
    for one in select distinct s from unnest(c_shard) as s order by s loop
        perform pg_advisory_xact_lock({lock_class}, one);
    end loop;

    return query
    with asked as (
        select u.nth::integer as nth, u.id, u.stream, u.shard, u.key, u.expected, u.fingerprint, u.refusal,
               u.at, u.meta, u.trace
        from unnest(c_id, c_stream, c_shard, c_key, c_expected, c_fingerprint, c_refusal, c_at, c_meta, c_trace)
             with ordinality as u(id, stream, shard, key, expected, fingerprint, refusal, at, meta, trace, nth)
    ), judged as (
        select a.*, done.id is not null as replayed, done.version as done_version, done.stream as done_stream,
               done.fingerprint as done_fingerprint, done.refusal as done_refusal,
               coalesce((select f.version from {schema}.fact f where f.stream = a.stream
                         order by f.version desc limit 1), 0) as actual
        from asked a
        left join lateral (select * from {schema}.command c where c.id = a.id limit 1) done on true  -- Never a hash join:
        -- planned while the table was still empty, it would read the whole of it for each batch.
    ), good as (
        select * from judged where not replayed and expected = actual
    ), ends as (
        select s.shard,
               coalesce((select f.position from {schema}.fact f where f.shard = s.shard
                         order by f.position desc limit 1), 0) as position,
               coalesce((select o.sequence from {schema}.outbox o where o.shard = s.shard
                         order by o.sequence desc limit 1), 0) as sequence
        from (select distinct shard from good) s
    ), facts as (
        insert into {schema}.fact
            (shard, position, stream, version, name, data, meta, effective_at, recorded_at)
        select g.shard, e.position + row_number() over (partition by g.shard order by g.nth, u.nth), g.stream,
               g.expected + u.nth + 1, u.name, u.data, g.meta, g.at, now_
        from unnest(f_command, f_nth, f_name, f_data) as u(command, nth, name, data)
        join good g on g.nth = u.command join ends e on e.shard = g.shard
    ), messages as (
        insert into {schema}.outbox (shard, sequence, stream, version, type, key, data, effective_at, meta)
        select g.shard, e.sequence + row_number() over (partition by g.shard order by g.nth, u.nth), g.stream,
               g.expected + u.nth + 1, u.type, g.key, u.data, g.at, g.meta
        from unnest(m_command, m_nth, m_type, m_data) as u(command, nth, type, data)
        join good g on g.nth = u.command join ends e on e.shard = g.shard
    ), dues as (
        insert into {schema}.due (id, at, name, data, stream, trace)
        select u.id, u.at, u.name, u.data, g.stream, g.trace
        from unnest(d_command, d_id, d_at, d_name, d_data) as u(command, id, at, name, data)
        join good g on g.nth = u.command
    ), commands as (
        insert into {schema}.command (id, stream, version, fingerprint, refusal, recorded_at)
        select g.id, g.stream, g.expected + (select count(*)::integer from unnest(f_command) c where c = g.nth),
               g.fingerprint, g.refusal, now_
        from good g
        returning id, version
    )
    select j.nth,
           case when j.replayed then 'replayed' when k.id is not null then 'appended' else 'conflict' end,
           coalesce(j.done_version, k.version, j.actual),
           coalesce(j.done_stream, j.stream), coalesce(j.done_fingerprint, ''::bytea), coalesce(j.done_refusal, '')
    from judged j left join commands k on k.id = j.id;
end $$;
