"""The whole local cloud behaves as Azure does, and starts and stops cleanly."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue.aio import QueueServiceClient

from tests.local import azurite
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.sources import ROOT

INDEX = """
import json
from azure_functions_runtime.loader import index_function_app
print(json.dumps({
    f.get_function_name(): next(
        b for b in map(json.loads, f.get_raw_bindings()) if b["type"].endswith("Trigger")
    )
    for f in index_function_app("function_app.py")
}))
"""


async def test_host_serves_exactly_the_functions_that_microsofts_worker_indexes(
    client: Client,
) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INDEX, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await worker.communicate()
    indexed: dict[str, Any] = json.loads(out)
    served = (await client.send("GET", f"{client.host}/_sim/functions")).expect(200).body
    by_name = {f["function"]: f["trigger"] for f in served}
    assert by_name == indexed
    text = (ROOT / "function_app.py").read_text("utf-8").split('"""')[1]
    assert not [name for name in indexed if name not in text], "function_app.py names every trigger"


async def test_path_that_no_function_serves_returns_404(client: Client) -> None:
    for method, path in (("GET", "/api/nothing"), ("DELETE", "/api/v1/shares")):
        assert (await client.send(method, f"{client.host}{path}")).status == 404


async def test_unknown_timer_returns_404_with_the_existing_ones(client: Client) -> None:
    reply = await client.send("POST", f"{client.host}/_sim/timer/nothing")
    assert reply.status == 404
    assert reply.body["timers"] == ["start_due_runs", "sweep_leftovers"]


async def test_message_that_always_fails_is_tried_five_times(
    cloud: LocalCloud, client: Client
) -> None:
    service = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    text = base64.b64encode(b'{"nobody": "wrote this"}').decode()
    log = cloud.logs / "host.log"
    before = log.read_text().count("start_run failed (")
    async with service:
        await service.get_queue_client("import-runs").send_message(text)
        await client.settle()
    after = log.read_text().count("start_run failed (")
    assert after - before == 5
    assert "is not ours" in log.read_text()


async def test_clock_of_the_app_can_be_set_and_reset(client: Client) -> None:
    url = f"{client.host}/_sim/clock"
    first = (await client.send("POST", url, {"now": "2030-05-01T00:00:00Z"})).body["now"]
    assert first.startswith("2030-05-01T00:00:00")
    reset = datetime.fromisoformat((await client.send("POST", url, {"now": None})).body["now"])
    assert abs(reset - datetime.now(UTC)) < timedelta(minutes=1)


async def test_missing_azurite_raises_an_error_with_an_install_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azurite, "_PROGRAM", tmp_path / "azurite.js")
    with pytest.raises(RuntimeError, match="make serve"):
        async with LocalCloud(build=tmp_path):
            pass

    assert not (tmp_path / "local.json").exists()


async def test_host_that_does_not_start_raises_an_error_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    cloud = LocalCloud(build=tmp_path, app=tmp_path)
    with pytest.raises(RuntimeError, match=r"host\.log"):
        async with cloud:
            pass

    assert not (tmp_path / "local.json").exists()
    assert open_ports(cloud.addresses) == []


async def test_app_with_wrong_settings_does_not_start_and_logs_them(
    tmp_path: Path,
) -> None:
    settings = {"APP_CREDENTIAL": "key-vault-secret", "KEY_VAULT_URI": "", "TRIAL_DAYS": "many"}
    cloud = LocalCloud(build=tmp_path, settings=settings)
    with pytest.raises(RuntimeError, match=r"host\.log"):
        async with cloud:
            pass

    logged = (cloud.logs / "host.log").read_text("utf-8")
    assert "ERROR shared.wiring.settings: Contact Sync does not start." in logged
    assert "KEY_VAULT_URI: APP_CREDENTIAL=key-vault-secret needs" in logged
    assert "TRIAL_DAYS: " in logged


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_prints_its_addresses_and_stops_everything_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.local", "serve", "--build", str(tmp_path),
        cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        lines = await until_ready(serving)
        addresses = json.loads((tmp_path / "local.json").read_text("utf-8"))
        opened = open_ports(addresses)
    finally:
        serving.send_signal(number)
        await serving.communicate()

    assert serving.returncode == 0
    assert set(addresses) == {
        "api", "portal", "graph", "graphHttps", "entra", "authority", "caFile", "storage",
        "clientId", "clientSecret",
    }  # fmt: skip
    assert addresses["graph"].endswith("/v1.0")
    assert addresses["api"].endswith("/api/v1")
    assert any(addresses["portal"] in line for line in lines)
    assert len(opened) == 8
    assert open_ports(addresses) == []
    assert not (tmp_path / "local.json").exists()


async def until_ready(serving: asyncio.subprocess.Process) -> list[str]:
    """The output until everything has started."""
    lines: list[str] = []
    while serving.stdout is not None and not any("Ctrl-C" in line for line in lines):
        line = await asyncio.wait_for(serving.stdout.readline(), 60)
        assert line, "the process ended during startup"
        lines.append(line.decode())
    return lines


def open_ports(addresses: Json) -> list[int]:
    """The ports of a local cloud that accept connections."""
    names = ("portal", "graph", "graphHttps", "entra", "authority", "storage")
    text = " ".join(str(addresses[name]) for name in names)
    ports = {int(port) for port in re.findall(r"(?:127\.0\.0\.1|localhost):(\d+)", text)}
    found = []
    for port in sorted(ports):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found
