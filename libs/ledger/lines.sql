-- Books of before, whose legs did not say what a statement's line says; of new ones, nothing is changed but an index
-- built again.
alter table {schema}.posting
    add column if not exists at timestamptz, add column if not exists reference text,
    add column if not exists kind text, add column if not exists others text[];
update {schema}.posting p set at = e.at, reference = e.reference, kind = e.kind,
    others = case when cardinality(e.accounts) <= 8 then e.accounts[:p.leg - 1] || e.accounts[p.leg + 1:] end
from {schema}.entry e where e.shard = p.shard and e.position = p.position and p.at is null;
alter table {schema}.posting
    alter column at set not null, alter column reference set not null, alter column kind set not null,
    drop constraint posting_pkey,
    add primary key (account, shard, position, leg) include (amount_fen, held_fen, at, reference, kind, others);
