"""What a mark says, as bits that stand errors: when a process was made, by which model, in what.

Six bytes of meaning and a checksum of three are followed by the check bytes of a Reed-Solomon code
(the library reedsolo). Of the 24 bytes, 7 may be wrong, or more if it is known which are doubtful.
"""

import dataclasses
import datetime
import hashlib
import zlib
from collections.abc import Mapping

import numpy as np
import reedsolo

_VERSION = 1
_MEANING = 6  # bytes
_CHECKSUM = 3
_LENGTH = 24
BITS = 8 * _LENGTH
# Doubtful bytes that decoding may leave out. With all 15 any word would decode.
_MOST_ERASED = 14

_FIRST_DAY = datetime.date(2025, 1, 1)
_DAYS = 1 << 14
# Marks hold the position: append, never reorder.
_MEDIA = (
    "acrylic",
    "oil",
    "watercolor",
    "pencil",
    "colored_pencil",
    "charcoal",
    "ink",
    "pastel",
    "digital",
    "loomis_portrait",
)
_OTHER = 31

_code = reedsolo.RSCodec(_LENGTH - _MEANING - _CHECKSUM, nsize=_LENGTH)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a process comes from, as far as a mark says it.

    Attributes:
      day: Day on which it was made, in UTC.
      model: Six hexadecimal digits, see `model_id`.
      medium: Medium with the largest weight; "" for one that marks do not know.
      is_mixture: Whether it was painted in several media.
    """

    day: datetime.date
    model: str
    medium: str
    is_mixture: bool = False

    @classmethod
    def of(cls, day: datetime.date, model: str, weights: Mapping[str, float]) -> "Origin":
        """The origin of a process that a model painted, with the media's weights."""
        main = max(weights, key=weights.__getitem__, default="")
        return cls(day, model_id(model), main if main in _MEDIA else "", len(weights) > 1)


def model_id(label: str) -> str:
    """Short name of a model in a mark: the first 24 bits of the label's SHA-256, in hexadecimal."""
    return hashlib.sha256(label.encode("utf-8", "backslashreplace")).hexdigest()[:6]


def encode(origin: Origin) -> np.ndarray:
    """The bits of a mark, bool[BITS]. Days out of range become the nearest in it."""
    days = min(max((origin.day - _FIRST_DAY).days, 0), _DAYS - 1)
    medium = _MEDIA.index(origin.medium) if origin.medium else _OTHER
    number = _VERSION
    for value, bits in ((days, 14), (int(origin.model, 16), 24), (medium, 5), (0, 1)):
        number = number << bits | value
    number = number & ~1 | origin.is_mixture
    meaning = number.to_bytes(_MEANING, "big")
    word = _code.encode(meaning + _checksum(meaning))
    return np.unpackbits(np.frombuffer(bytes(word), np.uint8)).astype(bool)


def decode(soft_N: np.ndarray) -> Origin | None:
    """The origin that received bits state.

    The bytes that are least sure are taken as lost, first none and then more and more (generalised
    minimum distance decoding, Forney 1966).

    Args:
      soft_N: float[BITS], positive for a set bit; the larger, the surer.

    Returns:
      The origin, or None if there is none. Random bits are taken for one with a probability of
      about 5e-12: 2^-8 that the code accepts the word with the most bytes left out, 2^-24 for the
      checksum, 2^-4 for the version, 11 of 32 for the medium.
    """
    received = np.packbits(soft_N > 0).tobytes()
    sureness_N = np.abs(soft_N).reshape(_LENGTH, 8).min(1)
    doubtful = np.argsort(sureness_N).tolist()
    for erased in range(0, _MOST_ERASED + 1, 2):
        try:
            word, _, _ = _code.decode(received, erase_pos=doubtful[:erased])
        except reedsolo.ReedSolomonError:
            continue
        meaning = bytes(word[:_MEANING])
        if bytes(word[_MEANING:]) == _checksum(meaning):
            return _origin(int.from_bytes(meaning, "big"))
    return None


def _checksum(meaning: bytes) -> bytes:
    return zlib.crc32(meaning).to_bytes(4, "big")[-_CHECKSUM:]


def _origin(number: int) -> Origin | None:
    number, is_mixture = number >> 1, bool(number & 1)
    number, medium = number >> 5, number & 31
    number, model = number >> 24, number & 0xFFFFFF
    version, days = number >> 14, number & 0x3FFF
    if version != _VERSION or not (medium < len(_MEDIA) or medium == _OTHER):
        return None
    return Origin(
        _FIRST_DAY + datetime.timedelta(days),
        f"{model:06x}",
        "" if medium == _OTHER else _MEDIA[medium],
        is_mixture,
    )
