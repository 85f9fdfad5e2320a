# SPDX-License-Identifier: BSD-3-Clause
"""The section of the cluster: what goes together, and what is refused."""

from __future__ import annotations

import json

import pytest

from padflow.config.reading import load_config
from padflow.errors import ConfigError


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"kind": "slurm"}, "needs workers"),
        ({"kind": "scheduler"}, "go together"),
        ({"scheduler": "tcp://a:1"}, "go together"),
        ({"minimum_workers": 0, "workers": 2}, "jobs"),
        ({"kind": "slurm", "workers": 2, "minimum_workers": 3}, "at most workers"),
        ({"tls_cert": "a.pem"}, "tls_ca_file, tls_cert and tls_key go together"),
        ({"kind": "slurm", "workers": 2, "walltime": "10"}, "60"),
        ({"kind": "slurm", "workers": 2, "walltime": "tomorrow"}, "walltime"),
        ({"kind": "cobalt"}, "htcondor"),
    ],
)
def test_what_does_not_fit_together(keys: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_config(None, [f"cluster={keys}"])


def test_certificates_that_do_not_fit_together() -> None:
    for keys, says in (
        ({"security": "none", "tls_ca_file": "a", "tls_cert": "b", "tls_key": "c"}, "security: none"),
        ({"kind": "scheduler", "scheduler": "tls://a:1", "dashboard_address": "127.0.0.1:0"}, "dashboard_address"),
        ({"kind": "slurm", "workers": 1, "options": {"security": None}}, r"cluster\.security"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_config(None, [f"cluster={json.dumps(keys)}"])
