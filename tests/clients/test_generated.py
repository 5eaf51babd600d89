"""Clients that common generators make from the served document, beyond the programs' own test.

`test_quick_start.py` compiles those of TypeScript and Python as a whole and runs programs on them.
"""

import json
import re
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from shared.web.openapi.document import document
from shared.web.openapi.examples import add_examples
from tests.clients import generators
from tests.infra.compiler.tools import KIOTA, left_out

needs_kiota = pytest.mark.skipif(bool(left_out(KIOTA)), reason=str(left_out(KIOTA)))


@needs_kiota
def test_kiotas_csharp_client_can_be_generated(tmp_path: Path) -> None:
    folder = tmp_path / "contact_sync"
    generators.kiota("csharp", generators.written(tmp_path), folder)

    assert not _csharp_conflicts(folder)
    assert not _csharp_unknown(folder)


def test_unknown_values_and_properties_break_no_client(tmp_path: Path) -> None:
    folder = tmp_path / "contact_sync_client"
    generators.python_client(generators.written(tmp_path), folder)
    components = deepcopy(document()["components"]["schemas"])
    _grow(components)
    add_examples(components)
    answers = {name: schema["examples"][0] for name, schema in components.items()}
    (tmp_path / "answers.json").write_text(json.dumps(answers), "utf-8")

    generators.run(sys.executable, "-c", READ, cwd=tmp_path)


READ = """
import json
from contact_sync_client import models
for name, answer in json.load(open("answers.json")).items():
    getattr(models, name).from_dict({**answer, "inFuture": "novel"})
"""


def _grow(value: object) -> None:
    """Replace every known value of an enumeration that may grow by one that nobody knows."""
    if isinstance(value, list):
        for item in value:
            _grow(item)
    elif isinstance(value, dict):
        value.pop("examples", None)
        if "x-extensible-enum" in value:
            value["x-extensible-enum"] = ["novel"]
        for item in value.values():
            _grow(item)


def test_components_have_names_that_a_reader_would_use() -> None:
    for name in document()["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        assert not name.endswith(("View", "Member", "Model")), name


def _csharp_conflicts(folder: Path) -> list[str]:
    """What a compiler would refuse although it parses: a member with the name of its class."""
    return [
        path.name
        for path in folder.rglob("*.cs")
        if re.search(rf"public \S+ {path.stem}\b *\{{", path.read_text("utf-8"))
    ]


def _csharp_unknown(folder: Path) -> set[str]:
    """What a compiler would not find: types that no file declares."""
    texts = [path.read_text("utf-8") for path in folder.rglob("*.cs")]
    declared, named = set[str](), set[str]()
    for text in texts:
        space = re.findall(r"^namespace (\S+)", text, re.MULTILINE)[0]
        types = re.findall(r"^ +public (?:partial )?(?:class|enum) (\w+)", text, re.MULTILINE)
        declared |= {f"{space}.{types[0]}", *(f"{space}.{types[0]}.{name}" for name in types[1:])}
        named |= set(re.findall(r"global::(contact_sync[\w.]*)", text, re.IGNORECASE))
    # After a type comes the name of a member, such as that of the method that makes an object.
    return {name for name in named if not {name, name.rpartition(".")[0]} & declared}
