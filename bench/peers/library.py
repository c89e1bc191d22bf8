"""The PyPI library `eventsourcing` as an application of its own; run by the Python of `.venv-bench`, one order a line.

One aggregate event per command, saved from as many threads as asked for, through its PostgreSQL recorder.
"""

import json
import os
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit


def main(dsn: str, threads: int) -> None:
    at = urlsplit(dsn)
    os.environ |= {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": at.path[1:],
        "POSTGRES_HOST": at.hostname or "",
        "POSTGRES_PORT": str(at.port),
        "POSTGRES_USER": at.username or "",
        "POSTGRES_PASSWORD": at.password or "",
        "POSTGRES_POOL_SIZE": str(threads),
        "POSTGRES_MAX_OVERFLOW": "4",
    }
    from eventsourcing.application import Application  # type: ignore[import-not-found, unused-ignore]
    from eventsourcing.domain import Aggregate  # type: ignore[import-not-found, unused-ignore]

    class Call(Aggregate):  # type: ignore[misc, unused-ignore]
        def __init__(self, said: str) -> None:
            self.said = said

    desk: Any = Application()
    said = "x" * 560  # With the library's own fields a payload of some 600 bytes, as ours.

    def caller(until: float, done: list[int], nth: int) -> None:
        while time.perf_counter() < until:
            desk.save(Call(said))
            done[nth] += 1

    for line in sys.stdin:
        seconds = float(json.loads(line)["seconds"])
        done = [0] * threads
        began = time.perf_counter()
        callers = [threading.Thread(target=caller, args=(began + seconds, done, nth)) for nth in range(threads)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        sys.stdout.write(json.dumps({"per_s": sum(done) / (time.perf_counter() - began)}) + "\n")
        sys.stdout.flush()
    desk.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
