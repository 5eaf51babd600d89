"""Publish a share, import it, and follow the run to its end, with a generated Python client.

Generate the client from `/api/openapi.json`:
`openapi-python-client generate --path openapi.json --output-path contact_sync_client --meta none`.
"""

import os
import sys
import time

from contact_sync_client.api.imports import create_import
from contact_sync_client.api.runs import get_run, list_run_results
from contact_sync_client.api.shares import create_share
from contact_sync_client.client import AuthenticatedClient
from contact_sync_client.models import ImportInput, Problem, ShareInput

client = AuthenticatedClient(os.environ["API"], token=os.environ["TOKEN"])


def done[T](answer: T | Problem | None) -> T:
    """Return what was answered; stop with the problem's words if it is one."""
    if answer is None or isinstance(answer, Problem):
        sys.exit(f"{answer.code}: {answer.detail}" if answer else "no answer")
    return answer


share = ShareInput.from_dict(
    {"name": "Everyone", "sources": {"groups": [{"id": os.environ["GROUP"]}]}}
)
share = done(create_share.sync(client=client, body=share, idempotency_key="quick start: share"))

wanted = {"name": "Colleagues", "shareId": share.id, "targets": {"users": [os.environ["MAILBOX"]]}}
wanted = ImportInput.from_dict(wanted)
made = done(create_import.sync(client=client, body=wanted, idempotency_key="quick start: import"))

run = done(get_run.sync(made.first_run, client=client))
while run.status in {"queued", "running"}:
    time.sleep(float(os.environ.get("WAIT", "10")))
    run = done(get_run.sync(run.id, client=client))

page = done(list_run_results.sync(run.id, client=client, top=1))
while True:
    for result in page.items:
        print(result.mailbox, result.outcome, result.contacts.created)
    if page.next_ is None:
        break
    page = done(list_run_results.sync(run.id, client=client, top=1, next_=page.next_))
print(run.status)
