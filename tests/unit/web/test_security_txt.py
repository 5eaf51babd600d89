"""Where to report a vulnerability (RFC 9116)."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.errors import Defect, NotFound
from shared.portal.pages.well_known import _security_txt
from shared.wiring.settings import Settings

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SET = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "APP_CLIENT_ID": "app",
    "MANAGED_IDENTITY_CLIENT_ID": "identity",
    "KEY_VAULT_URI": "https://vault.vault.azure.net",
    "PORTAL_ORIGIN": "https://portal.example",
}
CONTACT = "mailto:security@portal.example https://portal.example/report"
EXPIRES = "2027-06-01T02:00:00+02:00"


def settings(**given: str) -> Settings:
    return Settings.from_environment({**SET, **given})


def test_file_has_the_fields_of_the_settings() -> None:
    given = settings(
        SECURITY_CONTACT=CONTACT,
        SECURITY_EXPIRES=EXPIRES,
        SECURITY_POLICY="https://portal.example/policy",
    )

    assert _security_txt(given, NOW).splitlines() == [
        "Contact: mailto:security@portal.example",
        "Contact: https://portal.example/report",
        "Expires: 2027-06-01T00:00:00Z",
        "Preferred-Languages: de, en",
        "Canonical: https://portal.example/.well-known/security.txt",
        "Policy: https://portal.example/policy",
    ]


def test_there_is_no_file_without_a_contact_or_after_it_has_expired() -> None:
    with pytest.raises(NotFound):
        _security_txt(settings(), NOW)
    with pytest.raises(NotFound):
        _security_txt(
            settings(SECURITY_CONTACT=CONTACT, SECURITY_EXPIRES=EXPIRES), NOW + timedelta(days=400)
        )


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("SECURITY_CONTACT", {"SECURITY_CONTACT": "us@example.com", "SECURITY_EXPIRES": EXPIRES}),
        ("SECURITY_EXPIRES", {"SECURITY_CONTACT": CONTACT}),
        ("SECURITY_EXPIRES", {"SECURITY_CONTACT": CONTACT, "SECURITY_EXPIRES": "soon"}),
        ("SECURITY_POLICY", {"SECURITY_POLICY": "https://a\nContact: mailto:mallory@evil"}),
    ],
)
def test_wrong_settings_are_named(name: str, given: dict[str, str]) -> None:
    with pytest.raises(Defect, match=name):
        settings(**given)
