"""Speed and FLOPs: against sums that are written out, published peaks and a clock of the test."""

import dataclasses
import types

import jax
import numpy as np
import pytest
from flax import nnx

from configs import wan21_i2v_14b
from painting_jax.diffusion import reverse_painting
from painting_jax.models.family import Work, get_family
from painting_jax.models.product_flops import product_flops
from painting_jax.models.wan import flops
from painting_jax.models.wan.transformer import SIZES, WanTransformer
from painting_jax.planning import program
from painting_jax.training import throughput

WORDS = 512


class _Codec:
    temporal, spatial = 4, 8


def _kernels(config) -> dict[str, tuple[int, ...]]:
    """Shapes of all kernels of a transformer, by path."""
    params = nnx.state(nnx.eval_shape(lambda: WanTransformer(config, rngs=nnx.Rngs(0))), nnx.Param)
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(params))
    named = {jax.tree_util.keystr(path, simple=True, separator="/"): x.shape for path, x in leaves}
    return {name: shape for name, shape in named.items() if name.endswith("/kernel")}


def _step(config, video_tokens: int, *, adapters: bool) -> float:
    """FLOPs of a training step, product by product."""
    total = 0
    for name, (*layers, inputs, outputs) in _kernels(config).items():
        if name.startswith("condition_embedder"):
            continue  # once per sample or word, not per token of the video
        of_text = name.startswith(("blocks/attn2/to_k", "blocks/attn2/to_v"))
        if "add_k_proj" in name or "add_v_proj" in name:
            continue  # of the image tokens, which are few
        product = 2 * (WORDS if of_text else video_tokens) * inputs * outputs
        # Forward, the gradient of the input, and that of the weights.
        total += int(np.prod(layers)) * product * (2 if adapters else 3)
    for keys in (video_tokens, WORDS):
        product = 2 * video_tokens * keys * config.dim
        scores, weighted = product, product
        of_queries, of_keys, of_weights, of_values = (product,) * 4
        backward = of_queries + of_keys + of_weights + of_values
        total += config.layers * (scores + weighted + backward)
    return total


@pytest.mark.parametrize(
    ("size", "height", "width", "adapters", "published"),
    [
        ("wan21_t2v_14b", 720, 1280, True, 17_761),
        ("wan21_i2v_14b", 720, 1280, True, 17_761),
        ("wan22_i2v_a14b", 480, 832, True, 4_250),
        # NVIDIA states 19,573 for full training.
        ("wan21_t2v_14b", 720, 1280, False, 19_570),
        ("wan21_t2v_1_3b", 480, 832, True, None),
    ],
)
def test_flops_of_a_step_are_the_sum_over_its_products(size, height, width, adapters, published):
    config = SIZES[size]
    work = get_family("wan21").work(config, _Codec(), (81, height, width), WORDS)
    assert work.tokens == 21 * (height // 16) * (width // 16)
    found = throughput.step_flops(work, 1, full_finetune=not adapters)
    assert found == pytest.approx(_step(config, work.tokens, adapters=adapters), rel=1e-4)
    assert throughput.step_flops(work, 3, full_finetune=not adapters) == pytest.approx(3 * found)
    if published:
        assert found / 1e12 == pytest.approx(published, abs=1)


def test_medium_tokens_are_keys_of_attention_too():
    config = SIZES["wan21_t2v_1_3b"]
    with_media = dataclasses.replace(config, media=10, medium_tokens=4)
    assert flops.attention_flops(with_media, 100, 20) == flops.attention_flops(config, 100, 24)
    assert flops.forward_flops(with_media, 100, 20) == flops.forward_flops(config, 100, 24)


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("TPU v2", 23e12),
        ("TPU v3", 61.5e12),
        ("TPU v4", 275e12),
        ("TPU v4 lite", 138e12),
        ("TPU v5 lite", 197e12),
        ("TPU v5", 459e12),
        ("TPU v5p", 459e12),
        ("TPU v6 lite", 918e12),
        ("TPU7x", 1153.5e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA H200 NVL", 835e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A10", 125e12),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40", 181e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA B200", 2250e12),
        ("NVIDIA GB200", 2500e12),
        ("NVIDIA GB300", 2500e12),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("NVIDIA A1000", None),
        ("NVIDIA L400", None),
        ("TPU v40", None),
        ("NVIDIA GeForce RTX 4090", None),
        ("cpu", None),
    ],
)
def test_peaks_are_known_by_the_longest_name(kind, peak):
    assert throughput.peak_flops(kind) == peak


@pytest.mark.parametrize(
    ("platform", "kind", "said"),
    [
        ("gpu", "NVIDIA H100 PCIe", ""),
        ("gpu", "NVIDIA Thor", "'NVIDIA Thor' is not known"),
        ("tpu", "TPU9", "'TPU9' is not known"),
        ("cpu", "cpu", ""),
    ],
)
def test_an_accelerator_without_a_known_peak_is_named(platform, kind, said):
    device = types.SimpleNamespace(platform=platform, device_kind=kind)
    mesh = types.SimpleNamespace(devices=np.array([device]))
    found = throughput.unknown_peak(mesh)
    assert said in found
    assert bool(found) == bool(said)


class _Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(throughput, "time", clock)
    return clock


