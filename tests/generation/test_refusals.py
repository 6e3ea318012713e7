"""Published models and wishes that do not go together: one line that says what would be right."""

import contextlib
import json
import os
import pathlib
import random
import shutil

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

from painting_jax.checkpoints import adapters
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.overrides import SamplingOverrides, load_noise
from painting_jax.generation.pretrained import PretrainedPainter
from tests import tiny_wan
from tests.generation.test_pretrained import job
from tests.training.published_run import ONE_DEVICE


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> pathlib.Path:
    """The folders of all kinds, and LoRAs."""
    root = tmp_path_factory.mktemp("published")
    for kind in tiny_wan.KINDS:
        tiny_wan.save(tiny_wan.pipeline(kind), root / kind)
    tiny_wan.write_lora(root / "lora.safetensors", 0)
    save_file(
        {
            "transformer.blocks.0.attn1.to_q.lora_A.weight": torch.ones(2, 48),
            "transformer.blocks.0.attn1.to_q.lora_B.weight": torch.ones(48, 2),
        },
        root / "larger.safetensors",
    )
    save_file({"unet.down.0.lora_A.weight": torch.ones(2, 48)}, root / "unet.safetensors")
    return root


def refused(folder: pathlib.Path, *said: str, medium: str = "oil", **options) -> str:
    """What is said of a painter that cannot be made, or cannot paint."""
    wishes = SamplingOverrides(**{"steps": 1, "frames": 5} | options.pop("wishes", {}))

    def paint() -> None:
        painter = PretrainedPainter(
            Folder.open(folder),
            wishes,
            devices=Devices(ONE_DEVICE),
            dtype="float32",
            log=lambda line: None,
            **options,
        )
        next(painter.generate([job(tiny_wan.picture(32, 48), medium)]))

    with pytest.raises(UserError) as caught:
        paint()
    for part in said:
        assert part in str(caught.value)
    return str(caught.value)


@pytest.fixture
def copy(root, tmp_path):
    """Copies a kind's folder, to be spoilt."""

    def copied(kind: str) -> pathlib.Path:
        return shutil.copytree(root / kind, tmp_path / kind)

    return copied


