"""The app's certificate: how Key Vault stores it, and how the app authenticates with it.

azure-identity's CertificateCredential reads the key again for each tenant, which blocks the event
loop for a tenth of a second (measured with azure-identity 1.27); here it is read once.
"""

import base64
import time
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

_LIVES: Final = 300


@dataclass(frozen=True, slots=True)
class Certificate:
    """A private key, and the thumbprint (SHA-256, base64url) of the certificate it belongs to."""

    key: RSAPrivateKey = field(repr=False)
    thumbprint: str

    @classmethod
    def read(cls, kept: str) -> Self:
        """Parse a certificate's secret from Key Vault; takes about 50 ms of CPU.

        It is PEM text or a PFX in base64, without a password (docs: about-certificates, content
        types). Raises `ValueError`, `TypeError` or `UnsupportedAlgorithm` for any other content,
        and for a key that is not RSA, the only kind that Entra ID accepts.
        """
        if kept.startswith("-----BEGIN"):
            key = load_pem_private_key(kept.encode(), None)
            certificate = x509.load_pem_x509_certificate(kept.encode())
        else:
            pfx = base64.b64decode(kept, validate=True)
            found, own, _ = pkcs12.load_key_and_certificates(pfx, None)
            if found is None or own is None:
                message = "the PFX lacks its key or its certificate"
                raise ValueError(message)
            key, certificate = found, own
        if not isinstance(key, RSAPrivateKey):
            message = "the certificate's key is not an RSA key"
            raise TypeError(message)
        return cls(key, _base64url(certificate.fingerprint(hashes.SHA256())))

    def assertion(self, client: str, token_endpoint: str) -> str:
        """Return the client assertion with which `client` gets a token; valid for five minutes.

        Docs: certificate-credentials (header and claims).
        """
        now = int(time.time())
        claims = {
            "aud": token_endpoint,
            "iss": client,
            "sub": client,
            "jti": str(uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + _LIVES,
        }
        headers = {"x5t#S256": self.thumbprint}
        return jwt.encode(claims, self.key, algorithm="PS256", headers=headers)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
