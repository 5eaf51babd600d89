"""Hooks of schemathesis: which items exist, and which rules a schema cannot express."""

import os
from typing import Any
from urllib.parse import quote

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

IDS = {
    "/shares/": os.environ["SHARE"],
    "/publications/": os.environ["SHARE"],
    "/people/": os.environ["PERSON"],
    "/operator/tenants/": os.environ["TENANT"],
    "/imports/": os.environ["IMPORT"],
    "/runs/": os.environ["RUN"],
}
OTHER_IDS = {
    "change_import": os.environ["OTHER_IMPORT"],  # IMPORT keeps its targets
    "adopt_contacts": os.environ["PAUSED_IMPORT"],  # it has no folder yet
}
BODIES: dict[str, Any] = {
    "create_import": {"shareId": os.environ["SHARE"]},
    "estimate_import": {"targets": {"users": [os.environ["MAILBOX"]]}},
    "preview_import": {"mailbox": os.environ["MAILBOX"]},
    "start_tenant_check": {"mailbox": os.environ["MAILBOX"], "outside": os.environ["PERSON"]},
    "adopt_contacts": {"mailbox": os.environ["MAILBOX"], "folder": os.environ["FOLDER"]},
}
LONGEST = 1_500
BEYOND_SCHEMAS = {
    "create_share": {"sources", "access", "access.expires", "fields"},
    "change_share": {"sources", "access", "access.expires", "fields"},
    "create_import": {"targets"},
    "estimate_import": {"targets"},
    "leave_service": {"tenant"},
    "start_tenant_check": {"outside"},
    "list_ledger": {"next", "after"},
    "list_license_assignments": {"next"},
    "export_tenant": {"next"},
    "list_tenants": {"next"},
    "list_notice_deliveries": {"next"},
    "set_teams_workflow": {"url"},
    "set_webhook": {"url"},
    "change_import": {"targets", "shareId"},
    "preview_import": {"mailbox"},
    "list_shares": {"next"},
    "list_imports": {"next"},
    "list_import_runs": {"next"},
    "list_runs": {"next"},
    "list_run_results": {"next"},
}
"""For each operation, the fields that may be refused although they match the schema."""


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Send known values only, and expect no others: those that a document of today names.

    A third of all calls would repeat others. So a body that has two media types is sent as one of
    them (test_openapi.py sends both), and objects in a list are varied where they are created: a
    patch replaces the whole list, and the same model reads it.
    """
    del context
    _close(raw_schema)
    _vary_lists_once(raw_schema["components"]["schemas"])
    for schema in raw_schema["components"]["schemas"].values():
        _forbid_others(schema)
    for path in raw_schema["paths"].values():
        for operation in path.values():
            _send_one_media_type(operation)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Point valid calls at existing items; the stateful phase creates its own."""
    del context, kwargs
    name = str(case.operation.definition.raw["operationId"])
    stateful = case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL
    if not stateful and case.method != "DELETE" and _valid(case, ParameterLocation.PATH):
        for beginning, id_ in IDS.items():
            if case.path.startswith(beginning):
                case.path_parameters["id"] = OTHER_IDS.get(name, id_)
        if "tenant" in case.path_parameters:
            case.path_parameters["tenant"] = os.environ["TENANT"]
    for parameter, value in (case.query or {}).items():
        # The gateway takes no longer query; a text that is too long stays too long.
        if isinstance(value, str) and len(quote(value)) > LONGEST:
            case.query[parameter] = "x" * min(len(value), LONGEST)
    wrong = case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE
    if isinstance(case.body, dict) and not wrong and _valid(case, ParameterLocation.BODY):
        case.body |= BODIES.get(name, {})


@schemathesis.check
def only_rules_beyond_schemas_refuse_valid_data(
    ctx: CheckContext, response: Response, case: Case[Any]
) -> None:
    """Check that data that matches the schema is refused for the listed fields only."""
    del ctx
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code == 400:
        errors = response.json().get("errors", ())
        fields = {error["field"] for error in errors}
        allowed = BEYOND_SCHEMAS.get(str(case.operation.definition.raw["operationId"]), set())
        assert errors, "no field is named"
        assert fields <= allowed, f"{sorted(fields - allowed)} match the schema"


def _close(value: object) -> None:
    if isinstance(value, list):
        for item in value:
            _close(item)
    elif isinstance(value, dict):
        if (known := value.pop("x-extensible-enum", None)) is not None:
            value["enum"] = [*known, None] if "null" in value["type"] else known
        for item in value.values():
            _close(item)


def _send_one_media_type(operation: dict[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    first, *others = content or [None]
    for other in others:
        assert content[other] == content[first], "each media type needs its own calls"
        del content[other]


def _vary_lists_once(schemas: dict[str, Any]) -> None:
    for name, schema in schemas.items():
        created = schemas.get(name.removesuffix("Patch"), {}).get("properties", {})
        if not name.endswith("Patch") or not created:
            continue
        for field, value in list(schema["properties"].items()):
            items = value.get("items", {})
            if "$ref" in items and items == created.get(field, {}).get("items"):
                del schema["properties"][field]


def _forbid_others(schema: dict[str, Any]) -> None:
    """Let a schema say that the API refuses unknown properties, and that it answers with none.

    The document does not, because clients must take properties that a later version adds.
    """
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for value in schema.get("properties", {}).values():
        _forbid_others(value)
        _forbid_others(value.get("items", {}))


def _valid(case: Case[Any], part: ParameterLocation) -> bool:
    component = case.meta.components.get(part) if case.meta is not None else None
    return component is not None and component.mode is GenerationMode.POSITIVE
