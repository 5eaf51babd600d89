"""Build build/package.zip: the app and its packages, as Flex Consumption runs them.

Azure's remote build times out after a minute, so the package is built here: the wheels of
requirements.txt, checked by hash, for Linux on x86-64. Everything is compiled, which saves a worker
seconds at its start; a zip does not keep exact times, so Python does not compare them (docs:
py_compile). Microsoft's typed models of Graph (200 MB, never imported; see `KEPT`) and what comes
with Redoc are left out, and a last step imports the app from the package alone. build/sbom.json
lists what it contains.
"""

import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.sbom import sbom
from shared.web.version import VERSION

ROOT: Final = Path(__file__).parents[1]
STAGE: Final = ROOT / "build" / "package"
ZIP: Final = ROOT / "build" / "package.zip"
SBOM: Final = ROOT / "build" / "sbom.json"
PACKAGES: Final = STAGE / ".python_packages" / "lib" / "site-packages"
APP: Final = ("function_app.py", "host.json", "shared")
PYTHON: Final = (3, 13)
MACHINE: Final = ("Linux", "x86_64")
LEFT_OUT: Final = ("__pycache__", "*.md")
"""What is not copied from the app's folders: Azure needs no documents."""
KEPT: Final = frozenset({"__init__.py", "base_graph_service_client.py"})
"""What is kept of msgraph.generated: the modules that msgraph itself imports."""

_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
_IMPORT: Final = """
import importlib, pkgutil, sys, time
stage, packages = sys.argv[1:]
sys.path[:0] = [stage, packages]
before = time.perf_counter()
import function_app
took = time.perf_counter() - before
import shared
for module in pkgutil.walk_packages(shared.__path__, "shared."):
    importlib.import_module(module.name)
loaded = [str(getattr(module, "__file__", "")) for module in list(sys.modules.values())]
foreign = [file for file in loaded if "site-packages" in file and not file.startswith(packages)]
assert not foreign, f"not from the package: {foreign}"
print(f"function_app imports in {took:.2f} s")
"""


def main() -> None:
    """Build the package, test that it imports, zip it, and print its size."""
    if refused := elsewhere(platform.system(), platform.machine()):
        sys.exit(refused)
    if sys.version_info[:2] != PYTHON:
        wanted = ".".join(map(str, PYTHON))
        sys.exit(
            f"Azure runs Python {wanted}, so the package has to be compiled with it. Use {wanted}."
        )
    shutil.rmtree(STAGE, ignore_errors=True)
    install()
    prune()
    for name in APP:
        copy(name)
    # Without a .funcignore, azd would leave out all compiled files.
    (STAGE / ".funcignore").write_text("# Deploy everything in this folder.\n", "utf-8")
    compile_all()
    print(trial().strip())
    pack()
    SBOM.write_text(sbom(PACKAGES, VERSION), "utf-8")
    unpacked = sum(path.stat().st_size for path in files())
    sizes = f"{ZIP.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked"
    print(f"{ZIP.relative_to(ROOT)}: {sizes}, {sum(1 for _ in files())} files")


def elsewhere(system: str, machine: str) -> str:
    """Return why the package cannot be built on a machine; '' if it can.

    Its last step imports compiled files for Linux on x86-64.
    """
    if (system, machine.replace("AMD64", "x86_64")) == MACHINE:
        return ""
    return (
        f"The package is built and tried on Linux x86-64 only; this is {system} {machine}. "
        "infra/README.md (Deploy) has the commands for macOS, Windows and Linux on ARM."
    )


def install() -> None:
    """Install the packages of requirements.txt, each checked by its hash."""
    options = "--no-deps --require-hashes --only-binary :all: --python-version 3.13"
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", *options.split()),
        *("--python-platform", "x86_64-manylinux_2_28", "--link-mode", "copy"),
        *("--target", str(PACKAGES), "--requirement", str(ROOT / "requirements.txt")),
    )


def prune() -> None:
    """Remove Graph's typed models, what comes with Redoc, and commands that nobody runs."""
    shutil.rmtree(PACKAGES / "bin", ignore_errors=True)
    viewers = PACKAGES / "drf_spectacular_sidecar" / "static" / "drf_spectacular_sidecar"
    shutil.rmtree(viewers / "swagger-ui-dist")
    (viewers / "redoc" / "bundles" / "redoc.standalone.js.map").unlink()
    for path in (PACKAGES / "msgraph" / "generated").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def copy(name: str) -> None:
    """Copy a file or folder of the app."""
    source = ROOT / name
    if source.is_dir():
        shutil.copytree(source, STAGE / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    else:
        shutil.copy(source, STAGE / name)


def compile_all() -> None:
    """Compile every module, with paths relative to the app's folder in tracebacks."""
    # The test data of a package may be invalid Python, which does no harm.
    options = ("-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(STAGE))
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "compileall", *options, str(STAGE)], check=False
    )


def trial() -> str:
    """Import the whole app from the package alone; return the output, or exit with the error."""
    command = (sys.executable, "-I", "-S", "-c", _IMPORT, str(STAGE), str(PACKAGES))
    return _run(*command)


def pack() -> None:
    """Zip the package reproducibly: nothing in it depends on the time of the build."""
    with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files():
            entry = zipfile.ZipInfo(path.relative_to(STAGE).as_posix(), _LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def files() -> Iterator[Path]:
    """Yield the files of the package, in order."""
    for path in sorted(STAGE.rglob("*")):
        if path.is_file() and path.name != ".funcignore":
            yield path


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, text=True, capture_output=True)  # noqa: S603 - ours
    if done.returncode:
        sys.exit(f"{' '.join(command[:5])} … failed:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
