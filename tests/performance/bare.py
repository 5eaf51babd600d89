"""What the calls of one check cost by themselves: one `$batch` of 20 and its table calls.

The same clients send the same requests, and nothing is done with the answers.
"""

import time
from typing import Any, Final

import orjson

from shared.adapters.graph.transport import complete
from shared.adapters.graph.wire import WireRequest
from shared.adapters.storage.mailboxes.chunk_links import is_links_row, links_row
from shared.adapters.storage.snapshots import CHUNK
from tests.performance.engine import Engine

_TIMES: Final = 60


async def cpu_ms(engine: Engine, tenant: str, import_id: str) -> float:
    """Return the CPU per mailbox of a check's calls, in milliseconds."""
    base = engine.app.base
    tables = {
        name: base.ports.tables.get_table_client(name)
        for name in ("Imports", "MailboxHeads", "Results")
    }
    partition = f"{tenant}|{import_id}"
    heads = [
        str(entity["RowKey"])
        async for entity in tables["MailboxHeads"].query_entities(
            "PartitionKey eq @p", parameters={"p": partition}, select=["RowKey"]
        )
    ]
    mailboxes = [row for row in heads if not is_links_row(row)][:CHUNK]
    found = await base.states.neighbors(tenant, import_id, mailboxes)
    links = await tables["MailboxHeads"].get_entity(partition, links_row(mailboxes))
    result: dict[str, Any] = {
        "PartitionKey": f"{tenant}|bench",
        "RowKey": "x~",
        "body00": "x" * 3000,
    }
    session = base.graph.session(tenant)
    batch = {
        "requests": [
            {
                "id": str(number),
                "method": "GET",
                "url": session.below(str(found.link(mailbox))),
                "headers": complete({}),
            }
            for number, mailbox in enumerate(mailboxes)
        ]
    }
    given = {"p": partition, "first": mailboxes[0], "last": links_row(mailboxes)}
    query = "PartitionKey eq @p and RowKey ge @first and RowKey le @last"
    endpoint = engine.app.settings.graph_endpoint.rstrip("/")

    async def once() -> None:
        await tables["Imports"].get_entity(tenant, f"~{import_id}")
        async for _ in tables["MailboxHeads"].query_entities(query, parameters=given):
            pass
        body = orjson.dumps(batch)
        request = WireRequest(tenant, "POST", f"{endpoint}/$batch", complete({}), body)
        orjson.loads((await base.ports.wire.send(request)).content)
        await tables["MailboxHeads"].upsert_entity(links)
        await tables["Results"].upsert_entity(result)

    await once()
    begun = time.process_time()
    for _ in range(_TIMES):
        await once()
    spent = time.process_time() - begun
    await tables["Results"].delete_entity(result["PartitionKey"], result["RowKey"])
    return spent * 1_000 / _TIMES / len(mailboxes)
