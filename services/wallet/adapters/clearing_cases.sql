-- What is not booked as it came is a case: of the record in this line of this file. `variant` is null for what the card did
-- not sign. `ruling` is what people have decided: 1 book, 2 reject, 3 issuer. A case that closes without one has closed
-- itself, for what contradicted it was thrown out, or the city has come to know its terminal or card.
create table {schema}.tap_case (
    file      integer     not null,
    line      integer     not null,
    card      bigint      not null,
    counter   integer     not null,
    variant   smallint,
    opened_at timestamptz not null,
    closed_at timestamptz,
    ruling    smallint,
    ruled_at  timestamptz,
    primary key (file, line)
);
create index tap_case_open on {schema}.tap_case (file, line) where closed_at is null;
alter table {schema}.tap add column ruling smallint;
create index tap_to_judge_again on {schema}.tap (card, counter) where plain in (6, 7, 11, 12, 13) and ruling is null;

insert into {schema}.tap_case (file, line, card, counter, variant, opened_at)
select t.file, t.line, t.card, t.counter, t.variant, f.received_at
from {schema}.tap t join {schema}.tap_file f on f.id = t.file where t.standing not in (1, 6, 7)
union all
select b.file, b.line, b.card, b.counter, null, f.received_at
from {schema}.tap_bad b join {schema}.tap_file f on f.id = b.file;

-- The hotlist (黑名单), as a list of its changes: each version says of one card from when its purse is not to be taken any
-- more, or that it may be taken again (`from_at` is null). `ended`: not reported, but out of use for good.
create table {schema}.hotlist (
    version bigint      primary key,
    card_id text        not null,
    from_at timestamptz,
    ended   boolean     not null default false
);
create index hotlist_of_card on {schema}.hotlist (card_id, version);
create index tap_chip_of_card on {schema}.tap_chip (card_id);
-- Cards that were replaced or cancelled: they stay on the hotlist for good.
create table {schema}.tap_ended (
    card_id text        primary key,
    at      timestamptz not null
);
insert into {schema}.hotlist (version, card_id, from_at)
select row_number() over (order by from_at, card_id), card_id, from_at from {schema}.tap_stop;

create function {schema}.list_hot() returns trigger language plpgsql as $$
declare
    card_ text;
    from_ timestamptz;
    ended_ boolean := false;
begin
    if tg_table_name = 'tap_ended' then
        card_ := new.card_id; from_ := new.at; ended_ := true;
    elsif tg_op = 'DELETE' then
        card_ := old.card_id;
        select at, true into from_, ended_ from {schema}.tap_ended where card_id = card_;
        ended_ := coalesce(ended_, false);
    else
        card_ := new.card_id; from_ := new.from_at;
    end if;
    perform pg_advisory_xact_lock({lock_class}, 1002);  -- One version after the other, and each is seen before the next.
    insert into {schema}.hotlist (version, card_id, from_at, ended)
    select coalesce(max(version), 0) + 1, card_, from_, ended_ from {schema}.hotlist;
    return null;
end $$;
create trigger stopped after insert or delete on {schema}.tap_stop for each row execute function {schema}.list_hot();
create trigger stopped_otherwise after update on {schema}.tap_stop for each row
when (old.from_at is distinct from new.from_at) execute function {schema}.list_hot();
create trigger ended after insert on {schema}.tap_ended for each row execute function {schema}.list_hot();

-- From `received_at` on, a terminal had this version of the hotlist.
drop table {schema}.tap_receipt;
create table {schema}.tap_receipt (
    terminal    bigint      not null,
    received_at timestamptz not null,
    version     bigint      not null,
    primary key (terminal, received_at)
);
