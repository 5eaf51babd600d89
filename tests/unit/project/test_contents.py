"""function_app.py is the table of contents: it names every function, and nothing else."""

import function_app
from tests.unit.project import contents


def test_table_of_contents_lists_the_functions_that_exist() -> None:
    text = contents.FILE.read_text("utf-8")

    assert contents.written(text) == text, "run `make openapi`"


def test_every_module_of_the_packages_declares_functions() -> None:
    found = contents.functions()

    assert function_app.app is not None
    assert all(names for modules in found.values() for names in modules.values())
    assert sum(len(names) for modules in found.values() for names in modules.values()) > 100
