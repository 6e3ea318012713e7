"""Speeds of a run whose steps differ in shape."""

import types

import jax
import pytest

from painting_jax.sharding.mesh import make_mesh
from painting_jax.training import throughput

_MESH = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])


class Family:
    """A token for each pixel, ten operations for each token."""

    def work(self, config, codec, video_THW, text_tokens):
        frames, height, width = video_THW
        tokens = frames * height * width
        return tokens, 10.0 * tokens


def test_each_step_counts_with_the_tokens_of_its_own_shape(monkeypatch):
    data = types.SimpleNamespace(frames=3, height=10, width=10, batch_size=2, text_length=5)
    model = types.SimpleNamespace(family=Family(), config=None, codec=None)
    task = types.SimpleNamespace(
        config=types.SimpleNamespace(data=data), model=model, full_finetune=True
    )
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(throughput, "peak_flops", lambda kind: 1e6)
    meter = throughput.Meter(task, _MESH, start=7)
    for height, width in ((4, 6), (8, 4), (4, 6)):
        meter.count(height, width)
    now[0] += 2
    tokens = 2 * 3 * (24 + 32 + 24)
    assert meter.since_last(10) == {
        "steps_per_s": 1.5,
        "tokens_per_s": tokens / 2,
        "mfu": pytest.approx(3 * 10 * tokens / 2 / 1e6),
    }
    meter.count(8, 4)
    now[0] += 1
    assert meter.since_last(11)["tokens_per_s"] == 2 * 3 * 32, "counted since the last report"
