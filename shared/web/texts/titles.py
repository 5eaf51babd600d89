"""English titles of the kinds of errors; the portal's catalogs translate them."""

from collections.abc import Mapping
from typing import Final

from shared.domain.texts import N_

TITLES: Final[Mapping[str, str]] = {
    "bad-request": N_("Bad request"),
    "invalid-input": N_("Invalid input"),
    "unauthenticated": N_("Sign-in required"),
    "forbidden": N_("Not allowed"),
    "gateway-only": N_("Wrong address"),
    "not-found": N_("Not found"),
    "not-acceptable": N_("Format not offered"),
    "conflict": N_("Conflict"),
    "precondition-failed": N_("Changed by someone else"),
    "payload-too-large": N_("Input too large"),
    "unsupported-media-type": N_("Content type not supported"),
    "idempotency-key-in-use": N_("Still being processed"),
    "idempotency-key-reused": N_("Idempotency key already used"),
    "too-many-requests": N_("Too many requests"),
    "too-many-guesses": N_("Too many wrong share IDs"),
    "quota-exceeded": N_("Weekly calls used up"),
    "sign-in-failed": N_("Sign-in failed"),
    "consent-refused": N_("Consent not granted"),
    "consent-missing": N_("Admin consent required"),
    "consent-pending": N_("Consent not active yet"),
    "tenant-left": N_("Your organization has left Contact Sync"),
    "premium-needed": N_("Premium plan required"),
    "needs-admin": N_("Admin action required"),
    "unavailable": N_("Temporarily unavailable"),
    "internal-error": N_("Something went wrong on our side"),
}
"""The title of each kind of error."""
