# SPDX-License-Identifier: BSD-3-Clause
"""Somebody else on the same machine: tries each port in every way that Dask knows, and says which let it in.

``python stranger.py HOST:PORT ...`` prints a JSON object of {address: [ways]}. As root it becomes nobody first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from distributed import Client, Security, Worker
from distributed.comm import connect, listen

from padflow.compute.security import new_certificate

NOBODY = 65534
SECONDS = 10


def of_another_run() -> Security:
    certificate, key = new_certificate()
    files = {f"tls_{role}_cert": certificate for role in ("scheduler", "worker", "client")}
    files |= {f"tls_{role}_key": key for role in ("scheduler", "worker", "client")}
    return Security(require_encryption=True, tls_ca_file=certificate, **files)


async def by_comm(address: str, security: Security) -> None:
    protocol = "tls" if security.require_encryption else "tcp"
    comm = await connect(f"{protocol}://{address}", timeout=SECONDS, **security.get_connection_args("client"))
    comm.abort()


async def by_client(address: str, security: Security) -> None:
    protocol = "tls" if security.require_encryption else "tcp"
    async with Client(f"{protocol}://{address}", security=security, asynchronous=True, timeout=SECONDS) as client:
        await client.scheduler.identity()


async def as_worker(address: str, security: Security) -> None:
    protocol = "tls" if security.require_encryption else "tcp"
    settings = {"death_timeout": SECONDS, "local_directory": "/tmp", "nthreads": 1, "dashboard": False}
    async with Worker(f"{protocol}://{address}", security=security, **settings):
        pass


async def by_http(address: str, _: Security) -> None:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await reader.read(4)
    writer.close()
    assert answer == b"HTTP"


PLAIN = Security(require_encryption=False)
OTHER = of_another_run()
WAYS = {
    "comm": (by_comm, PLAIN),
    "client": (by_client, PLAIN),
    "worker": (as_worker, PLAIN),
    "http": (by_http, PLAIN),
    "comm with another certificate": (by_comm, OTHER),
    "client with another certificate": (by_client, OTHER),
    "worker with another certificate": (as_worker, OTHER),
}


async def let_in(address: str, way: str) -> bool:
    attempt, security = WAYS[way]
    try:
        await asyncio.wait_for(attempt(address, security), 2 * SECONDS)
    except Exception:
        return False
    return True


async def try_all(addresses: list[str]) -> dict[str, list[str]]:
    """Try everything at once: what is refused is tried again by Dask until its time is over."""
    pairs = [(address, way) for address in addresses for way in WAYS]
    inside = await asyncio.gather(*(let_in(*pair) for pair in pairs))
    found = {address: [] for address in addresses}
    for (address, way), is_inside in zip(pairs, inside, strict=True):
        found[address] += [way] if is_inside else []
    return found


async def import_all() -> None:
    """Import what connections need, while the files can still be read."""

    async def answer(_: object) -> None:
        pass

    for protocol, security in (("tcp", PLAIN), ("tls", OTHER)):
        listener = await listen(f"{protocol}://127.0.0.1:0", answer, **security.get_listen_args("scheduler"))
        await by_comm(listener.contact_address.split("://")[1], security)
        listener.stop()


def main() -> None:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    asyncio.run(import_all())
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    print(json.dumps(asyncio.run(try_all(sys.argv[1:]))))


if __name__ == "__main__":
    main()
