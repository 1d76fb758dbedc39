"""A process that works on the files it is handed, started by tasks.hunting.workers: pickles come by stdin, answers go by stdout.

It imports little, so that as many of them as there are processors need little memory.
"""

from __future__ import annotations

import os
import pickle
import sys


def main() -> None:
    """Take batches until the other side is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    run = pickle.load(sys.stdin.buffer).prepared()  # noqa: S301 - from the process that started this one
    while True:
        try:
            files = pickle.load(sys.stdin.buffer)  # noqa: S301 - likewise
        except EOFError:
            return
        pickle.dump(run(files), answers)
        answers.flush()


if __name__ == "__main__":
    main()
