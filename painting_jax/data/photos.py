"""The photos that ship inside scikit-image and scikit-learn: data without a network."""

import dataclasses
import importlib.util
import pathlib

from painting_jax.errors import UserError, readable


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo and what is known of it.

    Attributes:
      path: the file.
      name: short and unique among the photos it is used with.
      subject: what it shows, as a caption says it ("a cat").
      licence: under which it may be used, as far as its distributor states it.
    """

    path: str
    name: str
    subject: str
    licence: str


# Only files in the wheels themselves: the rest of skimage.data would be downloaded. Left out are
# textures, microscopy, scanned text and test charts, which nobody paints.
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
    """The packaged photos, about a dozen, in a fixed order.

    Raises:
      UserError: if none is installed.
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
    """The folder of a package, found without importing it."""
    top, _, rest = package.partition(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return pathlib.Path(top) / "not_installed"
    return pathlib.Path(spec.origin).parent.joinpath(*rest.split("."))


def described(path: str, root: str) -> Photo:
    """A photo of the user's own.

    Its subject is the first line of a text file beside it (`cat.txt` for `cat.jpg`), otherwise
    "a picture". Its name is its path below `root`.
    """
    file = pathlib.Path(path)
    note = file.with_suffix(".txt")
    # Some editors put a mark before UTF-8.
    text = note.read_text("utf-8-sig", errors="replace").strip() if note.is_file() else ""
    subject = " ".join(text.split("\n")[0].split()) if text else "a picture"
    base = pathlib.Path(root)
    name = file.relative_to(base) if file != base and file.is_relative_to(base) else file.name
    return Photo(path, readable(str(name)), subject, "not stated")
