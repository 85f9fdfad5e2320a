"""What a batch script needs that starts scheduler and workers by hand, in one allocation: Dask's settings in a folder.

``python -m padflow.compute.allocation FOLDER`` makes a folder for this user alone, with a certificate and
``dask.yaml``. With ``DASK_CONFIG=FOLDER/dask.yaml`` in their environment, ``dask scheduler --protocol tls
--no-dashboard``, ``dask worker`` and ``padflow run`` use TLS, and let nobody else in.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import dask
import yaml

from padflow.compute.private import make_private, write_private
from padflow.compute.security import new_certificate, security_in, write_certificate
from padflow.compute.settings import WORKER_SETTINGS


def settings_in(folder: Path) -> dict[str, Any]:
    """Return Dask's settings for a scheduler and workers of the certificate in a folder."""
    security = security_in(folder)
    settings = WORKER_SETTINGS | {
        "temporary-directory": str(folder),
        "distributed.comm.require-encryption": True,
        "distributed.scheduler.http.routes": [],  # its HTTP port, which cannot be closed, has nothing to show
    }
    for role in ("scheduler", "worker", "client"):
        files = security.get_tls_config_for_role(role)
        settings |= {f"distributed.comm.tls.{role}.{name}": files[name] for name in ("cert", "key")}
        settings["distributed.comm.tls.ca-file"] = files["ca_file"]
    nested: dict[str, Any] = {}
    with dask.config.set(settings, config=nested):
        return deepcopy(nested)  # which is emptied again


def main() -> None:
    """Make the folder and what is in it."""
    folder = Path(sys.argv[1]).absolute()
    make_private(folder)
    write_certificate(folder, *new_certificate())
    write_private(folder / "dask.yaml", yaml.safe_dump(settings_in(folder)))


if __name__ == "__main__":
    main()