def edit(path: pathlib.Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_that_is_none(root, tmp_path):
    refused(tmp_path / "nowhere", "nowhere does not exist", "hub id")
    refused(root / "wan21_i2v" / "vae", "is not a diffusers folder", "model_index.json")


@pytest.mark.parametrize(
    "component", ["transformer", "vae", "text_encoder", "tokenizer", "image_encoder", "scheduler"]
)
def test_a_component_that_is_missing(copy, component):
    folder = copy("wan21_i2v")
    shutil.rmtree(folder / component)
    refused(folder, str(folder / component), "does not exist")


def test_an_image_encoder_that_the_index_does_not_know(copy):
    folder = copy("wan21_i2v")
    edit(folder / "model_index.json", image_encoder=[None, None])
    refused(folder, "lacks the image_encoder")


def test_two_transformers_without_a_boundary(copy):
    folder = copy("wan22_i2v_a14b")
    edit(folder / "model_index.json", boundary_ratio=None)
    refused(folder, "no boundary_ratio")


def sampler(tmp_path, settings: dict) -> tuple[str, float]:
    """The sampler that a folder of nothing but these settings of a scheduler asks for."""
    (tmp_path / "scheduler").mkdir(exist_ok=True)
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    return Folder(str(tmp_path), tmp_path, {}).sampler()


UNIPC = {
    "_class_name": "UniPCMultistepScheduler",
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
}
EULER = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
OTHER_NOISE_LEVELS = [
    ("num_train_timesteps", 500),
    ("use_dynamic_shifting", True),
    ("shift_terminal", 0.1),
    ("use_karras_sigmas", True),
    ("use_exponential_sigmas", True),
    ("use_beta_sigmas", True),
]


@pytest.mark.parametrize(
    ("known", "key", "value"),
    [
        *((known, key, value) for known in (UNIPC, EULER) for key, value in OTHER_NOISE_LEVELS),
        (UNIPC, "prediction_type", "epsilon"),
        (UNIPC, "use_flow_sigmas", False),
        (UNIPC, "solver_order", 3),
        (UNIPC, "solver_type", "bh1"),
        (UNIPC, "predict_x0", False),
        (UNIPC, "thresholding", True),
        (UNIPC, "lower_order_final", False),
        (UNIPC, "disable_corrector", [0]),
        (UNIPC, "solver_p", ["diffusers", "DDIMScheduler"]),
        (UNIPC, "final_sigmas_type", "sigma_min"),
        (EULER, "invert_sigmas", True),
        (EULER, "stochastic_sampling", True),
    ],
)
def test_schedulers_that_are_not_implemented(tmp_path, known, key, value):
    assert sampler(tmp_path, known)
    with pytest.raises(UserError) as caught:
        sampler(tmp_path, known | {key: value})
    assert f"{key} = {value}, " in str(caught.value)


@pytest.mark.parametrize(
    ("key", "default"), [("prediction_type", "epsilon"), ("use_flow_sigmas", False)]
)
def test_what_a_scheduler_leaves_out_is_as_diffusers_has_it(tmp_path, key, default):
    with pytest.raises(UserError, match=f"{key} = {default}, "):
        sampler(tmp_path, {k: v for k, v in UNIPC.items() if k != key})


@pytest.mark.parametrize("scheduler", [UniPCMultistepScheduler, FlowMatchEulerDiscreteScheduler])
def test_schedulers_as_diffusers_writes_them_are_known(tmp_path, scheduler):
    scheduler.from_config(UNIPC | {"flow_shift": 3.0, "shift": 3.0}).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "scheduler_config.json").read_text())
    assert len(written) > 10
    assert sampler(tmp_path, written)[1] == 3
    off = {key: None for key, value in written.items() if value in (False, [])}
    assert sampler(tmp_path, written | off)[1] == 3


def test_schedulers_of_another_class(copy):
    folder = copy("wan22_ti2v")
    edit(folder / "scheduler" / "scheduler_config.json", _class_name="DDIMScheduler")
    refused(folder, "DDIMScheduler", "choose with --sampler and --shift")


def test_weights_that_are_cut_short(copy):
    folder = copy("wan22_ti2v")
    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    refused(folder, "is truncated", "fetch it again")


def test_text_to_video_alone_paints_no_picture(root):
    refused(root / "wan21_t2v", "from text alone", "image-to-video model", "--lora")


@pytest.mark.parametrize(
    ("kind", "wishes", "said"),
    [
        ("wan21_i2v", {"height": 40}, "--height=40: "),
        ("wan22_ti2v", {"width": 48}, "--width=48: "),
        ("wan21_i2v", {"frames": 12}, "--frames=12: this model makes 4k+1 frames, such as 9 or 13"),
        ("wan21_i2v", {"height": 10**9}, "pixels are more than 64 megapixels"),
        ("wan21_i2v", {"max_area": 10**15}, "pixels are more than 64 megapixels"),
        ("wan21_i2v", {"shift": 1e5, "steps": 50}, "--steps=50: "),
        ("wan21_i2v", {"guidance_2": 2.0}, "--guidance_2=2"),
        ("wan21_i2v", {"guidance": 0.5}, "--guidance=0.5: "),
    ],
)
def test_sizes_that_a_model_does_not_make(root, kind, wishes, said):
    refused(root / kind, said, wishes=wishes)


def test_noise_of_another_shape(root):
    wishes = {"noise_BCTHW": np.zeros((1, 4, 2, 4, 4)), "noise_name": "n.npy", "height": 32}
    refused(root / "wan21_i2v", "--noise=n.npy", "[1, 4, 2, 4, 6]", wishes=wishes)