def _meter(*, kind: str = "TPU v4") -> throughput.Meter:
    """A task whose step of frames of 8 x 8 has 6e12 FLOPs and 20 tokens."""

    def work(config, codec, video_THW, text_tokens):
        area = video_THW[1] * video_THW[2] / 64
        return Work(10 * area, forward=1e12 * area, attention=0.0)

    data = types.SimpleNamespace(frames=1, text_length=4, batch_size=2)
    task = types.SimpleNamespace(
        config=types.SimpleNamespace(data=data),
        model=types.SimpleNamespace(
            family=types.SimpleNamespace(work=work), config=None, codec=None
        ),
        full_finetune=True,
    )
    device = types.SimpleNamespace(platform="tpu", device_kind=kind)
    mesh = types.SimpleNamespace(devices=np.array([device]), size=1)
    return throughput.Meter(task, mesh)


def _train(meter: throughput.Meter, clock: _Clock, steps: int, *, sides=(8, 8)) -> None:
    for _ in range(steps):
        meter.count(*sides)
        clock.passes(1)


def test_speed_is_that_of_training_alone(clock):
    meter = _meter()
    clock.passes(30)  # until the first batch is there
    with meter.apart("compiling"):
        clock.passes(60)
    _train(meter, clock, 4)
    with meter.apart("checkpoints"):
        clock.passes(7)
    _train(meter, clock, 6)
    with meter.apart("checkpoints"):
        clock.passes(3)
    assert meter.since_last() == pytest.approx(
        {
            "steps_per_s": 1,
            "tokens_per_s": 20,
            "mfu": 6e12 / 275e12,
            "seconds_starting": 30,
            "seconds_compiling": 60,
            "seconds_checkpoints": 10,
        }
    )
    _train(meter, clock, 2)
    clock.passes(2)
    assert meter.since_last() == pytest.approx(
        {"steps_per_s": 0.5, "tokens_per_s": 10, "mfu": 3e12 / 275e12}
    )


def test_steps_on_larger_frames_count_for_what_they_are(clock):
    meter = _meter()
    with meter.apart("compiling"):
        pass
    _train(meter, clock, 1)
    _train(meter, clock, 1, sides=(16, 24))
    found = meter.since_last()
    assert (found["steps_per_s"], found["tokens_per_s"]) == (1, (20 + 120) / 2)
    assert found["mfu"] == pytest.approx(7 * 6e12 / 2 / 275e12)


def test_a_step_that_compiles_has_no_speed(clock):
    meter = _meter(kind="unheard of")
    with meter.apart("compiling"):
        clock.passes(60)
    assert meter.since_last() == {"seconds_starting": 0, "seconds_compiling": 60}
    _train(meter, clock, 1)
    assert meter.since_last() == {"steps_per_s": 1, "tokens_per_s": 20}


def test_work_that_is_still_computed_is_training(clock, monkeypatch):
    """Dispatched steps are waited for before something else begins."""
    meter = _meter()
    with meter.apart("compiling"):
        pass
    for _ in range(10):
        meter.count(8, 8)
    monkeypatch.setattr(jax, "block_until_ready", clock.passes)
    with meter.apart("sheets", 5):
        clock.passes(1)
    found = meter.since_last()
    assert found["steps_per_s"] == 2
    assert found["seconds_sheets"] == 1


def test_a_failure_in_what_is_apart_is_not_training(clock):
    meter = _meter()

    def save():
        with meter.apart("checkpoints"):
            clock.passes(5)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        save()
    _train(meter, clock, 1)
    assert meter.since_last()["steps_per_s"] == 1


def test_waiting_for_data_is_said_and_is_part_of_training(clock):
    meter = _meter()
    with meter.apart("compiling"):
        clock.passes(10)
    with meter.waiting_for_data():
        clock.passes(3)
    _train(meter, clock, 1)
    found = meter.since_last()
    assert found["seconds_waiting_for_data"] == 3
    assert found["steps_per_s"] == 1 / 4
    assert "seconds_waiting_for_data" not in meter.since_last()


def test_the_first_step_of_each_shape_is_compiling(clock):
    meter = _meter()

    def train_step(state, running, batch, frozen):
        clock.passes(1 if state in batch["seen"] else 10)
        batch["seen"].add(state)
        return state, running, True

    announced, seen = [], set()
    step = meter.metered(
        train_step, lambda batch: batch["sides"], lambda *sides: announced.append(sides)
    )
    for side in (8, 8, 16, 8, 16):
        batch = {"sides": (side, side), "seen": seen}
        assert step(side, "metrics", batch, {}) == (side, "metrics", True)
    found = meter.since_last()
    assert announced == [(8, 8), (16, 16)]
    assert found["seconds_compiling"] == 20
    assert found["steps_per_s"] == 1
    assert found["tokens_per_s"] == (20 + 20 + 80) / 3


def test_networks_that_encode_pictures_within_the_step_count(clock):
    config = wan21_i2v_14b.get_config("tiny")
    task = program.task_of(config)
    pictures, frozen = program.pictures_of(task), task.frozen() | program.encoders_of(task)
    device = types.SimpleNamespace(platform="tpu", device_kind="TPU v5p")
    mesh = types.SimpleNamespace(devices=np.array([device]), size=1)

    def mfu(batch):
        meter = throughput.Meter(task, mesh)
        step = meter.metered(
            lambda *given: (*given[:2], clock.passes(1)), lambda _: (64, 64), lambda *_: None
        )
        for _ in range(3):
            step("state", "metrics", batch, frozen)
        return meter.since_last()["mfu"]

    def encode(batch, frozen):
        reference = batch["reference_BHWC"].astype(np.float32)
        return reverse_painting.encode(batch, reference, task.model, task.model.encoders(frozen))

    more = mfu(pictures) - mfu(program.encoded_batch(task))
    encoding = product_flops(encode, pictures, frozen)
    assert encoding > 0
    assert more * throughput.peak_flops("TPU v5p") == pytest.approx(encoding)
