"""A process that scans the files it is handed, started by tasks.hunting.pool: `python -m tasks.hunting.worker DESCRIPTOR`.

It imports little, so that as many of them as there are processors need little memory.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from tasks.hunting.batch import scanned
from tasks.hunting.scanner import Scanner


def main() -> None:
    """Take batches until the other side is gone."""
    connection = Connection(int(sys.argv[1]))
    scanner = Scanner(*connection.recv())
    while True:
        try:
            files = connection.recv()
        except EOFError:
            return
        connection.send(scanned(scanner, files))


if __name__ == "__main__":
    main()
