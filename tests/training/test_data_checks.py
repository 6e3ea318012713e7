"""Processes that are too small or too short for an experiment."""

import dataclasses
import re
from collections.abc import Sequence

import pytest

from painting_jax.data.buckets import Shapes
from painting_jax.data.index import Row
from painting_jax.data.pipeline import Examples
from painting_jax.errors import UserError
from painting_jax.training import data_checks


@dataclasses.dataclass(frozen=True)
class Source:
    """What the checks see of a split."""

    sizes: Sequence[tuple[int, int]]
    frames: int = 128
    split: str = "train"
    path: str = "data"

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def rows(self) -> list[Row]:
        return [Row(f"cat {h}x{w}", "oil", "", self.frames, h, w) for h, w in self.sizes]


ONE = Shapes(480, 832)
BUCKETS = ((464, 832), (624, 624), (832, 464))


def test_processes_of_the_size_or_larger_are_taken():
    large = Source([(480, 832), (720, 1280), (1280, 853)])
    data_checks.refuse_small(large, large, ONE)
    data_checks.refuse_small(large, None, ONE)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_smaller_ones_are_refused_with_what_would_be_right(split):
    large = Source([(480, 832)])
    small = Source([(720, 1280), (144, 256), (480, 831)], split=split)
    sources = (small, large) if split == "train" else (large, small)
    said = (
        f"data: 2 of 3 {split} processes are too small, such as cat 144x256, stored at 144x256 and "
        "trained at 480x832: prepare larger ones with --size, lower config.data.height and "
        "config.data.width, or train on enlarged ones with --config.data.allow_upscaling"
    )
    with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
        data_checks.refuse_small(*sources, ONE)


def test_with_buckets_the_size_is_that_of_the_nearest():
    portrait = Source([(1280, 720)])
    data_checks.refuse_small(portrait, None, Shapes(480, 832, BUCKETS))
    with pytest.raises(UserError, match="stored at 1280x720 and trained at 480x832"):
        data_checks.refuse_small(portrait, None, ONE)
    with pytest.raises(UserError, match="stored at 640x360 and trained at 832x464"):
        data_checks.refuse_small(Source([(640, 360)]), None, Shapes(480, 832, BUCKETS))


def _remarks(source: Source, **changes) -> list[str]:
    fields = {"frames": 81, "height": 480, "width": 832, "text_conditioner": None, "media": ()}
    return list(data_checks.remarks(source, Examples(**fields | changes)))


def test_nothing_is_remarked_of_what_fits():
    assert _remarks(Source([(480, 832)])) == []


def test_buckets_padding_enlargement_and_repeated_frames_are_remarked():
    source = Source([(464, 832), (1280, 720), (1280, 720), (400, 1600), (100, 100)], frames=80)
    assert _remarks(source, buckets=BUCKETS, even_frames=True) == [
        "buckets with their processes, each compiled at its first step: "
        "464x832 (2), 624x624 (1), 832x464 (2)",
        "1 of 5 processes fit no bucket: they are padded, without loss there",
        "1 of 5 processes are smaller than they are trained at: enlarged",
        "5 of 5 processes have fewer than 81 frames: some are repeated",
    ]
