"""What customers are told about stored data is what the code stores."""

import re

from shared.adapters.storage.tables.names import Keyed, Table
from tests.papers import rows
from tests.sources import ROOT, SHARED, files
from tests.unit.project.queues import declared_queues

PAPER = ROOT / "infra" / "data-protection.md"
STORED = "What is stored where, and for how long"


def test_every_table_is_described_as_the_code_declares_it() -> None:
    described = rows(PAPER, STORED)

    assert described == [
        [f"`{table}`", table.holds, table.personal, table.kept, table.on_leaving]
        for table in sorted(Table)
    ]
    assert all(all(cell for cell in row) for row in described)


def test_tables_are_reached_by_their_declared_names_only() -> None:
    """So that erasing and exporting a tenant, which go through `Table`, leave nothing out."""
    for file in files(SHARED, "*.py"):
        text = file.read_text("utf-8")
        assert file.name == "client.py" or not re.search(r"\.get_table_client\(", text), file
    kept = [table for table in Table if table.keyed is Keyed.WITHOUT_TENANT]
    assert kept == [Table.SHARE_INDEX]
    assert "without the publisher" in Table.SHARE_INDEX.on_leaving


def test_every_queue_is_named() -> None:
    text = PAPER.read_text("utf-8")

    assert [queue for queue in declared_queues() if f"`{queue}`" not in text] == []
