# SPDX-License-Identifier: BSD-3-Clause
"""How many workers a machine has room for."""

from __future__ import annotations

import pytest

from padflow.compute import local as local_module
from padflow.compute.local import choose_workers
from padflow.config.cluster import ClusterConfig
from padflow.errors import ConfigError

GIB = 1 << 30


@pytest.mark.parametrize(
    ("configured", "memory", "cores", "expected"),
    [
        (None, 64 * GIB, 4, 4),
        (None, 6 * GIB, 4, 2),
        (None, 1 * GIB, 4, None),
        (3, 8 * GIB, 2, 3),
        (4, 8 * GIB, 8, None),
    ],
)
def test_number_of_workers_fits_memory(
    configured: int | None, memory: int, cores: int, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "machine_memory_bytes", lambda: memory)
    monkeypatch.setattr(local_module, "CPU_COUNT", cores)
    config = ClusterConfig(workers=configured, memory_limit="2GiB")
    if expected is None:
        with pytest.raises(ConfigError, match=r"cluster\.workers or cluster\.memory_limit"):
            choose_workers(config)
    else:
        assert choose_workers(config) == expected
