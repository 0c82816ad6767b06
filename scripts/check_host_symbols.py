"""Check every name of `comfy.*` that the pack uses against ComfyUI's source, and list them: where upstream may hurt us.

    python scripts/check_host_symbols.py           # is all there, does every call fit, does the list say so?
    python scripts/check_host_symbols.py --write   # write the list anew

Nothing is imported and nothing run: comfy-import-guard reads both sources. The ComfyUI is that of `make setup`, or the
one that COMFYUI_PATH names: so another version can be tried before it is installed.
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

from comfy_import_guard.extract import GETATTR, PackScan, PackSource, iter_python_files, scan_pack
from comfy_import_guard.resolve import Resolver
from comfy_import_guard.signature import SignatureResolver, check_call_sites

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
LIST = ROOT / "colorize_core" / "host" / "SYMBOLS.md"
HEADING = """# Names of ComfyUI that the pack uses

Every name under `comfy.*`, and the files that use it: all lie in this folder. `make lint` looks each of them up in
ComfyUI's source, tries every call against the parameters there, and keeps this list true
(`scripts/check_host_symbols.py --write`). The nodes themselves use `comfy_api.latest` alone.

Looked up in ComfyUI 0.3.64, 0.3.75 and 0.33.0. The tests run on 0.3.75 (page 1.32.9) and on 0.33.0 (pages 1.49.6 and
1.58.1); the pack asks for 0.3.60 (`requires-comfyui`), whose extension points are those of 0.3.64.

| name | used in |
| --- | --- |
"""


class Pack(PackSource):
    """What ComfyUI loads of the pack: no demonstration, scripts or tests."""

    def __init__(self, root: Path = ROOT) -> None:
        super().__init__(root.name, str(root))
        self.root = root

    def iter_sources(self):
        """Yield each file's path in the pack and a function that reads it."""
        paths = [Path(path) for room in ("nodes", "colorize_core") for path in iter_python_files(self.root / room)]
        for path in (self.root / "__init__.py", *sorted(paths)):
            yield path.relative_to(self.root).as_posix(), path.read_bytes

    def has_vendored_comfy(self) -> bool:
        """Return that `comfy` is ComfyUI's own."""
        return False


class Folder:
    """A ComfyUI that lies in a folder, as comfy-import-guard asks for the files of one that lies in git."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read_file(self, ref: str, path: str) -> str | None:
        """Return a file's text, or None where there is none."""
        file = self.path / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def is_dir(self, ref: str, path: str) -> bool:
        """Return whether there is such a folder."""
        return (self.path / path).is_dir()


def complaints(scan: PackScan, comfyui: Path) -> list[str]:
    """Say what does not fit a ComfyUI: names that are not there, calls that do not bind, replaced functions."""
    resolver = Resolver(Folder(comfyui), str(comfyui))
    found = [f"{file}: not to be read: {why}" for file, why in scan.unparseable]
    for reference in scan.references:
        # What is asked for with getattr has a default for the versions without it (ruff allows no other getattr).
        if reference.kind != GETATTR and resolver.resolve(reference).status != "PRESENT":
            found.append(f"{reference.file}:{reference.lineno}: {reference.dotted} is not in {comfyui}")
    for check in check_call_sites(SignatureResolver(resolver), scan.call_sites):
        if check.problems != ():
            place = f"{check.call.file}:{check.call.lineno}: {check.call.dotted}"
            found.append(f"{place} does not take this call: {check.detail or check.lookup.detail}")
    found += [f"{p.file}:{p.lineno}: replaces {p.dotted} of ComfyUI" for p in scan.monkeypatches]
    return found


def listed(scan: PackScan) -> str:
    """Write the list: names in alphabetical order, modules by themselves left out."""
    users = defaultdict(set)
    for reference in scan.references:
        if reference.symbol:
            users[reference.dotted].add(Path(reference.file))
    rows = [f"| `{name}` | {', '.join(sorted(f.name for f in users[name]))} |" for name in sorted(users)]
    return HEADING + "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {LIST.relative_to(ROOT)} anew")
    arguments = parser.parse_args()
    if not (COMFYUI / "comfy").is_dir():
        sys.exit(f"No ComfyUI in {COMFYUI}: run 'make setup', or set COMFYUI_PATH to yours.")
    scan = scan_pack(Pack())
    found, text = complaints(scan, COMFYUI), listed(scan)
    if arguments.write:
        LIST.write_text(text, encoding="utf-8")
    elif not LIST.is_file() or LIST.read_text(encoding="utf-8") != text:
        found.append(f"{LIST.relative_to(ROOT)} is out of date: write it with --write")
    for complaint in found:
        print(complaint)
    names, calls = len(text.splitlines()) - len(HEADING.splitlines()), len(scan.call_sites)
    print(f"{names} names of comfy.* and {calls} calls looked up in {COMFYUI.name}: {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
