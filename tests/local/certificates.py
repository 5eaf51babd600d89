"""Certificates of a temporary authority: azure-identity requires https for Entra ID."""

import ssl
from pathlib import Path
from typing import NamedTuple

import aiohttp.connector
import certifi
import trustme


class Certificates(NamedTuple):
    """PEM files: the authorities that clients trust, and the server's certificate with its key."""

    trusted: Path
    server: Path


def trust(authorities: str) -> None:
    """Make this process trust the authorities in a file.

    aiohttp, which Azure's SDK uses, creates its context on import, so SSL_CERT_FILE in the
    environment comes too late.
    """
    context: ssl.SSLContext = aiohttp.connector._SSL_CONTEXT_VERIFIED
    context.load_verify_locations(authorities)


def make_certificates(folder: Path) -> Certificates:
    """Create an authority and a certificate for this machine in a folder."""
    authority = trustme.CA()
    made = Certificates(folder / "trusted.pem", folder / "server.pem")
    made.trusted.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made
