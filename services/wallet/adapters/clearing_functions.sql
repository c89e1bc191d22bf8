-- Taps by the million. What this does is said, record by record, in services/wallet/domain/taps/clearing.py; a test lets
-- both clear the same taps, ruled on in the same way, and compares. `{schema}` is the wallet's PostgreSQL schema,
-- `{lock_class}` the first half of its advisory locks. Run again by every migration that changes it.

-- Whether a terminal had, at that moment, a hotlist on which this card was reported.
create or replace function {schema}.had_hotlist(terminal_ bigint, at_ timestamptz, card_ text) returns boolean
language sql stable as $$
    select exists (
        select from {schema}.tap_receipt r
        where r.terminal = terminal_ and r.received_at <= at_
          and r.version >= (select max(h.version) from {schema}.hotlist h
                            where h.card_id = card_ and h.from_at is not null and not h.ended)
    )
$$;

-- Judges all taps of the cards in `tap_doubtful` among one another, adds what thereby moves to `tap_moved`, and opens and
-- closes cases. Those that came with `file_` behind line `first_` were not booked before. What people have ruled on (1
-- book, 2 reject, 3 issuer) moves no more; what they have thrown out contradicts nobody.
create or replace function {schema}.judge_doubtful(
    file_ integer, first_ integer, tolerance_ interval, now_ timestamptz
) returns void language plpgsql volatile
set random_page_cost = 1.0 set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB' as $$
begin
    create temp table tap_judged on commit drop as
    select t.card, t.counter, t.variant, t.file, t.line, t.fen, t.terminal, t.ruling, t.standing as stood,
        case when t.file = file_ and t.line > first_ then 4::smallint else t.standing end as was, case
        when t.ruling = 2 then t.plain
        when exists (select from {schema}.tap o where o.card = t.card and o.counter = t.counter
                     and o.variant <> t.variant and o.ruling is distinct from 2) then 4
        when exists (select from {schema}.tap o where o.terminal = t.terminal and o.sequence = t.sequence
                     and o.terminal_variant <> t.terminal_variant and o.ruling is distinct from 2) then 4
        when t.plain <> 9 and exists (select from {schema}.tap o where o.card = t.card and o.counter > t.counter
                                      and o.at + tolerance_ < t.at and o.plain <> 9
                                      and o.ruling is distinct from 2) then 4
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
    where j.standing <> j.was and j.ruling is null;

    insert into {schema}.tap_case as c (file, line, card, counter, variant, opened_at)
    select file, line, card, counter, variant, now_ from tap_judged where ruling is null and standing not in (1, 6, 7)
    on conflict (file, line) do update set closed_at = null where c.closed_at is not null;
    update {schema}.tap_case c set closed_at = now_ from tap_judged j
    where c.file = j.file and c.line = j.line and j.ruling is null and j.standing in (1, 6, 7) and c.closed_at is null;
end $$;

-- Carries out what people have ruled on a record: what its class had booked is taken back, what they have decided is
-- booked, and if it is thrown out the others are judged as if it had never come. A record is ruled on once; answers
-- whether this was it.
create or replace function {schema}.rule_on_tap(
    file_ integer, line_ integer, ruling_ smallint, reference_ text, now_ timestamptz, tolerance_ interval,
    before_ text, after_ text, suspense_ text, issuer_ text
) returns boolean language plpgsql volatile as $$
declare
    found_ {schema}.tap_case;
    tap_   {schema}.tap;
    bad_   {schema}.tap_bad;
begin
    select * into found_ from {schema}.tap_case where file = file_ and line = line_;
    if found_.file is null or found_.ruling is not null then
        return false;
    end if;
    create temp table tap_moved (account text, merchant text, standing smallint, fen bigint) on commit drop;
    create temp table tap_doubtful (card bigint) on commit drop;
    update {schema}.tap_case set ruling = ruling_, ruled_at = now_, closed_at = now_ where file = file_ and line = line_;
    if found_.variant is null then
        -- A forged record that was sent again is the same record: it is paid once, and ruled on once.
        select * into bad_ from {schema}.tap_bad where file = file_ and line = line_;
        if ruling_ = 3 and not exists (
            select from {schema}.tap_bad b join {schema}.tap_case c on c.file = b.file and c.line = b.line
            where c.ruling is not null and (b.file, b.line) <> (file_, line_)
              and (b.card, b.counter, b.terminal, b.sequence, b.fen, b.at)
                = (bad_.card, bad_.counter, bad_.terminal, bad_.sequence, bad_.fen, bad_.at)
        ) then
            insert into tap_moved select null, m.city || '/' || m.merchant, 14, bad_.fen
            from {schema}.tap_terminal m where m.terminal = bad_.terminal;
        end if;
    else
        select * into tap_ from {schema}.tap
        where card = found_.card and counter = found_.counter and variant = found_.variant;
        update {schema}.tap set ruling = ruling_
        where card = found_.card and counter = found_.counter and variant = found_.variant;
        insert into tap_moved
        select 'purse:' || c.card_id, m.city || '/' || m.merchant, side.standing, side.sign * tap_.fen
        from (values (tap_.standing, -1), ((array[1, null, 14])[ruling_]::smallint, 1)) as side(standing, sign)
        left join {schema}.tap_chip c on c.number = tap_.card
        left join {schema}.tap_terminal m on m.terminal = tap_.terminal;
        if ruling_ = 2 then
            insert into tap_doubtful
            select tap_.card union
            select o.card from {schema}.tap o where o.terminal = tap_.terminal and o.sequence = tap_.sequence;
            perform {schema}.judge_doubtful(null, null, tolerance_, now_);
        end if;
    end if;
    perform {schema}.book_taps(reference_, now_, before_, after_, suspense_, issuer_);
    return true;
