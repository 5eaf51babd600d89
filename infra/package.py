"""Makes build/package.zip: the app as Flex Consumption runs it, with its packages beside it.

Built here and not by Azure, whose remote build gives up after a minute. The packages are those of
requirements.txt, by hash, as wheels for Linux on x86-64 whatever machine this is. All is compiled:
a worker that has to compile first starts seconds later. The compiled files are trusted without
looking at the sources' times, which a zip does not keep exactly (docs: py_compile).

Microsoft's typed models of Graph, 200 MB which the app never imports, are left out (`KEPT`); that
the app imports without them is tried at the end, in a process that sees nothing but the package.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
STAGE: Final = ROOT / "build" / "package"
ZIP: Final = ROOT / "build" / "package.zip"
PACKAGES: Final = STAGE / ".python_packages" / "lib" / "site-packages"
APP: Final = ("function_app.py", "host.json", "shared")
PYTHON: Final = (3, 13)
LEFT_OUT: Final = ("__pycache__", "*.md")
"""What of the app's folders stays behind: nobody reads documents in Azure."""
KEPT: Final = frozenset({"__init__.py", "base_graph_service_client.py"})
"""What of msgraph.generated goes along: the module that msgraph itself imports."""

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
    """Build, try and pack; print how large it is."""
    if sys.version_info[:2] != PYTHON:
        wanted = ".".join(map(str, PYTHON))
        sys.exit(f"Azure runs Python {wanted}, and so has whoever compiles for it: use {wanted}.")
    shutil.rmtree(STAGE, ignore_errors=True)
    install()
    prune()
    for name in APP:
        copy(name)
    # azd would leave all compiled files out, were there no list of its own of what to leave out.
    (STAGE / ".funcignore").write_text("# All that is here goes along.\n", "utf-8")
    compile_all()
    print(trial().strip())
    pack()
    unpacked = sum(path.stat().st_size for path in files())
    sizes = f"{ZIP.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked"
    print(f"{ZIP.relative_to(ROOT)}: {sizes}, {sum(1 for _ in files())} files")


def install() -> None:
    """Put the packages of requirements.txt in place, each checked by its hash."""
    options = "--no-deps --require-hashes --only-binary :all: --python-version 3.13"
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", *options.split()),
        *("--python-platform", "x86_64-manylinux_2_28", "--link-mode", "copy"),
        *("--target", str(PACKAGES), "--requirement", str(ROOT / "requirements.txt")),
    )


def prune() -> None:
    """Leave out Graph's typed models, and commands that nobody calls in Azure."""
    shutil.rmtree(PACKAGES / "bin", ignore_errors=True)
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
    """Compile every module; paths in tracebacks are those below the app's folder."""
    # A package's own test data may be no valid Python, which does not matter.
    options = ("-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(STAGE))
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "compileall", *options, str(STAGE)], check=False
    )


def trial() -> str:
    """Import all of the app from the package alone; what it says, or an error."""
    command = (sys.executable, "-I", "-S", "-c", _IMPORT, str(STAGE), str(PACKAGES))
    return _run(*command)


def pack() -> None:
    """Zip it, with nothing in it that depends on when it was made."""
    with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files():
            entry = zipfile.ZipInfo(path.relative_to(STAGE).as_posix(), _LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def files() -> Iterator[Path]:
    """What goes along, in order."""
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
