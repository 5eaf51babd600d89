"""What must never be in a log: tokens, codes, secrets, and people's names and addresses."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.sources import files

_NEVER = {
    "a token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}"),
    "an authorization header": re.compile(r"Bearer\s+[\w.-]{20,}"),
    "a code or assertion": re.compile(
        r"\b(?:code|client_assertion|id_token|refresh_token|access_token|code_verifier)=[\w%.~-]{8,}"
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a storage key": re.compile(r"AccountKey=[\w+/=]{8,}"),
    "a mail address": re.compile(r"[\w.+-]+@[\w-]+\.(?:example|com|org|net|test)\b"),
    "a telephone number": re.compile(r"\+49 \d"),
    "a name": re.compile(r"\bPerson \d+\b"),
}


def leaks(folder: Path, secrets: Iterable[str] = ()) -> Iterator[str]:
    """Find what a folder's logs must not contain; secrets are named by their number."""
    known = [secret for secret in secrets if len(secret) >= 8]
    for log in files(folder, "*.log"):
        for number, line in enumerate(log.read_text("utf-8", "replace").splitlines(), 1):
            place = f"{log.name}:{number}"
            yield from (f"{place} {what}" for what, form in _NEVER.items() if form.search(line))
            yield from (f"{place} secret {n}" for n, secret in enumerate(known) if secret in line)
