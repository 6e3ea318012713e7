"""The held-out loss and the sheets of processes that differ in shape."""

import dataclasses

import jax
import numpy as np
import pytest

from painting_jax.data import pictures
from painting_jax.data.pipeline import Examples
from painting_jax.data.process import Process
from painting_jax.models import family
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training.step import make_held_out_loss
from painting_jax.training.validation import ContactSheets, HeldOutLoss
from tests.synthetic import recording

TWO_DEVICES = make_mesh({"data": 2, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:2])
SHAPES = ((24, 32), (32, 24), (24, 32), (24, 32))


@dataclasses.dataclass(frozen=True)
class Source:
    """A split of four processes."""

    def __len__(self) -> int:
        return len(SHAPES)

    def record(self, index: int) -> Process:
        frames_THWC = recording(index, 3, *SHAPES[index])
        frames = tuple(pictures.encode(frame_HWC) for frame_HWC in frames_THWC)
        progress_T = np.linspace(0, 1, 3, dtype=np.float32)
        return Process(f"{index}", frames, progress_T, "oil", "", frames[-1])


@pytest.fixture
def toy(tiny, monkeypatch) -> FromScratch:
    monkeypatch.setitem(family.FAMILIES, "toy", "tests.models.toy_family:TOY")
    tiny.model.family = "toy"
    tiny.objective.structure = 0.0
    tiny.objective.drop.update(reference=0.0, text=0.0, segments=0.0)
    tiny.sampling.update(guidance=1.0, guide_on=("medium",))
    tiny.data.batch_size = tiny.log.samples = len(SHAPES)
    return FromScratch(tiny)


@pytest.fixture
def examples(toy) -> Examples:
    conditioner = TokenConditioner(Tokenizer.train(["a cat"]), 8)
    media = toy.config.model.media
    return Examples(3, 24, 32, conditioner, media, buckets=((24, 32), (32, 24)))


def test_the_held_out_loss_is_the_mean_over_processes_of_all_shapes(toy, examples):
    params, source = toy.init_params(), Source()
    with jax.set_mesh(TWO_DEVICES):
        mean = HeldOutLoss(toy, source, examples, TWO_DEVICES)(params, {})
    loss = jax.jit(make_held_out_loss(toy))
    rows = [examples.of(source.record(index), index, None) for index in range(len(SHAPES))]
    expected = []
    # Each shape fills two devices; the last of three or of one does so once more.
    for places in ((0, 2, 3, 3), (1, 1)):
        stacked = {
            name: np.stack([rows[place][name] for place in places])
            for name in rows[0]
            if name != "index_B"
        }
        expected += [*np.asarray(loss(params, {}, stacked, toy.config.seed))[: len({*places})]]
    assert len(expected) == len(SHAPES)
    assert mean == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_sheet_shows_processes_of_all_shapes_in_their_order(toy, examples, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "painting_jax.training.validation.contact_sheet",
        lambda frames_THWC, *_, **__: shown.append(frames_THWC) or frames_THWC[0],
    )
    sheets = ContactSheets(toy, Source(), examples, tmp_path, TWO_DEVICES)
    sheets.paint(7, toy.init_params(), {})
    assert (tmp_path / "sheets" / "0000007.png").exists()
    [frames_THWC] = shown
    assert frames_THWC.shape == (len(SHAPES) * 2 * 3, 32, 32, 3)
    for index, (height, width) in enumerate(SHAPES):
        recorded_THWC = frames_THWC[6 * index : 6 * index + 3]
        top, left = (32 - height) // 2, (32 - width) // 2
        inside = (slice(None), slice(top, top + height), slice(left, left + width))
        expected = examples.of(Source().record(index), index, None)["frames_BTHWC"]
        np.testing.assert_array_equal(recorded_THWC[inside], expected)
        painted_THWC = frames_THWC[6 * index + 3 : 6 * index + 6].copy()
        painted_THWC[inside] = 255
        assert (painted_THWC == 255).all(), "around it is white"
