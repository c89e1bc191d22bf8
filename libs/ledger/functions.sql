-- Books many commands at once, each judged alone, whole or not at all. Returns the commands that were declined.
--
-- The caller holds the shards' locks and names no guarded account in two commands of one call: then what is judged here
-- is what the commit will leave behind. `good` are the commands that may be booked; null says all.
--
-- An ask whose `in_use` is null is about an account without a row: it is judged by what was booked on it, under a lock
-- that only such asks take, in the order of its keys and after the rows.
--
-- Entries `e_…`, their legs `p_…`, and what each command asks of each guarded account `a_…` come in columns; a leg names
-- its entry. No statement joins one of them to another: the planner takes every column for ten rows long, and would
-- choose ways that grow with the square of a batch.
create or replace function {schema}.book_all(
    good integer[],
    e_command integer[], e_shard smallint[], e_at timestamptz[], e_reference text[], e_kind text[], e_digest bytea[],
    e_accounts text[], e_amounts text[], e_held text[],
    p_entry integer[], p_leg smallint[], p_account text[], p_amount bigint[], p_held bigint[],
    a_command integer[], a_at timestamptz[], a_account text[], a_amount bigint[], a_held bigint[],
    a_least bigint[], a_most bigint[], a_in_use boolean[], a_bearer text[],
    s_command integer[], s_account text[], s_bearer text[], s_open_until timestamptz[], s_from timestamptz[],
    s_until timestamptz[],
    now_ timestamptz
) returns table (command integer, why text, what text) language plpgsql volatile as $$
#variable_conflict use_column
declare
    no_command integer[];
    no_why text[];
    no_what text[];
    e_position bigint[];  -- Zero for what is not booked.
