"""Runs on published weights in miniature, and what is painted with them."""

import contextlib
import io
import pathlib
import shutil
import types

import jax
import numpy as np
import pytest

from painting_jax import media
from painting_jax.data.pipeline import DataSource, Examples
from painting_jax.data.subjects import Subject
from painting_jax.generation.devices import Devices
from painting_jax.generation.from_run import finetuned_painter
from painting_jax.generation.job import Job
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.exports import LORA_FILE
from painting_jax.tasks.finetune import Finetune
from painting_jax.training import loop, validation
from tests.training import runs

ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])


@contextlib.contextmanager
def one_device():
    """Training on one of the fake devices: the others have nothing to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_mesh", lambda sizes: ONE_DEVICE)
        yield


def train(config, workdir: pathlib.Path) -> types.SimpleNamespace:
    """A run of all steps: its workdir, what it printed, its frozen arrays, its last sheet."""
    held, sheets = [], []
    contact_sheet = validation.contact_sheet

    def holding(load):
        def load_and_hold(*arguments):
            held.append(load(*arguments))
            return held[-1]

        return load_and_hold

    def hold_and_draw(frames_THWC, *arguments, **options):
        sheets.append(frames_THWC)
        return contact_sheet(frames_THWC, *arguments, **options)

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        for name in ("load_frozen", "load_without_encoders"):
            patch.setattr(Finetune, name, holding(getattr(Finetune, name)))
        patch.setattr(validation, "contact_sheet", hold_and_draw)
        with one_device():
            loop.train(config, workdir)
    [sheet] = sheets
    return types.SimpleNamespace(
        workdir=workdir, printed=printed.getvalue(), frozen=held[0], sheet=sheet
    )


def paint(workdir: pathlib.Path, picture_HWC: np.ndarray, wishes: SamplingOverrides, medium: str):
    """What `generate --workdir` paints."""
    painter = finetuned_painter(workdir, wishes, devices=Devices(ONE_DEVICE))
    subject = Subject("picture", "made up", lambda: (picture_HWC, None))
    [painted] = painter.generate([Job(subject, medium, pathlib.Path())])
    return painted


def assert_sheet_is_what_generate_paints(run, config, *, frames: int) -> None:
    """Of one held-out process, of so many recorded frames, above what is painted."""
    assert (run.workdir / "sheets" / f"{config.steps:07d}.png").exists()
    record = DataSource(config.data.data_dir, "validation").record(0)
    conditioner = types.SimpleNamespace(encode=lambda caption, mixture: {})
    data = config.data
    examples = Examples(
        frames, data.height, data.width, conditioner, config.model.media, even_frames=True
    )
    process = examples.of(record, 0, None)
    recorded, painted = np.split(run.sheet, [frames])
    np.testing.assert_array_equal(recorded, process["frames_BTHWC"])
    prompt = media.prompt({record.medium: 1.0}, record.caption)
    wishes = SamplingOverrides(prompt=prompt, seed=config.seed)
    generated = paint(run.workdir, process["reference_BHWC"], wishes, record.medium)
    assert generated.frames_THWC.shape == painted.shape
    assert np.abs(generated.frames_THWC.astype(int) - painted).max() <= 1


def assert_resumed_as_left_alone(
    config, whole: pathlib.Path, again: pathlib.Path, *, saved: int
) -> None:
    """Asserts that a run without its last checkpoint ends, bit for bit, as it did before.

    Args:
      config: Config of the run.
      whole: Workdir of the run.
      again: New folder for its copy, which is resumed.
      saved: Step of the checkpoint before the last.
    """
    shutil.copytree(whole, again)
    shutil.rmtree(again / "checkpoints" / str(config.steps))
    (again / LORA_FILE).unlink()
    with pytest.MonkeyPatch.context() as patch:
        # It has been painted before.
        patch.setattr(validation.ContactSheets, "paint", lambda *_: None)
        with contextlib.redirect_stdout(io.StringIO()) as printed, one_device():
            loop.train(config, again)
    assert f"resumed after step {saved}" in printed.getvalue()
    runs.assert_same_state(again, whole)
    for file in (LORA_FILE, "examples.jsonl"):
        assert (again / file).read_bytes() == (whole / file).read_bytes()
