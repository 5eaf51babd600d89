"""The policies of API Management that we use: allowed sections, attributes and tiers.

Only what our files use is listed, so that a new policy is looked up before it is added. Docs: the
page `<name>-policy` of each, its sections "Usage" and "Elements"; api-management-policies (tiers).
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from tests import sources

FOLDER: Final = sources.ROOT / "infra" / "policies"
SECTIONS: Final = ("inbound", "backend", "outbound", "on-error")
_ALL: Final = frozenset(SECTIONS)
_IN: Final = frozenset({"inbound"})


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: its sections, attributes (those it needs first), and the elements in it."""

    sections: frozenset[str]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    consumption: bool = True


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN: Final = {
    "base": Policy(_ALL),
    "choose": Policy(_ALL, holds=_names("when otherwise")),
    "include-fragment": Policy(_ALL, _names("fragment-id")),
    "set-variable": Policy(_ALL, _names("name value")),
    "set-header": Policy(_ALL, _names("name"), _names("exists-action"), _names("value")),
    "set-query-parameter": Policy(_IN, _names("name"), _names("exists-action"), _names("value")),
    "set-status": Policy(_ALL, _names("code reason")),
    "set-body": Policy(_ALL),
    "return-response": Policy(_ALL, holds=_names("set-status set-header set-body")),
    "set-backend-service": Policy(frozenset({"inbound", "backend"}), _names("backend-id")),
    "forward-request": Policy(
        frozenset({"backend"}),
        _names("timeout"),
        _names("follow-redirects buffer-request-body buffer-response fail-on-error-status-code"),
    ),
    "authentication-managed-identity": Policy(
        _IN, _names("resource client-id"), _names("output-token-variable-name ignore-error")
    ),
    "validate-jwt": Policy(
        _IN,
        _names("header-name"),
        _names(
            "require-scheme require-expiration-time require-signed-tokens clock-skew "
            "failed-validation-httpcode output-token-variable-name"
        ),
        _names("openid-config audiences"),
    ),
    "rate-limit": Policy(_IN, _names("calls renewal-period"), _names("retry-after-variable-name")),
    "quota": Policy(_IN, _names("calls renewal-period")),
    "rate-limit-by-key": Policy(
        _IN,
        _names("calls renewal-period counter-key"),
        _names("retry-after-variable-name"),
        consumption=False,
    ),
}
PARTS: Final = {
    "when": Policy(_ALL, _names("condition"), holds=frozenset(KNOWN)),
    "otherwise": Policy(_ALL, holds=frozenset(KNOWN)),
    "value": Policy(_ALL),
    "openid-config": Policy(_IN, _names("url")),
    "audiences": Policy(_IN, holds=_names("audience")),
    "audience": Policy(_IN),
}
"""Elements inside policies that are not policies themselves."""

NOT_EVERYWHERE: Final = {"rate-limit": "product", "quota": "product"}
"""Policies of one scope only: they count by subscription, which belongs to a product."""


def text(name: str) -> str:
    """The content of a file."""
    return (FOLDER / name).read_text("utf-8")


def files() -> list[str]:
    """The names of all policies."""
    return [path.name for path in sources.files(FOLDER, "*.xml")]


def deployed(name: str, *, standard: bool) -> str:
    """A policy as deployed to a tier, with what gateway-apis.bicep inserts into api.xml."""
    limit = text("tenant-limit.xml") if standard else ""
    return text(name).replace("<!-- tenant-limit.xml -->", limit)


def parsed(document: str) -> ET.Element:
    """The root of a policy; raises `ParseError` if it is not well-formed."""
    return ET.fromstring(document)  # noqa: S314 - our own files


def by_section(document: str) -> dict[str, list[ET.Element]]:
    """The policies of each section; a fragment's may stand in all that use it."""
    root = parsed(document)
    if root.tag == "fragment":
        return {"inbound": list(root), "on-error": list(root)}
    return {section.tag: list(section) for section in root}