begin
    -- In a statement of its own, in the order of ids: the next statement sees what an earlier holder has committed.
    if cardinality(a_account) + cardinality(s_account) > 0 then
        perform from {schema}.account a where a.id = any(a_account || s_account) order by a.id for no key update;
        perform pg_advisory_xact_lock({lock_class}, folded.key) from (
            select distinct 10000 + abs(hashtext(u.account) % 1000000) as key
            from unnest(a_account, a_in_use) as u(account, in_use) where u.in_use is null order by key
        ) folded;
    end if;

    select coalesce(array_agg(no.command), '{}'), array_agg(no.why), array_agg(no.what)
    into no_command, no_why, no_what
    from (
        select distinct on (j.command) j.command, j.why, j.what
        from (
            select u.command, 0 as rank,
                   case when {guard:reference-reused}
                        then case when known.digest = u.digest then 'reference-known' else 'reference-reused' end
                   end as why, u.reference as what
            from unnest(e_command, e_reference, e_digest) as u(command, reference, digest)
            left join lateral (select x.reference, x.digest from {schema}.entry x where x.reference = u.reference
                               limit 1) known on true
            where good is null or u.command = any(good)
            union all
            select asks.command, 1, case
                   when kept.id is null then 'account-unknown'
                   when {guard:account-stopped} then 'account-stopped'
                   when {guard:other-bearer} then 'other-bearer'
                   when {guard:funds-short} then 'funds-short'
                   when {guard:above-cap} then 'above-cap'
                   when {guard:hold-short} then 'hold-short'
                   end, asks.account
            from unnest(a_command, a_at, a_account, a_amount, a_held, a_least, a_most, a_in_use, a_bearer)
                 as asks(command, at, account, amount_fen, held_fen, least_fen, most_fen, in_use, bearer)
            left join lateral (select * from {schema}.account k where k.id = asks.account limit 1) kept on true
            where (good is null or asks.command = any(good)) and asks.in_use is not null
            union all
            select asks.command, 1, case
                   when {guard:funds-short} then 'funds-short'
                   when {guard:above-cap} then 'above-cap'
                   end, asks.account
            from unnest(a_command, a_account, a_amount, a_held, a_least, a_most, a_in_use)
                 as asks(command, account, amount_fen, held_fen, least_fen, most_fen, in_use)
            cross join lateral (
                select coalesce((select f.balance_fen from {schema}.folded f where f.account = asks.account), 0)
                       + coalesce(sum(above.amount_fen), 0)::bigint as balance_fen,
                       coalesce((select f.held_fen from {schema}.folded f where f.account = asks.account), 0)
                       + coalesce(sum(above.held_fen), 0)::bigint as held_fen
                from {schema}.fold_mark m cross join lateral (
                    select sum(p.amount_fen) as amount_fen, sum(p.held_fen) as held_fen from {schema}.posting p
                    where p.account = asks.account and p.shard = m.shard and p.position > m.position
                ) above
            ) kept
            where (good is null or asks.command = any(good)) and asks.in_use is null
        ) j where j.why is not null
        order by j.command, j.rank, j.what
    ) no;

    select coalesce(array_agg(case when placed.booked then ends.position + placed.nth_in_shard else 0 end
                              order by placed.nth), '{}')
    into e_position
    from (
        select u.nth, u.shard, fits.booked, row_number() over (partition by u.shard, fits.booked order by u.nth)
               as nth_in_shard
        from unnest(e_command, e_shard) with ordinality as u(command, shard, nth)
        cross join lateral (
            select (good is null or u.command = any(good)) and u.command <> all(no_command) as booked
        ) fits
    ) placed
    cross join lateral (
        select coalesce((select x.position from {schema}.entry x where x.shard = placed.shard
                         order by x.position desc limit 1), 0) as position
    ) ends;

    insert into {schema}.entry
        (shard, position, reference, kind, digest, at, recorded_at, accounts, amounts_fen, held_fen)
    select u.shard, u.position, u.reference, u.kind, u.digest, u.at, now_, u.accounts::text[], u.amounts::bigint[],
           u.held::bigint[]
    from unnest(e_shard, e_position, e_reference, e_kind, e_digest, e_at, e_accounts, e_amounts, e_held)
         as u(shard, position, reference, kind, digest, at, accounts, amounts, held)
    where u.position > 0;

    insert into {schema}.posting (account, shard, position, leg, amount_fen, held_fen, at, reference, kind, others)
    select u.account, e_shard[u.entry], e_position[u.entry], u.leg, u.amount, u.held, e_at[u.entry],
           e_reference[u.entry], e_kind[u.entry],
           case when cardinality(legs.accounts) <= 8 then legs.accounts[:u.leg - 1] || legs.accounts[u.leg + 1:] end
    from unnest(p_entry, p_leg, p_account, p_amount, p_held) as u(entry, leg, account, amount, held)
    cross join lateral (select e_accounts[u.entry]::text[] as accounts) legs
    where e_position[u.entry] > 0;

    update {schema}.account a
    set balance_fen = a.balance_fen + u.amount, held_fen = a.held_fen + u.held
    from unnest(a_command, a_account, a_amount, a_held) as u(command, account, amount, held)
    where a.id = u.account and (good is null or u.command = any(good)) and u.command <> all(no_command);

    if cardinality(s_account) > 0 then
        insert into {schema}.account as a (id, bearer, open_until, stopped_from, stopped_until)
        select u.account, u.bearer, u.open_until, u.from_, u.until
        from unnest(s_command, s_account, s_bearer, s_open_until, s_from, s_until)
             as u(command, account, bearer, open_until, from_, until)
        where (good is null or u.command = any(good)) and u.command <> all(no_command)
        on conflict (id) do update set bearer = excluded.bearer, open_until = excluded.open_until,
            stopped_from = excluded.stopped_from, stopped_until = excluded.stopped_until;
    end if;
    return query select * from unnest(no_command, no_why, no_what);
end $$;

-- `append_all` with books: facts, outbox, due commands, command ids and entries in one transaction.
create or replace function {schema}.append_booked(
    c_id uuid[], c_stream text[], c_shard smallint[], c_key text[], c_expected integer[], c_fingerprint bytea[],
    c_refusal text[], c_at timestamptz[], c_meta text[], c_trace text[],
    f_command integer[], f_nth integer[], f_name text[], f_data text[],
    m_command integer[], m_nth integer[], m_type text[], m_data text[],
    d_command integer[], d_id uuid[], d_at timestamptz[], d_name text[], d_data text[],
    now_ timestamptz,
    e_command integer[], e_shard smallint[], e_at timestamptz[], e_reference text[], e_kind text[], e_digest bytea[],
    e_accounts text[], e_amounts text[], e_held text[],
    p_entry integer[], p_leg smallint[], p_account text[], p_amount bigint[], p_held bigint[],
    a_command integer[], a_at timestamptz[], a_account text[], a_amount bigint[], a_held bigint[],
    a_least bigint[], a_most bigint[], a_in_use boolean[], a_bearer text[],
    s_command integer[], s_account text[], s_bearer text[], s_open_until timestamptz[], s_from timestamptz[],
    s_until timestamptz[]
) returns table (
    nth integer, outcome text, version integer, stream text, fingerprint bytea, refusal text
) language plpgsql volatile as $$
#variable_conflict use_column
declare
    one smallint;
    good integer[];
    declined integer[];
    why text[];
    what text[];
