-- Taps by the million. What this does is said, record by record, in services/wallet/domain/taps/clearing.py; a test lets
-- both clear the same taps and compares. `{schema}` is the wallet's PostgreSQL schema, `{lock_class}` the first half of
-- its advisory locks.

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

-- From `received_at` on, a terminal had the hotlist as it stood at `as_of`.
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

-- Clears what stands in the session's `tap_in` (see `Clearing` for its columns) and returns how the records ended.
-- `suspense_` and `issuer_` are the accounts for what is over the ceiling and for what the issuer bears.
create function {schema}.clear_taps(
    file_ integer, first_ integer, now_ timestamptz, tolerance_ interval, ahead_ interval, stale_ interval,
    before_ text, after_ text, suspense_ text, issuer_ text,
    c_service text[], c_from timestamptz[], c_until timestamptz[], c_fen integer[]
) returns table (class smallint, records bigint, fen bigint) language plpgsql volatile
set random_page_cost = 1.0 set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB' as $$
#variable_conflict use_column
declare
    put bigint;
begin
    -- Most taps contradict nothing: they go in under both natural keys, and whatever does not is looked at below.
    create temp table tap_fresh on commit drop as
    with ceiling as (
        select * from unnest(c_service, c_from, c_until, c_fen) as c(service, from_at, until_at, fen)
    )
    select f.*, 'purse:' || c.card_id as account, t.city || '/' || t.merchant as merchant,
           lag(f.counter) over of_card as before_counter, lag(f.at) over of_card as before_at,
           case
               when f.at > now_ + ahead_ then 9
               when t.terminal is null then 11
               when f.at >= t.retired_at then 12
               when o.holding_id is null then 13
               when f.at < now_ - stale_ then 10
               when l.fen is null or f.fen > l.fen then 5
               when s.from_at is not null then
                   case when exists (select from {schema}.tap_receipt r where r.terminal = f.terminal
                                     and r.as_of >= s.from_at and r.received_at <= f.at) then 7 else 6 end
               else 1
           end::smallint as plain
    from tap_in f
    left join {schema}.tap_terminal t on t.terminal = f.terminal
    left join {schema}.tap_chip c on c.number = f.card
    left join {schema}.tap_opened o on o.holding_id = c.holding_id
    left join ceiling l on l.service = t.service and f.at >= l.from_at and f.at < l.until_at
    left join {schema}.tap_stop s on s.card_id = c.card_id and s.from_at <= f.at
    where f.genuine
    window of_card as (partition by f.card order by f.counter, f.line);

    insert into {schema}.tap (card, terminal, at, counter, sequence, fen, balance_fen, tac, file, line, kind, plain,
                              standing, variant, terminal_variant)
    select card, terminal, at, counter, sequence, fen, balance_fen, tac, file_, line, kind, plain, plain, 0, 0
    from tap_fresh on conflict do nothing;
    get diagnostics put = row_count;

    -- What did not go in is known already, or contradicts something: the same key with another content.
    create temp table tap_beside (line integer, card bigint) on commit drop;
    if put < (select count(*) from tap_fresh) then
        with out_ as (
            select distinct on (f.card, f.counter, f.terminal, f.sequence, f.fen, f.balance_fen, f.kind, f.at, f.tac) f.*
            from tap_fresh f
            where not exists (
                select from {schema}.tap t where t.card = f.card and t.counter = f.counter
                and (t.terminal, t.sequence, t.fen, t.balance_fen, t.kind, t.at, t.tac)
                    = (f.terminal, f.sequence, f.fen, f.balance_fen, f.kind, f.at, f.tac))
            order by f.card, f.counter, f.terminal, f.sequence, f.fen, f.balance_fen, f.kind, f.at, f.tac, f.line
        ), beside as (
            insert into {schema}.tap (card, terminal, at, counter, sequence, fen, balance_fen, tac, file, line, kind,
                                      plain, standing, variant, terminal_variant)
            select o.card, o.terminal, o.at, o.counter, o.sequence, o.fen, o.balance_fen, o.tac, file_, o.line, o.kind,
                   o.plain, o.plain,
                   (select count(*) from {schema}.tap t where t.card = o.card and t.counter = o.counter)
                       + row_number() over (partition by o.card, o.counter order by o.line) - 1,
                   (select count(*) from {schema}.tap t where t.terminal = o.terminal and t.sequence = o.sequence)
                       + row_number() over (partition by o.terminal, o.sequence order by o.line) - 1
            from out_ o returning line, card
        )
        insert into tap_beside select line, card from beside;
        delete from tap_fresh f where not exists (
            select from {schema}.tap t where t.card = f.card and t.counter = f.counter and t.file = file_
            and t.line = f.line);
    end if;

    -- Cards with a contradiction, or with something that could hide one. On all others the counters rise with the hours.
    create temp table tap_doubtful on commit drop as
    with last as (
        select c.card, l.counter, l.at from (select distinct card from tap_fresh) c
        cross join lateral (
            select t.counter, t.at from {schema}.tap t
            where t.card = c.card and not (t.file = file_ and t.line > first_)
            order by t.counter desc limit 1
        ) l
    ), neighbours as (
        select f.at, f.card, b.before_at, a.after_at
        from tap_fresh f join last on last.card = f.card and f.counter < last.counter
        left join lateral (
            select t.at as before_at from {schema}.tap t
            where t.card = f.card and t.counter < f.counter and not (t.file = file_ and t.line > first_)
            order by t.counter desc limit 1
        ) b on true
        left join lateral (
            select t.at as after_at from {schema}.tap t
            where t.card = f.card and t.counter > f.counter and not (t.file = file_ and t.line > first_)
            order by t.counter limit 1
        ) a on true
    )
    select u.card from {schema}.tap_unclean u where u.card in (select f.card from tap_fresh f)
    union
    select b.card from tap_beside b
    union
    select t.card from tap_beside b join tap_fresh f on f.line = b.line
    join {schema}.tap t on t.terminal = f.terminal and t.sequence = f.sequence
    union
    select f.card from tap_fresh f where f.plain = 9 or f.at < f.before_at
    union
    select f.card from tap_fresh f join last on last.card = f.card and f.counter > last.counter and f.at < last.at
    union
    select n.card from neighbours n where n.at < n.before_at or n.at > n.after_at;

    create temp table tap_moved on commit drop as
    select f.account, f.merchant, f.plain as standing, f.fen::bigint as fen
    from tap_fresh f where not exists (select from tap_doubtful d where d.card = f.card);

    -- A doubtful card's taps are judged again, all of them; those that have just come were not booked before.
    if exists (select from tap_doubtful) then
        insert into {schema}.tap_unclean select card from tap_doubtful on conflict do nothing;
        create temp table tap_judged on commit drop as
        select t.card, t.counter, t.variant, t.fen, t.terminal, t.standing as stood,
            case when t.file = file_ and t.line > first_ then 4::smallint else t.standing end as was, case
            when exists (select from {schema}.tap o where o.card = t.card and o.counter = t.counter
                         and o.variant <> t.variant) then 4
            when exists (select from {schema}.tap o where o.terminal = t.terminal and o.sequence = t.sequence
                         and o.terminal_variant <> t.terminal_variant) then 4
            when t.plain <> 9 and exists (select from {schema}.tap o where o.card = t.card and o.counter > t.counter
                                          and o.at + tolerance_ < t.at and o.plain <> 9) then 4
            else t.plain end::smallint as standing
        from {schema}.tap t join tap_doubtful d on d.card = t.card;
        update {schema}.tap t set standing = j.standing from tap_judged j
        where t.card = j.card and t.counter = j.counter and t.variant = j.variant and j.standing <> j.stood;
        insert into tap_moved
        select 'purse:' || c.card_id, m.city || '/' || m.merchant, side.standing, side.sign * j.fen
        from tap_judged j
        cross join lateral (values (j.standing, 1), (j.was, -1)) as side(standing, sign)
        left join {schema}.tap_chip c on c.number = j.card
        left join {schema}.tap_terminal m on m.terminal = j.terminal
        where j.standing <> j.was;
    end if;

    perform {schema}.book_taps(file_, first_, now_, before_, after_, suspense_, issuer_);

    insert into {schema}.tap_bad
    select file_, line, card, counter, terminal, sequence, fen, at from tap_in where not genuine;

    return query
    with told as (
        select f.card, f.counter, f.before_counter, f.fen, case when d.card is null then f.plain else (
            select t.standing from {schema}.tap t
            where t.card = f.card and t.counter = f.counter and t.file = file_ and t.line = f.line) end as standing
        from tap_fresh f left join tap_doubtful d on d.card = f.card
    ), classed as (
        select case when standing = 1 and counter > 1 and before_counter is distinct from counter - 1
                         and not exists (select from {schema}.tap p where p.card = t.card and p.counter = t.counter - 1)
                    then 2::smallint else standing end as class, fen
        from told t
        union all
        select 8::smallint, i.fen from tap_in i where not i.genuine
    ), counted as (
        select class, count(*) as records, sum(fen)::bigint as fen from classed group by class
    ), doubles as (
        select 3::smallint as class, a.records - coalesce(sum(c.records), 0)::bigint as records,
               a.fen - coalesce(sum(c.fen), 0)::bigint as fen
        from (select count(*) as records, coalesce(sum(i.fen), 0)::bigint as fen from tap_in i) a
        left join counted c on true group by a.records, a.fen
    ), ended as (
        select * from counted union all select * from doubles where records > 0
    ), kept as (
        insert into {schema}.tap_file_class as k (file, class, records, fen)
        select file_, class, records, fen from ended
        on conflict (file, class) do update set records = k.records + excluded.records, fen = k.fen + excluded.fen
    )
    select * from ended order by class;
