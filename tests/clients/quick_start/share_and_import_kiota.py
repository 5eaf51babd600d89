"""Publish a share, import it, and follow the run to its end, with Kiota's Python client.

Generate the client from `/api/openapi.json`:
`kiota generate -l python -d openapi.json -o contact_sync -n contact_sync -c ContactSync`.
Kiota calls again by itself after too many calls (429), when Retry-After says.
"""

import asyncio
import os
from typing import Any

import httpx
from contact_sync.contact_sync import ContactSync
from contact_sync.models.group_source import GroupSource
from contact_sync.models.import_input import ImportInput
from contact_sync.models.import_patch import ImportPatch
from contact_sync.models.problem import Problem
from contact_sync.models.share_input import ShareInput
from contact_sync.models.sources import Sources
from contact_sync.models.targets import Targets
from contact_sync.runs.item.results.results_request_builder import ResultsRequestBuilder
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_http.httpx_request_adapter import HttpxRequestAdapter

known = os.environ


class Credentials(AccessTokenProvider):
    """Signs in with client credentials."""

    token = ""

    async def get_authorization_token(
        self, uri: str, additional_authentication_context: dict[str, Any] | None = None
    ) -> str:
        """Return the token, which is requested once."""
        if not self.token:
            form = {"grant_type": "client_credentials", "scope": known["SCOPE"]}
            form |= {"client_id": known["CLIENT_ID"], "client_secret": known["CLIENT_SECRET"]}
            async with httpx.AsyncClient() as http:
                answer = await http.post(known["TOKEN_ADDRESS"], data=form)
            self.token = answer.raise_for_status().json()["access_token"]
        return self.token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        """Send the token to the API only."""
        return AllowedHostsValidator([httpx.URL(known["API"]).host])


def with_header(name: str, value: str) -> RequestConfiguration[Any]:
    """Return the settings of a call with one header."""
    made = RequestConfiguration[Any]()
    made.headers.add(name, value)
    return made


async def main() -> None:
    """Do it."""
    adapter = HttpxRequestAdapter(BaseBearerTokenAuthenticationProvider(Credentials()))
    adapter.base_url = known["API"]
    client = ContactSync(adapter)

    sources = Sources(groups=[GroupSource(id=known["GROUP"])])
    share = await client.shares.post(
        ShareInput(name="Everyone", sources=sources),
        with_header("Idempotency-Key", "quick start: share"),
    )
    targets = Targets(users=[known["MAILBOX"]])
    made = await client.imports.post(
        ImportInput(name="Colleagues", share_id=share.id, targets=targets),
        with_header("Idempotency-Key", "quick start: import"),
    )

    of_run = client.runs.by_id(made.first_run)
    run = await of_run.get()
    while run.status in {"queued", "running"}:
        await asyncio.sleep(float(known.get("WAIT", "10")))
        run = await of_run.get()

    query = ResultsRequestBuilder.ResultsRequestBuilderGetQueryParameters(top=1)
    while True:
        page = await of_run.results.get(RequestConfiguration(query_parameters=query))
        for result in page.items:
            print(result.mailbox, result.outcome, result.contacts.created)
        if page.next is None:
            break
        query.next = page.next
    print(run.status)

    try:
        await of_run.retry.post()
    except Problem as problem:
        if problem.response_status_code != 409:
            raise
        print(problem.code)  # the state does not allow it: here, because nothing failed

    of_import, etag = client.imports.by_id(made.id), made.etag
    while True:
        try:
            renamed = await of_import.patch(ImportPatch(name="Team"), with_header("If-Match", etag))
            break
        except Problem as problem:
            if problem.response_status_code != 412:
                raise
            etag = (await of_import.get()).etag  # somebody changed it: read it again
    print(renamed.name)


asyncio.run(main())