begin
    for one in select distinct s from unnest(c_shard) as s order by s loop
        perform pg_advisory_xact_lock({lock_class}, one);
    end loop;

    select coalesce(array_agg(a.nth::integer), '{}') into good
    from unnest(c_id, c_stream, c_expected) with ordinality as a(id, stream, expected, nth)
    where not exists (select from {schema}.command c where c.id = a.id)
      and a.expected = coalesce((select f.version from {schema}.fact f where f.stream = a.stream
                                 order by f.version desc limit 1), 0);

    select coalesce(array_agg(b.command), '{}'), array_agg(b.why), array_agg(b.what) into declined, why, what
    from {schema}.book_all(good,
        e_command, e_shard, e_at, e_reference, e_kind, e_digest, e_accounts, e_amounts, e_held,
        p_entry, p_leg, p_account, p_amount, p_held,
        a_command, a_at, a_account, a_amount, a_held, a_least, a_most, a_in_use, a_bearer,
        s_command, s_account, s_bearer, s_open_until, s_from, s_until, now_) b;

    return query
    with done as (
        -- A declined command is sent on as one that was decided on a version that there never was: nothing of it stays.
        select * from {schema}.append_all(c_id, c_stream, c_shard, c_key,
            (select array_agg(case when u.nth = any(declined) then -1 else u.expected end order by u.nth)
             from unnest(c_expected) with ordinality as u(expected, nth)),
            c_fingerprint, c_refusal, c_at, c_meta, c_trace, f_command, f_nth, f_name, f_data,
            m_command, m_nth, m_type, m_data, d_command, d_id, d_at, d_name, d_data, now_)
    )
    select d.nth, case when no.command is null then d.outcome else 'declined' end, d.version,
           coalesce(no.what, d.stream), d.fingerprint, coalesce(no.why, d.refusal)
    from done d left join unnest(declined, why, what) as no(command, why, what) on no.command = d.nth;
end $$;

-- Entries without commands, many at once.
create or replace function {schema}.post_all(
    e_command integer[], e_shard smallint[], e_at timestamptz[], e_reference text[], e_kind text[], e_digest bytea[],
    e_accounts text[], e_amounts text[], e_held text[],
    p_entry integer[], p_leg smallint[], p_account text[], p_amount bigint[], p_held bigint[],
    a_command integer[], a_at timestamptz[], a_account text[], a_amount bigint[], a_held bigint[],
    a_least bigint[], a_most bigint[], a_in_use boolean[], a_bearer text[],
    now_ timestamptz
) returns table (command integer, why text, what text) language plpgsql volatile as $$
declare
    one smallint;
begin
    for one in select distinct s from unnest(e_shard) as s order by s loop
        perform pg_advisory_xact_lock({lock_class}, one);
    end loop;
    return query select * from {schema}.book_all(null,
        e_command, e_shard, e_at, e_reference, e_kind, e_digest, e_accounts, e_amounts, e_held,
        p_entry, p_leg, p_account, p_amount, p_held,
        a_command, a_at, a_account, a_amount, a_held, a_least, a_most, a_in_use, a_bearer,
        '{}', '{}', '{}', '{}', '{}', '{}', now_);
end $$;

-- Takes the next entries, up to `most` of each shard, into the folded balances; one folder at a time.
create or replace function {schema}.fold_next(most integer) returns bigint language plpgsql volatile as $$
declare
    taken bigint;
begin
    if not pg_try_advisory_xact_lock({lock_class}, 1000) then
        return 0;
    end if;
    with span as (
        select m.shard, m.position as after, (
            select max(x.position) from (
                select e.position from {schema}.entry e where e.shard = m.shard and e.position > m.position
                order by e.position limit most
            ) x
        ) as upto from {schema}.fold_mark m
    ), legs as (
        select l.account, l.amount_fen, l.held_fen
        from span s join {schema}.entry e on e.shard = s.shard and e.position > s.after and e.position <= s.upto
        cross join lateral unnest(e.accounts, e.amounts_fen, e.held_fen) as l(account, amount_fen, held_fen)
        where s.upto is not null
    ), folded as (
        insert into {schema}.folded as f (account, balance_fen, held_fen)
        select account, sum(amount_fen), sum(held_fen) from legs group by account
        on conflict (account) do update
        set balance_fen = f.balance_fen + excluded.balance_fen, held_fen = f.held_fen + excluded.held_fen
    ), moved as (
        update {schema}.fold_mark m set position = s.upto from span s where m.shard = s.shard and s.upto is not null
    )
    select coalesce(sum(upto - after), 0) into taken from span where upto is not null;
    return taken;
end $$;
