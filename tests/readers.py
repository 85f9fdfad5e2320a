# SPDX-License-Identifier: BSD-3-Clause
"""Looks at an archive again and again from many threads, as a program of its own; prints what was seen, a line each.

Arguments: the run directory, the number of threads, and a file whose appearance ends it.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import threading
from pathlib import Path

import dask

from padflow import open_archive

WHOLE = ("time", "flux", "L", "MLT")


def digest(values) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def seen_of(opened, rng: random.Random) -> dict:
    """All rows of some arrays, and some rows of flux that are a part of a shard."""
    rows = opened.sizes["time"]
    start = rng.randrange(rows)
    stop = min(rows, start + rng.randrange(1, 1500))
    some = opened["flux"].isel(time=slice(start, stop)).values
    whole = {name: [len(opened[name].values), digest(opened[name].values)] for name in WHOLE}
    return {"rows": rows, "start": start, "stop": stop, "some": digest(some), "whole": whole}


def look(directory: str, over: Path, seed: int) -> None:
    rng = random.Random(seed)
    first = None
    while not over.exists():
        try:
            first = first or open_archive(directory)
            seen = [seen_of(open_archive(directory), rng), seen_of(first, rng)]
        except Exception as error:  # whatever it is, the test shall say it
            seen = [{"error": f"{type(error).__name__}: {error}"}]
        for one in seen:
            print(json.dumps(one) + "\n", end="", flush=True)


def main() -> None:
    directory, threads, over = sys.argv[1:]
    dask.config.set(scheduler="synchronous")
    readers = [threading.Thread(target=look, args=(directory, Path(over), seed)) for seed in range(int(threads))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


if __name__ == "__main__":
    main()
