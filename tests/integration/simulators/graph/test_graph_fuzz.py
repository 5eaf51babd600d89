"""Whatever a client sends, the Graph simulator answers as Graph and stays intact."""

from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contacts.fields import MARK
from tests.integration.simulators.graph.in_process import ADA, BOX, EVENTUAL, GROUP, Simulator
from tests.local.graph.strict.metadata import TYPES
from tests.local.graph.strict.rules import RULES

OPTIONS = ("$select", "$filter", "$orderby", "$expand", "$top", "$skip", "$count", "$search")
LINKS = ("$skiptoken", "$deltatoken", "$format", "nonsense")
NAMES = sorted({name for properties in TYPES.values() for name in properties})
FRAGMENTS = (
    *("eq", "ne", "ge", "in", "and", "or", "not", "any", "startswith", "contains", "id", "'x'"),
    *("(", ")", ",", ":", "/", "null", "true", "5", "2026-01-01", "a", "a/address", "desc"),
    *("emailAddresses/any(a:a/address eq 'x')", "manager($select=id)", '"displayName:x"'),
    f"singleValueExtendedProperties/any(e:e/id eq '{MARK}' and e/value eq 'x')",
    f"singleValueExtendedProperties($filter=id eq '{MARK}')",
)
text = st.text(max_size=12)
expression = st.lists(st.sampled_from(FRAGMENTS) | st.sampled_from(NAMES) | text, max_size=7)
value = expression.map(" ".join) | st.sampled_from(("1", "true", "latest", "999", "²", "-1"))
queries = st.dictionaries(st.sampled_from((*OPTIONS, *LINKS)), value, max_size=3)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=6,
)
bodies = (
    st.none()
    | json
    | st.binary(max_size=20)
    | st.dictionaries(st.sampled_from((*NAMES, "ids", "types", "@odata.type")), json, max_size=4)
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(("application/json", "image/jpeg", "text/plain")) | text,
        "prefer": st.sampled_from(('IdType="ImmutableId"', "odata.maxpagesize=²")) | text,
        "if-match": text,
        "consistencylevel": st.just("eventual"),
    },
)


def answers(graph: Simulator, method: str, url: str, body: Any, given_headers: Any) -> None:
    """Send a request that may be answered by anything but a failure of the simulator."""
    expected = "$expand" in url and "delta" in url
    status = graph.ask(method, url, body, given_headers).status
    assert status != 500 or expected or isinstance(body, dict), url


def intact(graph: Simulator) -> None:
    """Check that lists still answer after whatever was written."""
    for url in ("contacts", "contactFolders", "contacts/delta", "outlook/masterCategories"):
        assert graph.ask("GET", f"{BOX}/{url}").status == 200


@settings(max_examples=100)
@given(route=st.sampled_from(sorted(RULES)), query=queries, body=bodies, sent=headers)
def test_any_query_and_body_has_an_answer(route: str, query: Any, body: Any, sent: Any) -> None:
    graph = Simulator()
    contact = graph.contact({"displayName": "X"})
    folder = graph.ask("POST", f"{BOX}/contactFolders", {"displayName": "F"}).body["id"]
    method, _, path = route.partition(" ")
    first = GROUP if "/groups" in path else ADA
    path = path.replace("{id}", first, 1)
    path = path.replace("contactFolders/{id}", f"contactFolders/{folder}")
    path = path.replace("{id}", contact)
    options = f"?{urlencode(query, quote_via=quote)}" if query else ""
    answers(graph, method, f"{path}{options}", body, sent)
    answers(graph, method, path, body, {**EVENTUAL, **sent})
    intact(graph)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(TYPES["contact"])), json, max_size=3))
def test_folder_with_any_accepted_contact_can_be_listed(body: Any) -> None:
    graph = Simulator()
    contact = graph.contact({"displayName": "X", "emailAddresses": [{"address": "a@x.example"}]})
    answers(graph, "POST", f"{BOX}/contacts", body, {})
    answers(graph, "PATCH", f"{BOX}/contacts/{contact}", body, {})
    intact(graph)


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("id", "method", "url", "headers", "body", "dependsOn")), json
        )
        | json,
        max_size=3,
    )
    | json
)
def test_any_batch_has_an_answer(steps: Any) -> None:
    graph = Simulator()
    answers(graph, "POST", "/$batch", {"requests": steps}, {})
    answers(graph, "POST", "/$batch", steps, {})


@settings(max_examples=40)
@given(st.text(max_size=30), st.sampled_from(("GET", "POST", "PATCH", "DELETE", "PUT")))
def test_any_path_has_an_answer(path: str, method: str) -> None:
    graph = Simulator()
    for url in (f"/{path}", f"/users/{quote(path)}/contacts", f"{BOX}/contacts?{path}"):
        answers(graph, method, url, None, {})
