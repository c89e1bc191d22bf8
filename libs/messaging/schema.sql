-- The card-lifecycle log as a table: the embedded default behind the same protocol as Kafka.
create table if not exists {schema}.letter (
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

-- Where a topic that was emptied goes on: a place in what is gone is never a place in the middle of what comes.
create table if not exists {schema}.emptied (
    topic     text     not null,
    partition smallint not null,
    next      bigint   not null,
    primary key (topic, partition)
);
