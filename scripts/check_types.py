"""Run mypy over the pack, whatever its folder is called.

The pack is a package with relative imports, and folders of checkouts have names such as `my-pack` that mypy does not
take for a package; so it is checked through a link with a proper name.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "colorizediffusion"


def main() -> int:
    folder = ROOT / ".host" / "types"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / PACKAGE
    if not link.is_symlink():
        link.symlink_to(ROOT, target_is_directory=True)
    mypy = [sys.executable, "-m", "mypy"]
    environment = {**os.environ, "MYPYPATH": str(folder)}
    packages = [f"--package={PACKAGE}.{name}" for name in ("nodes", "colorize_core")]
    pack = subprocess.run([*mypy, f"--module={PACKAGE}", *packages], cwd=ROOT, env=environment)
    scripts = subprocess.run([*mypy, "scripts", "tests/conftest.py"], cwd=ROOT)
    return pack.returncode or scripts.returncode


if __name__ == "__main__":
    sys.exit(main())
