# SPDX-License-Identifier: BSD-3-Clause
"""Many readers of an archive while runs append days to it: no error, and no mixture of states."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

DAYS = (2, 4, 6, 8)
"""How many days the archive has at first and after each append."""


def rows_of(directory: Path) -> int:
    return zarr.open_group(directory / "archive.zarr", path="rbspa", mode="r", use_consolidated=False)["time"].shape[0]


def wait_until_all_have_looked(outputs: list[Path], *, rows: int, looks: int) -> None:
    """Each process has seen so many states of this length: readers are at work when the next append begins."""
    ends = time.monotonic() + 600
    while any(path.read_text().count(f'"rows": {rows},') < looks for path in outputs):
        assert time.monotonic() < ends, [path.read_text()[-500:] for path in outputs]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def readers(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Processes and threads in each."""
    return (4, 25) if request.config.getoption("--all-readers") else (2, 4)


def test_readers_during_three_appends_see_one_state_each(
    padflow, serial, small_archive: Path, small_settings: list[str], tmp_path: Path, readers: tuple[int, int]
) -> None:
    source, directory, over = tmp_path / "source", tmp_path / "run", tmp_path / "over"
    source.mkdir()
    files = sorted(path for path in small_archive.rglob("*.cdf"))
    assert len(files) == DAYS[-1]
    config = Path(__file__).parent.parent / "configs" / "recommended.yaml"

    def ingest(days: int) -> int:
        for path in files[:days]:
            if not (source / path.name).exists():
                shutil.copy2(path, source)
        ended = padflow("ingest", config, "--workdir", directory, "--set", f"archive.source={source}", *small_settings)
        assert ended.status == 0, ended.err
        return rows_of(directory)

    lengths = [ingest(DAYS[0])]
    processes, threads = readers
    outputs = [tmp_path / f"seen{number}" for number in range(processes)]
    command = [sys.executable, Path(__file__).with_name("readers.py"), directory, str(threads), over]
    running = []
    for path in outputs:
        with path.open("w") as file:
            running.append(subprocess.Popen(command, stdout=file))
    try:
        for days in DAYS[1:]:
            wait_until_all_have_looked(outputs, rows=lengths[-1], looks=2 * threads)
            lengths.append(ingest(days))
        wait_until_all_have_looked(outputs, rows=lengths[-1], looks=2)
    finally:
        over.touch()
        ended = [process.wait(timeout=300) for process in running]
    assert not any(ended)
    seen = [json.loads(line) for path in outputs for line in path.read_text().splitlines()]
    counts = Counter(one.get("rows") for one in seen)
    print(f"{len(seen)} looks of {processes} x {threads} readers, by number of records: {dict(counts)}")
    errors = [one["error"] for one in seen if "error" in one]
    assert not errors, (len(errors), len(seen), errors[:3])
    assert set(counts) == set(lengths)
    assert not mixtures(directory, seen)


def mixtures(directory: Path, seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was seen and is not the archive's first records, as many as the reader said, in each array."""
    group = zarr.open_group(directory / "archive.zarr", path="rbspa", mode="r", use_consolidated=False)
    arrays = {name: group[name][...] for name in ("time", "flux", "L", "MLT")}
    assert not np.isnat(arrays["time"].view("M8[ns]")).any()
    digests: dict[tuple[str, int, int], str] = {}

    def expected(name: str, start: int, stop: int) -> str:
        key = name, start, stop
        if key not in digests:
            digests[key] = hashlib.sha256(arrays[name][start:stop].tobytes()).hexdigest()
        return digests[key]

    return [
        one
        for one in seen
        if one["some"] != expected("flux", one["start"], one["stop"])
        or one["whole"] != {name: [one["rows"], expected(name, 0, one["rows"])] for name in arrays}
    ]
