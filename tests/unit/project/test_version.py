"""The version stands in one place, and reaches everyone who asks for it."""

import tomllib
from importlib import util
from pathlib import Path

import pytest

from infra.package import elsewhere
from shared.portal.rendering import render
from shared.web.openapi.document import document
from shared.web.version import VERSION
from tests.sources import ROOT, SHARED, text


def test_pyproject_reads_the_version_from_the_app() -> None:
    project = tomllib.loads(text("pyproject.toml"))

    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "shared.web.version.VERSION"
    }


def test_the_document_of_the_api_has_the_version() -> None:
    assert document()["info"]["version"] == VERSION


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_footer_of_a_page_shows_the_version(language: str) -> None:
    class Page:
        """A page for somebody who is not signed in."""

        def __init__(self) -> None:
            self.language = language
            self.caller = self.company = self.notice = self.area = None
            self.path, self.token, self.support = "/", "", ""

    assert f"<span>Version {VERSION}</span>" in render("base", language, page=Page())


@pytest.mark.parametrize(
    ("system", "machine", "fits"),
    [
        ("Linux", "x86_64", True),
        ("Linux", "aarch64", False),
        ("Darwin", "arm64", False),
        ("Windows", "AMD64", False),
    ],
)
def test_package_says_where_it_is_built(system: str, machine: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    refused = elsewhere(system, machine)

    assert (refused == "") is fits
    assert fits or (machine in refused and "infra/README.md" in refused)


def test_the_deployed_package_has_the_version_and_no_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = util.spec_from_file_location("package", ROOT / "infra" / "package.py")
    assert spec is not None
    assert spec.loader is not None
    package = util.module_from_spec(spec)
    spec.loader.exec_module(package)
    monkeypatch.setattr(package, "STAGE", tmp_path)

    assert (SHARED / "README.md").exists()
    package.copy("shared")

    assert (tmp_path / "shared" / "web" / "version.py").exists()
    assert list(tmp_path.rglob("*.md")) == []
