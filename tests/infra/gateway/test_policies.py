"""The gateway's policies: well-formed, supported by the tier, and consistent with the app."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

import function_app  # noqa: F401 - registers every operation
from shared.domain import errors
from shared.domain.errors import CallerError, Unavailable
from shared.portal import sent_forms
from shared.web import admission, calls, validation
from shared.web.openapi.document import document
from shared.web.problems import Problem, problem
from shared.web.texts.titles import TITLES
from tests.infra.gateway.openapi import PAGES
from tests.infra.readers import policies
from tests.infra.readers.policies import (
    KNOWN,
    PARTS,
    SECTIONS,
    Policy,
    by_section,
    deployed,
    files,
    parsed,
    text,
)

APIS = (policies.FOLDER.parent / "modules" / "gateway-apis.bicep").read_text("utf-8")
FRAGMENTS = {"problem.xml"}
PIECES = {"tenant-limit.xml"}
DOCUMENTS = [name for name in files() if name not in FRAGMENTS | PIECES]
LIMIT = 16 * 1024
"""The most bytes of a policy document in the Consumption tier (docs: service limits)."""

TIERS = pytest.mark.parametrize("standard", [False, True], ids=["Consumption", "StandardV2"])


def known(element: ET.Element) -> Policy:
    return (KNOWN | PARTS)[element.tag]


def all_below(elements: list[ET.Element]) -> Iterator[ET.Element]:
    for element in elements:
        yield from element.iter()


def placed(name: str, *, standard: bool) -> Iterator[tuple[str, ET.Element]]:
    for section, elements in by_section(deployed(name, standard=standard)).items():
        for element in all_below(elements):
            yield section, element


def expressions(name: str) -> Iterator[str]:
    for element in parsed(text(name)).iter():
        for value in (*element.attrib.values(), element.text or ""):
            if value.strip().startswith("@"):
                yield value.strip()


def variable(name: str, among: list[ET.Element]) -> str | None:
    found = [e.get("value") for e in among if e.tag == "set-variable" and e.get("name") == name]
    return found[0] if found else None


def gateway_problems() -> Iterator[tuple[int, str, str, str]]:
    """Each problem of the gateway: status, kind, title and detail."""
    for name in DOCUMENTS:
        for element in parsed(text(name)).iter():
            group = list(element)
            status = variable("problemStatus", group)
            if status is not None:
                variables = [
                    variable(f"problem{part}", group) for part in ("Kind", "Title", "Detail")
                ]
                kind, title, detail = (part or "" for part in variables)
                yield int(status.strip("@()")), kind, title, detail


@pytest.mark.parametrize("name", files())
def test_policy_is_well_formed_small_and_documented(name: str) -> None:
    parsed(text(name))

    assert len(text(name).encode()) < LIMIT
    assert re.match(r"(<fragment>\s*)?<!-- \w", text(name))


@TIERS
@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_has_its_sections_in_order_and_fits_the_size_limit(
    name: str, *, standard: bool
) -> None:
    root = parsed(deployed(name, standard=standard))

    assert root.tag == "policies"
    assert tuple(section.tag for section in root) == SECTIONS
    assert len(deployed(name, standard=standard).encode()) < LIMIT


@TIERS
@pytest.mark.parametrize("name", [name for name in files() if name not in PIECES])
def test_policy_is_supported_by_its_tier_and_section(name: str, *, standard: bool) -> None:
    for section, element in placed(name, standard=standard):
        policy = known(element)
        assert section in policy.sections, element.tag
        assert standard or policy.consumption, element.tag
        assert policy.needs <= set(element.keys()) <= policy.needs | policy.takes, element.attrib
        assert {child.tag for child in element} <= policy.holds, element.tag
        scope = policies.NOT_EVERYWHERE.get(element.tag)
        assert scope is None or name.startswith(scope)


def test_only_standard_v2_limits_by_tenant() -> None:
    assert "rate-limit-by-key" in deployed("api.xml", standard=True)
    assert "rate-limit-by-key" not in deployed("api.xml", standard=False)


@pytest.mark.parametrize("name", files())
def test_expressions_are_syntactically_complete(name: str) -> None:
    for expression in expressions(name):
        opening, closing = expression[1], expression[-1]
        assert (opening, closing) in {("(", ")"), ("{", "}")}
        plain = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
        for first, last in ("()", "{}", "[]"):
            assert plain.count(first) == plain.count(last), expression
        assert opening == "(" or "return " in plain
        assert "//" not in plain


def test_module_uses_exactly_the_policy_files() -> None:
    used = re.findall(r"loadTextContent\('\.\./policies/([^']+)'\)", APIS)

    assert sorted(used) == files()
    assert set(re.findall(r"format: '(\w+)'\n", APIS)) == {"xml"}


def test_every_named_value_backend_and_fragment_exists_and_is_used() -> None:
    documents = [deployed(name, standard=True) for name in files()]
    used = {value for each in documents for value in re.findall(r"\{\{([\w.-]+)\}\}", each)}
    made = re.findall(r"'([a-z-]+)': ", APIS)
    backends = {v for each in documents for v in re.findall(r'backend-id="([^"]+)"', each)}
    fragments = {v for each in documents for v in re.findall(r'fragment-id="([^"]+)"', each)}

    assert sorted(made) == sorted(used | backends)
    assert fragments == {name.removesuffix(".xml") for name in FRAGMENTS}
    assert "secret: true" not in APIS


@pytest.mark.parametrize("name", files())
def test_no_policy_contains_secrets_or_urls(name: str) -> None:
    document = text(name)

    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|[A-Za-z0-9+/_-]{32,}=", document)
    assert not re.search(r"https?://", document)
    assert not {"cors", "trace", "log-to-eventhub", "send-request"} & set(
        re.findall(r"<([a-z-]+)", document)
    )


OWN = ("api.xml", "portal.xml")
"""The policies of the APIs whose backend is the app."""


@pytest.mark.parametrize("name", OWN)
def test_gateway_headers_are_removed_for_all_apis_and_set_for_ours(name: str) -> None:
    every = [e for e in by_section(text("global.xml"))["inbound"] if e.tag == "set-header"]
    removed = {e.get("name") for e in every if e.get("exists-action") == "delete"}
    inbound = by_section(text(name))["inbound"]
    order = [(e.tag, e.get("name"), e.get("exists-action")) for e in inbound]

    assert {admission.TOKEN, admission.CLIENT, "X-Forwarded-For"} <= removed
    assert "Authorization" not in {e.get("name") for e in every}
    for header in (admission.TOKEN, admission.CLIENT):
        assert order.index(("base", None, None)) < order.index(("set-header", header, "override"))


@pytest.mark.parametrize("name", OWN)
def test_gateway_token_has_an_audience_the_app_accepts(name: str) -> None:
    (element,) = [
        e for _, e in placed(name, standard=True) if e.tag == "authentication-managed-identity"
    ]

    assert element.get("resource") == "api://{{app-client-id}}"
    assert element.get("client-id") == "{{gateway-client-id}}"
    assert element.get("ignore-error") == "false"
    audiences = re.findall(r"<audience>([^<]+)<", text("api.xml"))
    assert audiences == ["{{app-client-id}}", "api://{{app-client-id}}"]


@pytest.mark.parametrize("name", sorted(set(files()) - set(OWN)))
def test_gateway_token_goes_to_no_other_backend(name: str) -> None:
    assert "gatewayToken" not in text(name)


def test_gateway_requires_a_token_except_on_public_routes() -> None:
    public = {
        path
        for path, methods in document()["paths"].items()
        for operation in methods.values()
        if not operation["security"]
    }
    (listed,) = re.findall(
        r"!new \[\] \{ ([^}]+) \}\.Contains\(context\.Operation", text("api.xml")
    )

    assert set(re.findall(r'"([^"]+)"', listed)) == public | PAGES.keys()
    assert "required-claims" not in text("api.xml")


def test_gateway_and_app_have_the_same_body_limits() -> None:
    for name, limit in (("api.xml", validation.MAX_BODY), ("portal.xml", sent_forms.MAX_FORM)):
        inbound = by_section(text(name))["inbound"]
        assert variable("bodyLimit", inbound) == f"@({limit})"
        tags = [element.tag for element in inbound]
        assert set(tags[: tags.index("base")]) == {"set-variable"}


def test_gateway_problems_are_problems_of_the_app() -> None:
    own = {
        (kind.status, kind.kind, TITLES[kind.kind])
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CallerError)
    }
    for error in (Unavailable("x", 1), RuntimeError("x")):
        body = Problem.model_validate(problem(error, "x", "0" * 32).body)
        own.add((body.status, body.type.rpartition(":")[2], body.title))
    found = list(gateway_problems())

    assert {status for status, *_ in found} == {401, 404, 413, 429, 500, 503}
    for status, kind, title, detail in found:
        assert (status, kind, title) in own
        assert detail


def test_gateway_problems_have_the_fields_and_headers_of_the_app() -> None:
    fragment = text("problem.xml")
    fields = re.findall(r'new JProperty\("(\w+)"', fragment)
    headers = set(re.findall(r'<set-header name="([^"]+)"', fragment))

    assert fields == [n for n, f in Problem.model_fields.items() if f.is_required()]
    assert "urn:contact-sync:problem:" in fragment
    assert "application/problem+json" in fragment
    assert headers == {
        *calls.SAFE_HEADERS, "Content-Type", "X-Correlation-Id", "WWW-Authenticate", "Retry-After",
    }  # fmt: skip
    for name, value in calls.SAFE_HEADERS.items():
        assert f'name="{name}" exists-action="override">\n      <value>{value}</value>' in fragment
