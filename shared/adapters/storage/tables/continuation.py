"""Continuation tokens: opaque texts that work only for the list they came from.

A token is part of a query, of which API Management accepts 2,048 bytes. The keys of our rows give
at most `LONGEST` (`tests/unit/web/test_query_limits.py`); a longer one is a defect.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from shared.domain.errors import Defect, FieldError, InvalidInput

LONGEST: Final = 1_000


def mark_of(table: str, query: str, parameters: Mapping[str, Any]) -> str:
    """Return a digest of a table's query, so that a token works only for its own list."""
    text = json.dumps([table, query, sorted(parameters.items())], default=str)
    return blake2b(text.encode(), digest_size=9).hexdigest()


def encoded(token: object, mark: str) -> str | None:
    """Turn a continuation token, a pair of keys of which one may be absent, into opaque text."""
    match token:
        case {"PartitionKey": partition, "RowKey": row}:
            return opaque([mark, partition, row])
        case _:
            return None


def decoded(token: str, mark: str) -> dict[str, str | None]:
    """Return the pair of keys in a token. Raises `InvalidInput` for a token of another list."""
    match read_opaque(token):
        case [str(given), str(partition), str() | None as row] if given == mark:
            return {"PartitionKey": partition, "RowKey": row}
    raise foreign_token()


def opaque(values: Sequence[object]) -> str:
    """Return JSON values as a continuation token: one text that callers need not understand."""
    token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    if len(token) > LONGEST:
        raise Defect(f"A continuation token has {len(token)} characters (maximum {LONGEST}).")
    return token


def read_opaque(token: str) -> object:
    """Return the values in a continuation token; None if the token is malformed.

    Half a surrogate pair is valid in JSON, but no text that storage could be asked for.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(token))
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return values


def foreign_token() -> InvalidInput:
    """Return the error for a token that belongs to another list."""
    return InvalidInput.of(FieldError("next", "token_foreign"))
