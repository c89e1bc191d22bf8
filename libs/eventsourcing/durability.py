"""Acknowledged means on disk: a database that is set to forget is not written to."""

import asyncpg

LOSES = {
    "fsync": "a power cut can lose acknowledged work and leave the whole cluster unreadable",
    "synchronous_commit": "a crash loses the last commits after they were acknowledged",
    "full_page_writes": "a power cut can leave half-written pages that recovery cannot repair",
}
MENDED_BY = {  # By the place where PostgreSQL found the setting (pg_settings.source); elsewhere the server's own.
    "global": "`ALTER ROLE ALL RESET {name};`, then connect again",
    "database": "`ALTER DATABASE {database} RESET {name};`, then connect again",
    "user": "`ALTER ROLE {role} RESET {name};`, then connect again",
    "database user": "`ALTER ROLE {role} IN DATABASE {database} RESET {name};`, then connect again",
    "client": "`SET {name} = on;`, or drop {name} from the options of the connection",
    "session": "`SET {name} = on;` on this connection",
    "command line": "restart the server without {name} on its command line",
}
MENDED_IN_THE_SERVER = "`ALTER SYSTEM SET {name} = on;` and `SELECT pg_reload_conf();`, or in its conf `{name} = on`"
THEN_ON_DISK = "; then run `sync` once on its machine, because earlier writes may still be in memory only"


class UnsafeDurability(Exception):
    """This database would acknowledge work and then lose it; the text says how to mend that."""


async def refuse_unsafe_settings(connection: asyncpg.Connection) -> None:
    """Call before the first write, as the role and in the database that will write.

    Only `off` loses acknowledged work. `synchronous_commit = local` waits for this node's disk and is enough for one
    node; who must survive the loss of a node asks for `on` and names standbys.
    """
    unsafe = await connection.fetch(
        """
        SELECT name, setting, source, quote_ident(session_user) AS role, quote_ident(current_database()) AS database
        FROM pg_settings WHERE name = ANY($1::text[]) AND setting = 'off' ORDER BY name
        """,
        list(LOSES),
    )
    if unsafe:
        raise UnsafeDurability("\n".join(map(_told, unsafe)))


def _told(found: asyncpg.Record) -> str:
    mended_by = MENDED_BY.get(found["source"], MENDED_IN_THE_SERVER).format(**found)
    afterwards = THEN_ON_DISK if found["name"] == "fsync" else ""
    return f"{found['name']} is {found['setting']}: {LOSES[found['name']]}. To mend it: {mended_by}{afterwards}."
