"""A process that works on the files it is handed, started by tasks.hunting.workers: `python -m tasks.hunting.worker DESCRIPTOR`.

It imports little, so that as many of them as there are processors need little memory.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection


def main() -> None:
    """Take batches until the other side is gone."""
    connection = Connection(int(sys.argv[1]))
    run = connection.recv().prepared()
    while True:
        try:
            connection.send(run(connection.recv()))
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main()
