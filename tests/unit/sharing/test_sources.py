"""The contract of every source of contacts; a new one is tested as soon as it is registered."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import pytest

from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.contacts.mapping import clean
from shared.domain.errors import ContactSyncError, TransientError
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.domain.sharing.shares import ShareInput, Sources
from shared.services.sharing.resolution import Resolution, add_source
from shared.services.sharing.sources.registry import SOURCES
from shared.services.sharing.sources.source import Source
from tests.unit.sharing.any_graph import GONE, AnyGraph

SCHEMA: Final[dict[str, Any]] = Sources.model_json_schema()
RULES: Final = {"exclude", "filter"}
"""What a share's sources say beside naming people."""

every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)


def _id(first: str) -> str:
    return f"{first:0<8}-0000-4000-8000-000000000000"


def examples(schema: dict[str, Any]) -> Iterator[Any]:
    """Values that a schema allows, with every choice that it gives."""
    while "$ref" in schema or "anyOf" in schema:
        if "anyOf" in schema:
            schema = schema["anyOf"][0]
        else:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    match schema:
        case {"enum": values}:
            yield from values
        case {"type": "boolean"}:
            yield True
        case {"type": "array", "items": items}:
            yield list(islice(examples(items), schema.get("maxItems")))
        case {"type": "object", "properties": properties}:
            least = {n: next(examples(properties[n])) for n in schema.get("required", ())}
            yield least
            for name, given in properties.items():
                for value in examples(given):
                    yield {**least, name: value}
            yield {name: next(examples(given)) for name, given in properties.items()}
        case {"type": "string"}:
            texts = (_id("0a"), _id("0B"), f"{GONE}{_id('')[8:]}", "one@x.example", "two@x.example")
            yield from (t for t in texts if re.search(schema.get("pattern", ""), t))


def wanted(source: Source, **more: Any) -> Selection:
    """What a share selects that asks this source, and as far as possible no other, for all."""
    sources: dict[str, Any] = {}
    for setting in source.settings:
        name = str(Sources.model_fields[setting].alias)
        (sources[name],) = examples(SCHEMA["properties"][name])
    return Selection(ShareInput.model_validate({"name": "Share", "sources": sources, **more}))


async def read(source: Source, graph: AnyGraph, **more: Any) -> Resolution:
    resolution = Resolution()
    await add_source(resolution, source, wanted(source, **more), graph.session())
    return resolution


def test_every_kind_and_every_setting_has_its_source() -> None:
    read_by_some = {setting for source in SOURCES for setting in source.settings}

    assert sorted(source.kind for source in SOURCES) == sorted(ContactKind)
    assert read_by_some == set(Sources.model_fields) - RULES


@every_source
async def test_keys_are_of_the_sources_kind_and_stay_the_same(source: Source) -> None:
    first = await read(source, AnyGraph())
    second = await read(source, AnyGraph(capitals=True))

    keys = [ContactKey.parse(text) for text in first.contacts]
    assert keys
    assert {key.kind for key in keys if key} == {source.kind}
    assert [str(key) for key in keys] == list(first.contacts)
    assert first.contacts == second.contacts


@every_source
async def test_every_object_becomes_a_contact_or_an_omission_with_a_reason(source: Source) -> None:
    graph, resolution = AnyGraph(), await read(source, AnyGraph())

    entries = [e async for e in source.read(wanted(source), graph.session())]
    for entry in entries:
        published = str(ContactKey(source.kind, entry.id)) in resolution.contacts
        assert published != (resolution.contents().why_omitted(entry.id) is not None)

    assert graph.served <= {entry.id.lower() for entry in entries}
    assert {o.id for o in resolution.omissions.values()} <= {entry.id for entry in entries}


@every_source
@pytest.mark.parametrize("within_batches", [False, True])
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_a_failed_request_fails_the_whole_source(
    source: Source, status: int, *, within_batches: bool
) -> None:
    graph = AnyGraph()
    await read(source, graph)

    for number in graph.batches if within_batches else range(graph.requests):
        failing = AnyGraph(fail_at=number, failure=status, within_batches=within_batches)
        with pytest.raises(ContactSyncError):
            await read(source, failing)


@every_source
async def test_a_missing_property_fails_the_source_instead_of_counting_as_empty(
    source: Source,
) -> None:
    graph = AnyGraph()
    await read(source, graph)

    for name in graph.asked:
        with pytest.raises(TransientError):
            await read(source, AnyGraph(without=name))


@every_source
@pytest.mark.parametrize("policy", [None, ["mobilePhone", "department"], []])
async def test_fields_are_clean_and_only_those_that_the_share_publishes(
    source: Source, policy: list[str] | None
) -> None:
    names = wanted(source, fields=policy).names

    resolution = await read(source, AnyGraph(), fields=policy)

    for contact in resolution.contacts.values():
        assert contact.fields["displayName"]
        assert contact.fields.keys() <= names | {"fileAs"}
        assert clean(contact.fields) == (contact.fields, False)


@every_source
async def test_requests_grow_with_pages_only(source: Source) -> None:
    small, large, longer = AnyGraph(size=2), AnyGraph(size=100), AnyGraph(size=2, pages=4)

    for graph in (small, large, longer):
        await read(source, graph)

    assert large.requests == small.requests
    assert longer.requests <= 2 * small.requests


@every_source
async def test_an_excluded_object_becomes_no_contact(source: Source) -> None:
    graph = AnyGraph()
    everybody = await read(source, graph)
    excluding = wanted(source)
    people = sorted(graph.served)
    given = excluding.sources.values_of(Sources) | {"exclude": people}
    sources = Sources.model_construct(**given)
    share = ShareInput(name="Share", sources=sources)
    resolution = Resolution()

    await add_source(resolution, source, Selection(share), AnyGraph().session())

    excluded = {str(ContactKey(source.kind, id_)) for id_ in people}
    assert resolution.contacts.keys() == everybody.contacts.keys() - excluded
    assert {resolution.contents().why_omitted(id_) for id_ in people} <= {Reason.EXCLUDED}
