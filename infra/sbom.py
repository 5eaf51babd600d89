"""What the package contains: a CycloneDX SBOM of its Python packages."""

from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL


def sbom(packages: Path, version: str) -> str:
    """Return the SBOM (CycloneDX 1.6, JSON) of the app and the packages installed in a folder.

    It names what is there, not what was asked for, with versions and licenses as they say.
    """
    bom, root = Bom(), _app(version)
    bom.metadata.component = root
    found = [_component(d) for d in sorted(distributions(path=[str(packages)]), key=_name)]
    for component in found:
        bom.components.add(component)
    bom.register_dependency(root, found)
    writer = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
    return writer.output_as_string(indent=2)


def _app(version: str) -> Component:
    return Component(
        name="contact-sync", version=version, type=ComponentType.APPLICATION, bom_ref="contact-sync"
    )


def _component(found: Distribution) -> Component:
    name, version = _name(found), found.version
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        name=name, version=version, purl=purl, bom_ref=str(purl), licenses=_licenses(found)
    )


def _licenses(found: Distribution) -> list[License]:
    """Return the license that a package declares; none if it declares a whole text or nothing."""
    classifiers = found.metadata.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    given = [found.metadata.get(key) or "" for key in ("License-Expression", "License")]
    said = next((text for text in [*given, *named] if text and "\n" not in text), "")
    return [LicenseFactory().make_from_string(said)] if said else []


def _name(found: Distribution) -> str:
    return found.metadata["Name"].lower().replace("_", "-").replace(".", "-")
