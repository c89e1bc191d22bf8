-- The card-lifecycle log as a table: the embedded default behind the same protocol as Kafka.
create table {schema}.letter (
    topic     text        not null,
    partition smallint    not null,
    "offset"  bigint      not null,
    id        text        not null,
    source    text        not null,
    type      text        not null,
    subject   text        not null,
    version   integer     not null,
    time      timestamptz not null,
    key       text        not null,
    data      text        not null,
    meta      text        not null,
    primary key (topic, partition, "offset")
);

-- Like the store's append: locks first, in a statement of their own, so that no reader skips a late commit.
create function {schema}.publish(
    topic_ text, p_partition smallint[], p_id text[], p_source text[], p_type text[], p_subject text[],
    p_version integer[], p_time timestamptz[], p_key text[], p_data text[], p_meta text[]
) returns void language plpgsql volatile as $$
#variable_conflict use_column
declare
    one smallint;
begin
    for one in select distinct p from unnest(p_partition) as p order by p loop
        perform pg_advisory_xact_lock(hashtext(topic_), one);
    end loop;

    insert into {schema}.letter
    select topic_, m.partition, ends.next + row_number() over (partition by m.partition order by m.nth) - 1,
           m.id, m.source, m.type, m.subject, m.version, m.time, m.key, m.data, m.meta
    from unnest(p_partition, p_id, p_source, p_type, p_subject, p_version, p_time, p_key, p_data, p_meta)
         with ordinality as m(partition, id, source, type, subject, version, time, key, data, meta, nth)
    join (
        select s.partition, coalesce((select l."offset" + 1 from {schema}.letter l
                                      where l.topic = topic_ and l.partition = s.partition
                                      order by l."offset" desc limit 1), 0) as next
        from (select distinct unnest(p_partition) as partition) s
    ) ends on ends.partition = m.partition;
end $$;
