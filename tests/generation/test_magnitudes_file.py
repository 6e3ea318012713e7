"""What the step cache has measured is kept for the model that it was measured of."""

import json

import numpy as np
import pytest

from painting_jax.diffusion.step_cache import Magnitudes, StepCache
from painting_jax.generation.magnitudes_file import MagnitudesFile

_MEASURED = {
    0: Magnitudes((999.0, 900.5), ((0.0, -0.125),)),
    1: Magnitudes((800.0, 500.0, 20.0), ((0.0, 0.5, 0.25), (0.0, -1.0, -2.0))),
}


def test_a_later_start_finds_what_was_measured(tmp_path):
    file = MagnitudesFile(tmp_path / "new" / "step_cache.json", "step 7")
    file.keep(StepCache(0.1, _MEASURED))
    assert file.cache(0.2) == StepCache(0.2, _MEASURED)
    assert file.cache(0.0) is None


def test_other_weights_are_measured_again(tmp_path):
    MagnitudesFile(tmp_path / "step_cache.json", "step 7").keep(StepCache(0.1, _MEASURED))
    assert MagnitudesFile(tmp_path / "step_cache.json", "step 8").cache(0.1).magnitudes == {}


def test_a_batch_that_only_measured_the_model_is_painted_again(tmp_path):
    file, cache = MagnitudesFile(tmp_path / "step_cache.json", "tiny"), StepCache(0.9)

    def paint() -> list[bool]:
        """As `denoise` asks for the steps to skip, and measures where there is no answer."""
        timesteps_N = np.linspace(999, 0, 10)
        skipped_N = cache.to_skip(0, timesteps_N, 1)
        if skipped_N is None:
            cache.measured(0, timesteps_N, np.zeros((10, 1)))
            return []
        return skipped_N.tolist()

    first = file.skipped(cache, paint)
    assert any(first)
    assert file.cache(0.9) == cache
    assert file.skipped(cache, paint) == first


_TWO = {"timesteps": [2.0, 1.0], "logs": [[0.0, 0.0]]}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"model": "tiny", "transformers": [_TWO]}),
        json.dumps({"model": "tiny", "transformers": {"0": _TWO | {"timesteps": [1.0, 2.0]}}}),
        json.dumps({"model": "tiny", "transformers": {"0": _TWO | {"timesteps": []}}}),
        json.dumps({"model": "tiny", "transformers": {"0": _TWO | {"logs": [[0.0]]}}}),
        json.dumps(
            {"model": "tiny", "transformers": {"0": _TWO | {"logs": [[0.0, float("nan")]]}}}
        ),
        json.dumps({"model": "tiny", "transformers": {"0": _TWO | {"logs": "none"}}}),
    ],
)
def test_a_damaged_file_is_named_in_one_line_and_replaced(tmp_path, capsys, content):
    file = MagnitudesFile(tmp_path / "step_cache.json", "tiny")
    file.path.write_text(content)
    cache = file.cache(0.1)
    assert cache.magnitudes == {}
    assert capsys.readouterr().err == f"{file.path} is damaged: it is measured again\n"
    cache.magnitudes = _MEASURED
    file.keep(cache)
    assert file.cache(0.1).magnitudes == _MEASURED
    assert capsys.readouterr().err == ""


def test_what_cannot_be_kept_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    MagnitudesFile(tmp_path / "file" / "step_cache.json", "tiny").keep(StepCache(0.1, _MEASURED))
    said = capsys.readouterr().err
    assert said.startswith("warning: the step cache is not kept for next time: ")
    assert said.count("\n") == 1
