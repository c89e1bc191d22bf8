-- What lies in the outbox of {store} above its marks goes to the end of {log}, up to $3 rows, and the marks with it.
-- $1 is the topic, $2 the service. Its partitions are locked by a statement before this one, so that the ends that are
-- seen here are the ends.
with rows as (
    select o.*, o.shard % {partitions} as partition
    from {store}.relayed r cross join lateral (
        select * from {store}.outbox o where o.shard = r.shard and o.sequence > r.sequence order by o.sequence limit $3
    ) o
    limit $3
), ends as materialized (  -- Once, and not for each row.
    select p as partition, coalesce(
        (select l."offset" + 1 from {log}.letter l where l.topic = $1 and l.partition = p order by l."offset" desc limit 1),
        (select e.next from {log}.emptied e where e.topic = $1 and e.partition = p),
        0
    ) as next
    from generate_series(0, {partitions} - 1) p
), sent as (
    insert into {log}.letter
    select $1, r.partition, e.next + row_number() over (partition by r.partition order by r.shard, r.sequence) - 1,
           $2 || '/' || r.shard || '/' || r.sequence, '/services/' || $2, r.type, r.stream, r.version, r.effective_at,
           r.key, r.data, r.meta
    from rows r join ends e on e.partition = r.partition
), reached as (
    select shard, max(sequence) as sequence, count(*) as rows from rows group by shard
), moved as (
    update {store}.relayed r set sequence = m.sequence from reached m where r.shard = m.shard returning m.rows
)
select coalesce(sum(rows), 0)::integer from moved, set_config('synchronous_commit', 'off', true)
