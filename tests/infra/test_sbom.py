"""The list of what the package contains."""

import json
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.sbom import sbom


def installed(folder: Path, name: str, version: str, *more: str) -> None:
    """Put the metadata of a package into a folder, as an installer does."""
    metadata = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *more, "", ""]
    path = folder / f"{name}-{version}.dist-info"
    path.mkdir()
    (path / "METADATA").write_text("\n".join(metadata), "utf-8")


def test_sbom_names_each_installed_package_with_version_and_license(tmp_path: Path) -> None:
    installed(tmp_path, "First", "1.0", "License-Expression: MIT OR Apache-2.0")
    installed(tmp_path, "second_one", "2.1", "Classifier: License :: OSI Approved :: BSD License")
    installed(tmp_path, "third", "3.0", "License: all of a license", "        in many lines")

    text = sbom(tmp_path, "0.9.0")
    made = json.loads(text)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert made["metadata"]["component"]["version"] == "0.9.0"
    assert [(c["purl"], c.get("licenses")) for c in made["components"]] == [
        ("pkg:pypi/first@1.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("pkg:pypi/second-one@2.1", [{"license": {"name": "BSD License"}}]),
        ("pkg:pypi/third@3.0", None),
    ]