end $$;

-- Writes what `tap_moved` says into the books: for each payee an entry of up to 500 payers, each with one sum.
create function {schema}.book_taps(
    file_ integer, first_ integer, now_ timestamptz, before_ text, after_ text, suspense_ text, issuer_ text
) returns void language plpgsql volatile
set random_page_cost = 1.0 set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB' as $$
#variable_conflict use_column
declare
    last bigint;
begin
    create temp table tap_leg on commit drop as
    with paid as (
        select case when bearer = 'issuer' then issuer_ else account end as payer,
               case when standing = 5 then suspense_ else 'merchant:' || merchant end as payee, fen
        from (select *, case standing when 6 then before_ when 7 then after_ else 'holder' end as bearer
              from tap_moved where standing in (1, 5, 6, 7)) m
        where bearer <> 'merchant'
    ), summed as (
        select payee, payer, sum(fen)::bigint as fen from paid group by payee, payer having sum(fen) <> 0
    )
    select payee, payer, fen, ((row_number() over (partition by payee order by payer)) - 1) / 500 as part
    from summed;

    -- Guarded accounts, in the order of ids like everybody: the next statement sees what an earlier holder has committed.
    create temp table tap_guarded on commit drop as
    select a.id, m.fen from (
        select account, sum(fen)::bigint as fen from (
            select payer as account, -fen as fen from tap_leg union all select payee, fen from tap_leg) l
        group by account
    ) m join {schema}.account a on a.id = m.account;
    if exists (select from tap_guarded) then
        perform from {schema}.account a where a.id in (select id from tap_guarded) order by a.id for no key update;
        update {schema}.account a set balance_fen = a.balance_fen + g.fen from tap_guarded g where a.id = g.id;
    end if;

    select coalesce(max(position), 0) into last from (
        select position from {schema}.entry where shard = 64 order by position desc limit 1) e;

    create temp table tap_entry on commit drop as
    select payee, part, last + row_number() over (order by payee, part) as position,
           array_agg(account order by payee_leg, account) as accounts,
           array_agg(fen order by payee_leg, account) as amounts
    from (
        select payee, part, payer as account, -fen as fen, false as payee_leg from tap_leg
        union all
        select payee, part, payee, sum(fen)::bigint, true from tap_leg group by payee, part
    ) l group by payee, part;

    insert into {schema}.entry
        (shard, position, reference, kind, digest, at, recorded_at, accounts, amounts_fen, held_fen)
    select 64, e.position, format('taps/%s/%s/%s/%s', file_, first_, e.payee, e.part), 'taps',
           sha256(convert_to('taps' || chr(10) || l.legs, 'UTF8')),
           now_, now_, e.accounts, e.amounts, array_fill(0::bigint, array[cardinality(e.accounts)])
    from tap_entry e cross join lateral (
        select string_agg(account || ' ' || fen || ' 0', chr(10) order by leg) as legs
        from unnest(e.accounts, e.amounts) with ordinality as u(account, fen, leg)
    ) l;

    insert into {schema}.posting (account, shard, position, leg, amount_fen, held_fen)
    select u.account, 64, e.position, u.leg, u.fen, 0
    from tap_entry e cross join lateral unnest(e.accounts, e.amounts) with ordinality as u(account, fen, leg)
    order by u.account;
end $$;
