"""Certificates of a throw-away authority: azure-identity insists on https for Entra ID."""

import ssl
from pathlib import Path
from typing import NamedTuple

import aiohttp.connector
import certifi
import trustme


class Certificates(NamedTuple):
    """Files: what a client trusts (the usual authorities too), and the server's own (PEM)."""

    trusted: Path
    server: Path


def trust(authorities: str) -> None:
    """Let this process trust the authorities of a file.

    aiohttp, under Azure's SDK, made its context when it was imported, so the environment's
    SSL_CERT_FILE comes too late for it.
    """
    context: ssl.SSLContext = aiohttp.connector._SSL_CONTEXT_VERIFIED
    context.load_verify_locations(authorities)


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate for 127.0.0.1 in a folder."""
    authority = trustme.CA()
    made = Certificates(folder / "trusted.pem", folder / "server.pem")
    made.trusted.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made
