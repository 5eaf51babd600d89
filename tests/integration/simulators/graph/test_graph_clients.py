"""The official clients of Microsoft can talk to the simulators, with nothing but local.json."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import RetryHandlerOption
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.contact_folder import ContactFolder
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.physical_address import PhysicalAddress
from msgraph.generated.models.single_value_legacy_extended_property import (
    SingleValueLegacyExtendedProperty,
)
from msgraph.generated.users.item.contact_folders.item.contacts.delta.delta_request_builder import (
    DeltaRequestBuilder,
)
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from shared.domain.contacts.fields import MARK
from tests.integration.engine.graph import graph_token
from tests.local.cloud import LocalCloud
from tests.local.graph.strict import derive
from tests.world import World


@pytest.fixture
async def sdk(cloud: LocalCloud, world: World) -> AsyncIterator[GraphServiceClient]:
    """The SDK, signed in as an app with the addresses in local.json."""
    found = json.loads((cloud.logs.parent / "local.json").read_text("utf-8"))
    credential = ClientSecretCredential(
        world.tenant,
        found["clientId"],
        found["clientSecret"],
        authority=found["authority"],
        disable_instance_discovery=True,
        connection_verify=found["caFile"],
    )
    provider = AzureIdentityAuthenticationProvider(
        credential,
        scopes=["https://graph.microsoft.com/.default"],
        allowed_hosts=["127.0.0.1"],
    )
    option = RetryHandlerOption(max_retries=0)
    transport = httpx.AsyncHTTPTransport()
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(base_url=found["graph"], transport=transport),
        options={option.get_key(): option},
    )
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = found["graph"]
    yield GraphServiceClient(request_adapter=adapter)
    await http.aclose()
    # The SDK's transport does not close the one it wraps.
    await transport.aclose()
    await credential.close()


def asked(**options: Any) -> Any:
    return RequestConfiguration(
        query_parameters=UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(**options)
    )


def test_table_of_properties_is_that_of_the_sdk() -> None:
    assert derive.FILE.read_text("utf-8") == derive.written(derive.derive())


async def test_sdk_writes_and_reads_contacts_by_its_typed_models(
    sdk: GraphServiceClient, world: World
) -> None:
    box = sdk.users.by_user_id(world.targets[0])
    mark = SingleValueLegacyExtendedProperty(id=MARK, value="x")
    folder = await box.contact_folders.post(
        ContactFolder(display_name="Typed", single_value_extended_properties=[mark])
    )
    assert folder is not None
    contacts = box.contact_folders.by_contact_folder_id(str(folder.id)).contacts
    made = await contacts.post(
        Contact(
            given_name="Ada",
            surname="Lovelace",
            business_phones=["+49 1"],
            email_addresses=[EmailAddress(address="ada@x.example", name="Ada")],
            business_address=PhysicalAddress(city="London"),
            single_value_extended_properties=[mark],
        )
    )
    assert made is not None
    assert made.display_name == "Ada Lovelace"
    assert made.created_date_time is not None
    one = contacts.by_contact_id(str(made.id))
    changed = await one.patch(Contact(job_title="Countess"))
    assert changed is not None
    assert (changed.job_title, changed.surname) == ("Countess", "Lovelace")
    await one.photo.content.put(b"\xff\xd8photo", _of_type("image/jpeg"))
    assert await one.photo.content.get() == b"\xff\xd8photo"
    page = await contacts.get()
    assert page is not None
    assert page.value is not None
    assert [c.business_address.city for c in page.value if c.business_address] == ["London"]
    await one.delete()
    with pytest.raises(ODataError) as refused:
        await one.get()
    assert refused.value.response_status_code == 404
    assert refused.value.error is not None
    assert refused.value.error.code == "ErrorItemNotFound"


async def test_sdk_follows_delta_links(sdk: GraphServiceClient, world: World) -> None:
    box = sdk.users.by_user_id(world.targets[0])
    folder = await box.contact_folders.post(ContactFolder(display_name="Delta"))
    assert folder is not None
    contacts = box.contact_folders.by_contact_folder_id(str(folder.id)).contacts
    await contacts.post(Contact(display_name="First"))
    first = await contacts.delta.get()
    assert first is not None
    assert first.value is not None
    assert [c.display_name for c in first.value] == ["First"]
    await contacts.post(Contact(display_name="Second"))
    link = str(first.odata_delta_link)
    second = await DeltaRequestBuilder(sdk.request_adapter, link).get()
    assert second is not None
    assert second.value is not None
    assert [c.display_name for c in second.value] == ["Second"]


async def test_sdk_queries_the_directory(sdk: GraphServiceClient, world: World) -> None:
    page = await sdk.users.get(asked(select=["id", "displayName"], top=3))
    assert page is not None
    assert len(page.value or ()) == 3
    following = await sdk.users.with_url(str(page.odata_next_link)).get()
    assert following is not None
    assert len(following.value or ()) == 3
    advanced = asked(count=True, filter="endsWith(mail,'@example.com')", orderby=["displayName"])
    advanced.headers.add("ConsistencyLevel", "eventual")
    counted = await sdk.users.get(advanced)
    assert counted is not None
    assert counted.odata_count == len(world.users)
    members = await sdk.groups.by_group_id(world.group).members.get()
    assert members is not None
    assert {type(m).__name__ for m in members.value or ()} == {"User"}
    changes = await sdk.users.delta.get()
    assert changes is not None
    assert len(changes.value or ()) == len(world.users)
    with pytest.raises(ODataError) as refused:
        await sdk.users.get(asked(select=["nonsense"]))
    assert refused.value.response_status_code == 400


async def test_answers_have_the_headers_of_graph(world: World) -> None:
    token = await graph_token(world.client, world.tenant)
    sent = {
        "Authorization": f"Bearer {token}",
        "client-request-id": "mine",
        "Accept-Encoding": "gzip",
    }
    url = f"{world.client.addresses['graph']}/users"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(url, headers=sent) as found:
            headers, raw = found.headers, await found.read()
        async with session.get(f"{url}?$top=x", headers=sent) as refused:
            error = (await refused.json())["error"]["innerError"]
            assert error["request-id"] == refused.headers["request-id"]
            assert error["client-request-id"] == "mine"
    assert headers["client-request-id"] == "mine"
    assert len(headers["request-id"]) == 36
    assert headers["OData-Version"] == "4.0"
    assert "ServerInfo" in headers["x-ms-ags-diagnostic"]
    assert headers["Content-Type"].startswith("application/json;odata.metadata=minimal;")
    assert headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(raw))["value"]) == len(world.users)


def test_local_json_names_the_authority_and_its_certificate(cloud: LocalCloud) -> None:
    assert cloud.addresses["authority"].startswith("https://")
    assert "BEGIN CERTIFICATE" in Path(cloud.addresses["caFile"]).read_text("utf-8")


def _of_type(content_type: str) -> Any:
    made: RequestConfiguration[Any] = RequestConfiguration()
    made.headers.add("Content-Type", content_type)
    return made
