-- The vault. `{schema}` is its PostgreSQL schema. Core PostgreSQL 15 only: no extensions.
--
-- PostgreSQL overwrites nothing at once: what an erasure removed lies in dead rows until they are vacuumed, hence the
-- eager settings, and in the WAL and in backups for as long as those are retained, hence their own, shorter retention.

-- The data key of each person, wrapped by the master key. A row without a key is a tombstone, and stays.
create table {schema}.data_key (
    person     text        primary key,
    wrapped    text,
    created_at timestamptz not null,
    erased_at  timestamptz,
    check ((wrapped is null) = (erased_at is not null))
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

-- Blind indexes: who holds a text, without the text.
create table {schema}.claim (
    kind   text  not null,
    digest bytea not null,
    person text  not null references {schema}.data_key,
    primary key (kind, digest)
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
create index on {schema}.claim (person);

-- Encrypted documents.
create table {schema}.document (
    person    text  not null references {schema}.data_key,
    reference text  not null,
    content   bytea not null,
    primary key (person, reference)
);
alter table {schema}.document alter column content set storage external;  -- Ciphertext does not compress.