end $$;

-- Judges taps again of which the city may know more than when they came: parked because terminal or card was not known
-- or the terminal had been retired, or after a report of loss. Answers what they were and are, and how many there are.
create or replace function {schema}.judge_again(
    city_ text, most_ integer, reference_ text, now_ timestamptz, tolerance_ interval, stale_ interval,
    before_ text, after_ text, suspense_ text, issuer_ text,
    c_service text[], c_from timestamptz[], c_until timestamptz[], c_fen integer[]
) returns table (was smallint, class smallint, records bigint, fen bigint) language plpgsql volatile as $$
#variable_conflict use_column
begin
    create temp table tap_moved (account text, merchant text, standing smallint, fen bigint) on commit drop;
    create temp table tap_again on commit drop as
    with ceiling as (
        select * from unnest(c_service, c_from, c_until, c_fen) as c(service, from_at, until_at, fen)
    ), looked_at as (
        select t.* from {schema}.tap t
        join {schema}.tap_file u on u.id = t.file and u.city = city_
        where t.plain in (6, 7, 11, 12, 13) and t.ruling is null order by t.card, t.counter limit most_
    )
    select f.card, f.counter, f.variant, f.fen, f.plain as was,
           case
               when t.terminal is null then 11
               when f.at >= t.retired_at then 12
               when o.holding_id is null then 13
               when f.plain not in (6, 7) and f.at < now_ - stale_ then 10
               when l.fen is null or f.fen > l.fen then 5
               when s.from_at is not null then
                   case when {schema}.had_hotlist(f.terminal, f.at, c.card_id) then 7 else 6 end
               else 1
           end::smallint as plain
    from looked_at f
    left join {schema}.tap_terminal t on t.terminal = f.terminal
    left join {schema}.tap_chip c on c.number = f.card
    left join {schema}.tap_opened o on o.holding_id = c.holding_id
    left join ceiling l on l.service = t.service and f.at >= l.from_at and f.at < l.until_at
    left join {schema}.tap_stop s on s.card_id = c.card_id and s.from_at <= f.at;
    update {schema}.tap t set plain = a.plain from tap_again a
    where t.card = a.card and t.counter = a.counter and t.variant = a.variant and a.plain <> a.was;
    create temp table tap_doubtful on commit drop as select distinct card from tap_again where plain <> was;
    perform {schema}.judge_doubtful(null, null, tolerance_, now_);
    perform {schema}.book_taps(reference_, now_, before_, after_, suspense_, issuer_);
    return query select a.was, a.plain, count(*), sum(a.fen)::bigint from tap_again a group by 1, 2 order by 1, 2;
end $$;

-- Clears what stands in the session's `tap_in` (see `Clearing` for its columns) and returns how the records ended.
-- `suspense_` and `issuer_` are the accounts for what is over the ceiling and for what the issuer bears.
create or replace function {schema}.clear_taps(
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
                   case when {schema}.had_hotlist(f.terminal, f.at, c.card_id) then 7 else 6 end
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
        perform {schema}.judge_doubtful(file_, first_, tolerance_, now_);
    end if;

    -- What is not booked as it came is a case.
    insert into {schema}.tap_case (file, line, card, counter, variant, opened_at)
    select file_, f.line, f.card, f.counter, 0, now_ from tap_fresh f
    where f.plain not in (1, 6, 7) and not exists (select from tap_doubtful d where d.card = f.card);
    insert into {schema}.tap_case (file, line, card, counter, variant, opened_at)
    select file_, i.line, i.card, i.counter, null, now_ from tap_in i where not i.genuine;

    perform {schema}.book_taps(format('taps/%s/%s', file_, first_), now_, before_, after_, suspense_, issuer_);

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

-- Writes what `tap_moved` says into the books: for each payee an entry of up to 500 payers, each with one sum. Beside the
-- classes there is 14: two people have charged it to the issuer.
create or replace function {schema}.book_taps(
    reference_ text, now_ timestamptz, before_ text, after_ text, suspense_ text, issuer_ text
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
        from (select *, case standing when 6 then before_ when 7 then after_ when 14 then 'issuer' else 'holder' end as bearer
              from tap_moved where standing in (1, 5, 6, 7, 14)) m
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
    select 64, e.position, format('%s/%s/%s', reference_, e.payee, e.part), 'taps',
           sha256(convert_to('taps' || chr(10) || l.legs, 'UTF8')),
           now_, now_, e.accounts, e.amounts, array_fill(0::bigint, array[cardinality(e.accounts)])
    from tap_entry e cross join lateral (
        select string_agg(account || ' ' || fen || ' 0', chr(10) order by leg) as legs
        from unnest(e.accounts, e.amounts) with ordinality as u(account, fen, leg)
    ) l;

    insert into {schema}.posting (account, shard, position, leg, amount_fen, held_fen, at, reference, kind, others)
    select u.account, 64, e.position, u.leg, u.fen, 0, now_, format('%s/%s/%s', reference_, e.payee, e.part), 'taps',
           case when u.account <> e.payee then array[e.payee] end
    from tap_entry e cross join lateral unnest(e.accounts, e.amounts) with ordinality as u(account, fen, leg)
    order by u.account;
end $$;
