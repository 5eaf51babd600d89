"""Publish a share, import it, and follow the run to its end, with a generated Python client.

Generate the client from `/api/openapi.json`:
`openapi-python-client generate --path openapi.json --output-path contact_sync_client --meta none`.
"""

import os
import time
from typing import Any

import httpx
from contact_sync_client.api.imports import change_import, create_import, get_import
from contact_sync_client.api.runs import get_run, list_run_results, retry_run
from contact_sync_client.api.shares import create_share
from contact_sync_client.client import AuthenticatedClient
from contact_sync_client.models import ImportInput, ImportPatch, Problem, ShareInput

known = os.environ
form = {"grant_type": "client_credentials", "scope": known["SCOPE"]}
form |= {"client_id": known["CLIENT_ID"], "client_secret": known["CLIENT_SECRET"]}
token = httpx.post(known["TOKEN_ADDRESS"], data=form).raise_for_status().json()["access_token"]
client = AuthenticatedClient(known["API"], token=token)


class Refused(Exception):
    """The API refused a call; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


def ask(operation: Any, *ids: str, **given: object) -> Any:
    """Call an operation, and again after too many calls (429), when Retry-After says."""
    while True:
        answer = operation.sync_detailed(*ids, client=client, **given)
        if not isinstance(answer.parsed, Problem):
            return answer.parsed
        if not answer.parsed.type_.endswith(":too-many-requests"):
            raise Refused(answer.parsed)
        time.sleep(int(answer.headers["Retry-After"]))


share = {"name": "Everyone", "sources": {"groups": [{"id": known["GROUP"]}]}}
share = ask(create_share, body=ShareInput.from_dict(share), idempotency_key="quick start: share")
wanted = {"name": "Colleagues", "shareId": share.id, "targets": {"users": [known["MAILBOX"]]}}
wanted = ImportInput.from_dict(wanted)
made = ask(create_import, body=wanted, idempotency_key="quick start: import")

run = ask(get_run, made.first_run)
while run.status in {"queued", "running"}:
    time.sleep(float(known.get("WAIT", "10")))
    run = ask(get_run, run.id)

page = ask(list_run_results, run.id, top=1)
while True:
    for result in page.items:
        print(result.mailbox, result.outcome, result.contacts.created)
    if page.next_ is None:
        break
    page = ask(list_run_results, run.id, top=1, next_=page.next_)
print(run.status)

try:
    ask(retry_run, run.id)
except Refused as refused:
    if refused.problem.status != 409:
        raise
    print(refused.problem.code)  # the state does not allow it: here, because nothing failed

etag = made.etag
while True:
    try:
        renamed = ask(change_import, made.id, body=ImportPatch(name="Team"), if_match=etag)
        break
    except Refused as refused:
        if refused.problem.status != 412:
            raise
        etag = ask(get_import, made.id).etag  # somebody changed it: read it again
print(renamed.name)
