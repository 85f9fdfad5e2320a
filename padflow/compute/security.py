# SPDX-License-Identifier: BSD-3-Clause
"""TLS between driver, scheduler and workers: nobody connects without the certificate of the run."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from padflow.compute.private import write_private
from padflow.compute.scheduler_file import private_beside
from padflow.config.cluster import ClusterConfig
from padflow.config.local_paths import is_url
from padflow.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Security


CERTIFICATE, KEY = "certificate.pem", "key.pem"


VALID_SINCE, VALID_FOR = datetime.timedelta(days=-1), datetime.timedelta(days=366)
"""Validity of a certificate (chosen). It begins in the past, for the clocks of nodes differ."""


def security_of(config: ClusterConfig, folder: Path | None = None) -> Security:
    """Return the security of a cluster that padflow starts.

    Parameters
    ----------
    folder : Path, optional
        A private folder for the certificate, where workers are started elsewhere. By default the certificate is not
        written to a file.

    Raises
    ------
    ConfigError
        Where no certificate can be made.
    """
    from distributed import Security

    if config.security == "none":
        return Security(require_encryption=False)
    if config.tls_cert is not None:
        return _of_all_roles(str(config.tls_ca_file), str(config.tls_cert), str(config.tls_key))
    certificate, key = new_certificate()
    if folder is None:
        return _of_all_roles(certificate, certificate, key)
    write_certificate(folder, certificate, key)
    return security_in(folder)


def joined_security(config: ClusterConfig) -> Security | None:
    """Return the security of a cluster that somebody else started; None where Dask's own configuration decides.

    The certificate of a cluster of `padflow scheduler` is beside its scheduler file.
    """
    if config.tls_cert is None:
        where = config.scheduler or ""
        folder = private_beside(Path(where))
        return security_in(folder) if not is_url(where) and (folder / CERTIFICATE).is_file() else None
    return _of_all_roles(str(config.tls_ca_file), str(config.tls_cert), str(config.tls_key))


def security_in(folder: Path) -> Security:
    """Return the security with the certificate of a folder, which may be written later."""
    certificate = str(folder / CERTIFICATE)
    return _of_all_roles(certificate, certificate, str(folder / KEY))


def protocol_of(security: Security) -> str:
    """Return the protocol with which addresses of servers begin."""
    return "tls://" if security.require_encryption else "tcp://"


def _of_all_roles(trusted: str, certificate: str, key: str) -> Security:
    from distributed import Security

    files = {"tls_ca_file": trusted}
    for role in ("scheduler", "worker", "client"):
        files |= {f"tls_{role}_cert": certificate, f"tls_{role}_key": key}
    return Security(require_encryption=True, **files)


def new_certificate() -> tuple[str, str]:
    """Make a certificate, which signs itself, and its key; return both as PEM.

    `distributed.Security.temporary` makes RSA keys. With elliptic curves a key is made at once, and a connection takes
    a third of the time.

    Raises
    ------
    ConfigError
        Where the package ``cryptography`` is missing.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise ConfigError(
            f"A certificate for TLS between driver and workers cannot be made ({error}): pip install cryptography. "
            "With cluster.security: none there is no TLS, and any user of these machines can run code as you."
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "padflow")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("padflow")]), critical=False)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + VALID_SINCE)
        .not_valid_after(now + VALID_FOR)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()


def write_certificate(folder: Path, certificate: str, key: str) -> None:
    """Write a certificate and its key into a private folder."""
    write_private(folder / CERTIFICATE, certificate)
    write_private(folder / KEY, key)