def test_files_that_hold_no_noise(tmp_path):
    np.save(tmp_path / "whole.npy", np.arange(4))
    np.save(tmp_path / "nan.npy", np.full(4, np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    for name, shape in (
        ("many", "(1000000000000,)"),
        ("beyond", f"({10**22},)"),
        ("unclosed", "(5,5"),
        ("truth", "(True,)"),
        ("negative", "(-10,)"),
        ("less", "(9,)"),
        ("deep", "(" * 3000 + "10" + ")" * 3000),
    ):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)
        (tmp_path / f"{name}.npy").write_bytes(content)
    np.save(tmp_path / "large.npy", np.full(4, 1e300))
    np.savez(tmp_path / "archive.npz", noise=np.ones(4))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "empty.npy").touch()
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    for name, said in (
        ("none", "does not exist"),
        ("whole", "finite"),
        ("nan", "finite"),
        ("objects", "is no .npy of numbers"),
        ("text", "is no .npy of numbers"),
        ("many", "is no .npy of numbers"),
        ("beyond", "is no .npy of numbers"),
        ("unclosed", "is no .npy of numbers"),
        ("large", "as float32 has them"),
        ("truth", r"its shape is \(True,\)"),
        ("negative", r"its shape is \(-10,\)"),
        ("less", "the file holds other data"),
        ("archive", "is no .npy of numbers"),
        ("zip", "is no .npy of numbers"),
        ("empty", "is no .npy of numbers"),
        ("deep", "is no .npy of numbers"),
        ("folder", "is not a file"),
        ("pipe", "is not a file"),
    ):
        with pytest.raises(UserError, match=said):
            load_noise(tmp_path / f"{name}.npy")


def test_damaged_noise_is_refused_in_one_line(tmp_path):
    noise = np.random.default_rng(0).normal(size=(1, 2, 3, 4, 5))
    np.save(tmp_path / "whole.npy", noise)
    whole, rng = (tmp_path / "whole.npy").read_bytes(), random.Random(0)
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            damaged[rng.randrange(128)] = rng.randrange(256)
        (tmp_path / "damaged.npy").write_bytes(damaged[: rng.choice((len(whole), 100, 127, 500))])
        # Some damage changes numbers alone.
        with contextlib.suppress(UserError):
            assert load_noise(tmp_path / "damaged.npy").dtype == np.float32


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_noise_of_any_floats_is_read(tmp_path, dtype, order):
    noise = np.asarray(np.arange(24).reshape(1, 2, 3, 4, 1) / 8, dtype, order=order)
    np.save(tmp_path / "noise.npy", noise)
    found = load_noise(tmp_path / "noise.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, noise)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.safetensors", "nowhere.safetensors does not exist"),
        ("larger.safetensors", "in the model 24x24"),
        ("unet.safetensors", "unet.down.0.lora_A"),
    ],
)
def test_loras_for_another_model(root, name, said):
    loras = [adapters.parse([str(root / name)])]
    refused(root / "wan21_i2v", said, loras=loras)


def test_numbers_that_overflow(root):
    loras = [adapters.parse([f"{root / 'lora.safetensors'}:1e38"])]
    refused(root / "wan21_i2v", "step 1 of the sampler", "--dtype=float32", loras=loras)


def test_a_second_lora_needs_a_second_transformer(root):
    loras = [[], adapters.parse([str(root / "lora.safetensors")])]
    refused(root / "wan21_i2v", "--lora_2", loras=loras)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:b", "'b' of the LoRA a "),
        ("a:inf", "a:inf"),
        (":1", ":1"),
        ("", ""),
    ],
)
def test_loras_that_are_not_named_as_they_should(text, said):
    with pytest.raises(UserError) as caught:
        adapters.parse([text])
    assert said in str(caught.value)


def test_loras_are_named_with_weights():
    named = adapters.parse(["a.safetensors, owner/repo:0.5", "b:-1"])
    assert [(one.name, one.weight) for one in named] == [
        ("a.safetensors", 1.0),
        ("owner/repo", 0.5),
        ("b", -1.0),
    ]


def test_mixtures_of_media_are_not_put_into_words(root):
    refused(root / "wan21_i2v", "asked in words", "--prompt", medium="oil:0.5,pencil:0.5")
