"""Client assertions that an app signs with a certificate of its registration (private_key_jwt).

Docs: certificate-credentials (header and claims of the assertion), reference-error-codes. The
wording of AADSTS700027 follows azure-sdk-for-net#29007 and pnp/cli-microsoft365#1621.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.local.entra.state import Refused

_ALGORITHMS = ["PS256", "RS256"]
_THUMBPRINTS = {"x5t#S256": hashes.SHA256(), "x5t": hashes.SHA1()}  # noqa: S303 - identifies a key only
_LEEWAY = 300


def claims_unchecked(assertion: str) -> Mapping[str, Any]:
    """Return an assertion's claims without checking them; empty if it is not a JSON Web Token."""
    try:
        found: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        return {}
    return found


def check(
    assertion: str, certificates: tuple[x509.Certificate, ...], client: str, audiences: set[str]
) -> None:
    """Check that a registered certificate signed it for this client. Raises `Refused`."""
    certificate = _certificate(jwt.get_unverified_header(assertion), certificates)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise _invalid(700027, _unsigned("The key is not an RSA key.", certificate))
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise _invalid(700027, _unsigned("The key used is expired.", certificate))
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=_ALGORITHMS,
            leeway=_LEEWAY,
            options={"verify_aud": False, "require": ["aud", "exp", "iss", "sub", "jti"]},
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        raise _invalid(700024, "Client assertion is not within its valid time range.") from None
    except jwt.MissingRequiredClaimError as error:
        text = f"The required claim '{error.claim}' is missing in the client assertion."
        raise _invalid(50027, text) from None
    except jwt.PyJWTError:
        reason = "The provided signature value did not match the expected signature value."
        raise _invalid(700027, _unsigned(reason, certificate)) from None
    if claims["iss"] != client or claims["sub"] != client:
        text = "Client assertion application identifier doesn't match 'client_id' parameter."
        raise _invalid(700021, text)
    if claims["aud"] not in audiences:
        text = "Client assertion audience claim does not match Realm issuer."
        raise _invalid(700023, text)


def _certificate(
    header: Mapping[str, Any], certificates: tuple[x509.Certificate, ...]
) -> x509.Certificate:
    named = {name: str(header[name]) for name in _THUMBPRINTS if name in header}
    if not named:
        text = "Invalid JWT token. No certificate thumbprint specified in token header."
        raise _invalid(50027, text)
    for certificate in certificates:
        if all(
            _decoded(value) == certificate.fingerprint(_THUMBPRINTS[name])
            for name, value in named.items()
        ):
            return certificate
    used = _decoded(next(iter(named.values()))).hex().upper()
    raise _invalid(700027, _unsigned("The key was not found.", used))


def _decoded(value: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except binascii.Error:
        return b""


def _unsigned(reason: str, key: x509.Certificate | str) -> str:
    used = key if isinstance(key, str) else key.fingerprint(hashes.SHA256()).hex().upper()
    return (
        f"Client assertion contains an invalid signature. [Reason - {reason}, "
        f"Thumbprint of key used by client: '{used}']"
    )


def _invalid(code: int, text: str) -> Refused:
    return Refused(401, "invalid_client", code, text)
