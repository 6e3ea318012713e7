"""Photos to paint: the user's own, and those in scikit-image and scikit-learn (no download)."""

import dataclasses
import importlib.util
import pathlib

from painting_jax.errors import UserError, one_line


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo file with its caption and licence.

    Attributes:
      path: Path of the file.
      name: Short name, unique in its data set.
      subject: Subject of the photo, worded for a caption ("a cat").
      licence: Licence of the photo, as stated by its distributor.
    """

    path: str
    name: str
    subject: str
    licence: str


_LONGEST_NOTE = 10_000  # letters of which the first line is a caption

# Only files in the wheels themselves: the rest of skimage.data would be downloaded. Most textures,
# microscopy, scanned text and test charts are left out, since nobody paints them.
_PACKAGED = (
    ("skimage.data", "astronaut.png", "an astronaut", "public domain (NASA)"),
    ("skimage.data", "brick.png", "a brick wall", "CC0 (CC0Textures)"),
    ("skimage.data", "camera.png", "a man with a camera", "CC0 (Lav Varshney)"),
    ("skimage.data", "chelsea.png", "a cat", "CC0 (Stefan van der Walt)"),
    ("skimage.data", "coffee.png", "a cup of coffee", "CC0 (Rachel Michetti)"),
    ("skimage.data", "coins.png", "old coins", "no known copyright restrictions"),
    ("skimage.data", "hubble_deep_field.jpg", "galaxies", "public domain (NASA)"),
    ("skimage.data", "moon.png", "craters of the moon", "not stated by scikit-image"),
    (
        "skimage.data",
        "motorcycle_left.png",
        "a motorcycle",
        "not stated by scikit-image (Middlebury stereo benchmark 2014)",
    ),
    ("skimage.data", "retina.jpg", "the back of an eye", "CC0 (Mikael Häggström)"),
    ("skimage.data", "rocket.jpg", "a rocket at night", "public domain (SpaceX)"),
    ("sklearn.datasets.images", "china.jpg", "a pagoda", "CC BY 2.0 (danielbuechele, Flickr)"),
    ("sklearn.datasets.images", "flower.jpg", "a flower", "CC BY 2.0 (vultilion, Flickr)"),
)


def packaged() -> list[Photo]:
    """The photos in scikit-image and scikit-learn, about a dozen, in a fixed order.

    Raises:
      UserError: If none is installed.
    """
    photos = []
    for package, file, subject, licence in _PACKAGED:
        path = _folder(package) / file
        if path.is_file():
            photos.append(Photo(str(path), path.stem, subject, licence))
    if not photos:
        raise UserError("scikit-image and scikit-learn hold no photos here: name a --source")
    return photos


def _folder(package: str) -> pathlib.Path:
    """The folder of a package; the package is not imported."""
    top, _, rest = package.partition(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return pathlib.Path(top) / "not_installed"
    return pathlib.Path(spec.origin).parent.joinpath(*rest.split("."))


def described(path: str, root: str) -> Photo:
    """A photo of the user's own.

    The subject is the first line of the text file beside the photo (`cat.txt` for `cat.jpg`), or
    "a picture" if there is none. The name is the path relative to `root`.
    """
    file = pathlib.Path(path)
    note = file.with_suffix(".txt")
    text = ""
    if note.is_file():
        # Some editors write a byte order mark.
        with note.open(encoding="utf-8-sig", errors="replace") as lines:
            text = lines.read(_LONGEST_NOTE).strip()
    subject = " ".join(text.split("\n")[0].split()) if text else "a picture"
    base = pathlib.Path(root)
    name = file.relative_to(base) if file != base and file.is_relative_to(base) else file.name
    return Photo(path, one_line(str(name)), subject, "not stated")
