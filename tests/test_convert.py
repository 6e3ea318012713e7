"""Models and LoRAs converted by the verb: diffusers reads what it writes, with the same numbers."""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from diffusers import (
    AutoencoderKLWan,
    DiffusionPipeline,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)

from configs import demo, wan21_i2v_14b, wan21_t2v_1_3b, wan22_i2v_a14b
from painting_jax.locking import alone_beside
from tests import tiny, tiny_lora, tiny_wan
from tests.models.wan.test_transformer import reference
from tests.verbs import Verb

WEIGHTS = ("transformer", "vae", "text_encoder", "image_encoder")


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    return Verb("convert", tmp_path_factory.mktemp("printed"))


def converted(convert, source, target, *options) -> str:
    done = convert(f"--source={source}", f"--target={target}", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def pipeline():
    return tiny_wan.pipeline("wan21_i2v")


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    return tiny_wan.save(pipeline, tmp_path_factory.mktemp("published") / "tiny")


@pytest.fixture(autouse=True)
def all_in_float32(monkeypatch):
    # By itself it loads some parameters in float32 whatever is asked for.
    monkeypatch.setattr(WanTransformer3DModel, "_keep_in_fp32_modules", None)


def weights(path) -> dict[str, torch.Tensor]:
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    return {k: x for file in files for k, x in safetensors.torch.load_file(file).items()}


def assert_same(actual: dict, expected: dict) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(actual[name], tensor, atol=0, rtol=0)


def test_a_target_has_one_writer_and_nothing_left_beside_it(convert, folder, tmp_path):
    arguments = (f"--source={folder / 'vae'}", f"--target={tmp_path / 'out'}")
    with alone_beside(tmp_path / "out", "busy"):
        convert.refuses(*arguments, said="out is being written by another convert: wait for it")
    # Killed programs leave them; the next one may come to nothing, too.
    (tmp_path / ".unfinished_abcdefgh.safetensors").write_bytes(b"half")
    (tmp_path / ".unfinished_abcdefgh" / "new" / "out").mkdir(parents=True)
    (tmp_path / ".out.lock").touch()
    convert.refuses("--source=nowhere", *arguments[1:], said="nowhere")
    assert os.listdir(tmp_path) == []


def test_a_whole_model_is_read_by_diffusers_and_paints_the_same(
    convert, pipeline, folder, tmp_path
):
    said = converted(convert, folder, tmp_path / "out")
    assert "transformer: " in said
    again = WanImageToVideoPipeline.from_pretrained(tmp_path / "out")
    for part in WEIGHTS:
        assert_same(getattr(again, part).state_dict(), getattr(pipeline, part).state_dict())
    assert json.loads((tmp_path / "out" / "model_index.json").read_text()) == json.loads(
        (folder / "model_index.json").read_text()
    )
    for part in ("tokenizer", "scheduler", "image_processor"):
        files = {path.name for path in (folder / part).iterdir()}
        assert {path.name for path in (tmp_path / "out" / part).iterdir()} == files


def test_weights_may_be_bf16_but_for_what_loses_too_much(convert, folder, tmp_path):
    converted(convert, folder, tmp_path / "out", "--dtype=bfloat16")
    for part in WEIGHTS:
        for name, tensor in weights(tmp_path / "out" / part).items():
            precise = part == "vae" or (
                part == "transformer"
                and any(word in name for word in ("norm", "time_embedder", "scale_shift_table"))
            )
            assert tensor.dtype == (torch.float32 if precise else torch.bfloat16), (part, name)
    encoder = transformers.UMT5EncoderModel.from_pretrained(tmp_path / "out" / "text_encoder")
    assert encoder.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("largest", "dtype", "better"),
    [(65520.0, "float16", "bfloat16 or float32"), (3.4e38, "bfloat16", "float32")],
)
def test_numbers_that_the_dtype_does_not_take_are_refused(
    convert, folder, largest, dtype, better, tmp_path
):
    large = shutil.copytree(folder, tmp_path / "large")
    change(large / "transformer", {"proj_out.bias": torch.tensor([1.0, -largest] + 14 * [0.0])})
    said = f"proj_out.bias holds {largest:g}, but {dtype} holds at most "
    for source in (large, large / "transformer"):
        done = convert(f"--source={source}", f"--target={tmp_path / 'out'}", f"--dtype={dtype}")
        tiny.assert_one_line(done, said)
        assert done.stderr.endswith(f": choose {better}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_numbers_of_a_lora_that_the_dtype_does_not_take_are_refused(convert, tmp_path):
    factors = {key: (down, 1e6 * up) for key, (down, up) in tiny_lora.pairs(1).items()}
    source = tiny_lora.write(tmp_path / "a.safetensors", factors, tiny_lora.DIFFUSERS)
    options = f"--source={source}", f"--target={tmp_path / 'b.safetensors'}", "--dtype=float16"
    convert.refuses(*options, said="lora_B.weight holds ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_a_component_becomes_a_single_file_and_returns(convert, folder, part, tmp_path):
    file = tmp_path / "one.safetensors"
    converted(convert, folder / part, file, "--format=comfyui")
    single, expected = weights(file), weights(folder / part)
    assert len(single) == len(expected)
    assert not single.keys() & expected.keys() - {"patch_embedding.weight", "patch_embedding.bias"}
    converted(convert, file, tmp_path / "out", f"--pretrained={folder}")
    assert_same(weights(tmp_path / "out" / part), expected)
    WanImageToVideoPipeline.from_pretrained(tmp_path / "out")


def test_a_component_alone_stays_a_folder_that_diffusers_loads(convert, pipeline, folder, tmp_path):
    converted(convert, folder / "vae", tmp_path / "vae")
    assert_same(
        AutoencoderKLWan.from_pretrained(tmp_path / "vae").state_dict(), pipeline.vae.state_dict()
    )


def test_the_second_expert_is_replaced_where_it_is_asked_for(convert, tmp_path):
    folder = tiny_wan.save(tiny_wan.pipeline("wan22_i2v_a14b"), tmp_path / "experts")
    first, second = (weights(folder / part) for part in ("transformer", "transformer_2"))
    source = folder / "transformer"
    options = f"--pretrained={folder}", "--component=transformer_2"
    converted(convert, source, tmp_path / "out", *options)
    assert not torch.equal(first["proj_out.weight"], second["proj_out.weight"])
    assert_same(weights(tmp_path / "out" / "transformer_2"), first)


@pytest.fixture(scope="module")
def lora_model():
    return reference(tiny_lora.CONFIG)


def numbers(transformer) -> np.ndarray:
    with torch.no_grad():
        return tiny_lora.reference_forward(transformer).numpy()


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("layout", ["diffusers", "comfyui"])
@pytest.mark.parametrize(
    ("key", "parts"),
    [
        (tiny_lora.DIFFUSERS, ("lora_A", "lora_B")),
        (tiny_lora.COMFYUI, ("lora_down", "lora_up")),
        (tiny_lora.MUSUBI, ("lora_down", "lora_up")),
    ],
    ids=["diffusers", "comfyui", "musubi"],
)
def test_a_lora_in_another_dialect_gives_diffusers_the_same_numbers(
    convert, lora_model, key, parts, layout, tmp_path
):
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    alpha = None if key is tiny_lora.DIFFUSERS else 1.5
    tiny_lora.write(source, tiny_lora.pairs(1), key, parts, alpha)
    said = converted(convert, source, target, f"--format={layout}")
    assert said.startswith("24 matrices of rank 3, 5 in 2 blocks")
    expected, actual = (
        numbers(tiny_lora.with_loras(lora_model, [(str(path), 0.8)])) for path in (source, target)
    )
    assert_close(actual, expected)
    prefix = {"diffusers": "transformer.", "comfyui": "diffusion_model."}[layout]
    assert all(name.startswith(prefix) for name in weights(target))


def test_what_a_lora_holds_for_no_layer_is_told(convert, tmp_path):
    extra = {
        "diffusion_model.blocks.0.norm3.diff": torch.zeros(24),
        "diffusion_model.blocks.0.audio.diff": torch.zeros(24),
    }
    source = tiny_lora.write(
        tmp_path / "a.safetensors", tiny_lora.pairs(1), tiny_lora.COMFYUI, extra=extra
    )
    said = converted(convert, source, tmp_path / "b.safetensors", "--dtype=bfloat16")
    assert "left out, as no layer has them: diffusion_model.blocks.0.audio.diff\n" in said
    assert "left out, as diffusers has no place for them: blocks.0.norm2.weight\n" in said
    assert {x.dtype for x in weights(tmp_path / "b.safetensors").values()} == {torch.bfloat16}


def test_merged_loras_give_the_numbers_of_set_adapters(convert, lora_model, tmp_path):
    lora_model.save_pretrained(tmp_path / "base")
    keys = [(tiny_lora.DIFFUSERS, 0.7), (tiny_lora.COMFYUI, -0.4)]
    weighted = [
        (tiny_lora.write(tmp_path / f"{i}.safetensors", tiny_lora.pairs(i), key), weight)
        for i, (key, weight) in enumerate(keys)
    ]
    assert_merged(convert, lora_model, weighted, tmp_path)


def test_merged_biases_and_whole_matrices_give_diffusers_numbers(convert, lora_model, tmp_path):
    lora_model.save_pretrained(tmp_path / "base")
    extra = {
        f"diffusion_model.blocks.{block}.{original}.diff_b": torch.randn(width)
        for block in range(tiny_lora.CONFIG.layers)
        for original, _, width in tiny_lora.NAMES.values()
    } | {
        "diffusion_model.head.head.diff": 0.3 * torch.randn(16, 24),
        "diffusion_model.head.head.diff_b": torch.randn(16),
    }
    path = tmp_path / "a.safetensors"
    tiny_lora.write(path, tiny_lora.pairs(1), tiny_lora.COMFYUI, extra=extra)
    assert_merged(convert, lora_model, [(str(path), 0.5)], tmp_path)


def assert_merged(convert, model, weighted: list[tuple[str, float]], folder) -> None:
    loras = ",".join(f"{path}:{weight}" for path, weight in weighted)
    said = converted(convert, folder / "base", folder / "out", f"--lora={loras}")
    assert said.count(" merged, ") == len(weighted)
    merged = WanTransformer3DModel.from_pretrained(folder / "out").eval()
    assert_close(numbers(merged), numbers(tiny_lora.with_loras(model, weighted)))


def change(path, tensors: dict[str, torch.Tensor | None], renamed: dict[str, str] = {}) -> None:  # noqa: B006
    """Changes tensors of a component's file; None = removes it."""
    (file,) = path.glob("*.safetensors")
    state = safetensors.torch.load_file(file) | tensors
    state = {renamed.get(k, k): x for k, x in state.items() if x is not None}
    safetensors.torch.save_file(state, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("part", "tensors", "renamed", "said"),
    [
        ("transformer", {"proj_out.bias": None}, {}, "1 missing (proj_out.bias)"),
        (
            "transformer",
            {},
            {"blocks.1.ffn.net.2.bias": "blocks.1.ffn.net.3.bias"},
            "1 missing (blocks.1.ffn.net.2.bias); 1 unexpected (blocks.1.ffn.net.3.bias)",
        ),
        (
            "vae",
            {"decoder.conv_in.bias": torch.zeros(17)},
            {},
            "decoder.conv_in.bias is [17] instead of [16]",
        ),
        (
            "transformer",
            {"patch_embedding.weight": torch.tensor(0.0)},
            {},
            "patch_embedding.weight is [] instead of [24, 12, 1, 2, 2]",
        ),
        (
            "transformer",
            {f"blocks.{'9' * 5000}.norm2.bias": torch.zeros(24)},
            {},
            f"1 unexpected (blocks.{'9' * 193})",
        ),
        ("text_encoder", {"encoder.final_layer_norm.weight": None}, {}, "1 missing"),
        ("image_encoder", {"extra.weight": torch.zeros(1)}, {}, "1 unexpected (extra.weight)"),
    ],
    ids=[
        "missing",
        "renamed",
        "misshapen",
        "no axes",
        "no number",
        "text encoder",
        "image encoder",
    ],
)
def test_tensors_that_do_not_fit_are_named_in_one_line(
    convert, folder, part, tensors, renamed, said, tmp_path
):
    broken = shutil.copytree(folder, tmp_path / "broken")
    change(broken / part, tensors, renamed)
    for source in (broken, broken / part):
        target = f"--target={tmp_path / 'out'}"
        convert.refuses(f"--source={source}", target, said=said)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


@pytest.mark.parametrize(
    ("tensors", "settings", "said"),
    [
        ({"lora_A.weight": (3,)}, None, "to_q has lora_A of shape [3]"),
        ({"lora_B.weight": ()}, None, "to_q has lora_B of shape []"),
        ({"lora_A.weight": (0, 24), "lora_B.weight": (24, 0)}, {"lora_alpha": 1}, "of rank 0"),
        ({}, [1], "has a damaged adapter config"),
        ({}, {"lora_alpha": 1, "alpha_pattern": {"(": 1}}, "has a damaged adapter config"),
    ],
)
def test_a_damaged_lora_is_said_and_nothing_written(
    convert, folder, tensors, settings, said, tmp_path
):
    whole = {"lora_A.weight": (2, 24), "lora_B.weight": (24, 2)} | tensors
    source = tmp_path / "a.safetensors"
    safetensors.torch.save_file(
        {f"blocks.0.attn1.to_q.{part}": torch.ones(shape) for part, shape in whole.items()},
        source,
        metadata=settings and {"lora_adapter_metadata": json.dumps(settings)},
    )
    target = f"--target={tmp_path / 'b.safetensors'}"
    convert.refuses(f"--source={source}", target, said=said)
    convert.refuses(f"--source={folder}", f"--lora={source}", target, said=said)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("wan-Q4_K_M.gguf", b"GGUF" + bytes(99), "is a GGUF file, whose quantized weights are not"),
        ("wan.safetensors", b"<!doctype html>" + bytes(99), "is a web page, not the weights"),
    ],
)
def test_a_file_of_another_format_is_named(convert, folder, name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    target = f"--target={tmp_path / 'out.safetensors'}"
    convert.refuses(f"--source={tmp_path / name}", target, said=said)
    convert.refuses(f"--source={folder}", f"--lora={tmp_path / name}", target, said=said)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_cut_short_is_said(convert, folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (file,) = (broken / "vae").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    for source in (broken, broken / "vae", file):
        convert.refuses(f"--source={source}", f"--target={tmp_path / 'out'}", said="is truncated")


def test_a_full_disk_leaves_nothing_behind(convert, folder, tmp_path):
    convert.refuses(
        f"--source={folder}",
        f"--target={tmp_path / 'out'}",
        said="cannot be written",
        file_limit=20_000,
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--source is missing"),
        (["--source={folder}"], "--target is missing"),
        (["--source=nowhere", "--target={out}"], "nowhere does not exist"),
        (["--source={folder}", "--target={folder}"], "is not empty: name a new folder"),
        (["--source={folder}", "--target={out}", "--format=comfyui"], "name one of its components"),
        (
            ["--source={folder}/transformer", "--target={out}", "--format=comfyui"],
            "name it .safetensors",
        ),
        (
            ["--source={folder}/text_encoder", "--target={out}.safetensors", "--format=comfyui"],
            "use it as it is",
        ),
        (["--source={folder}/tokenizer", "--target={out}"], "holds no weights"),
        (["--source={folder}", "--target={out}", "--lora_2={folder}"], "has no transformer_2"),
        (["--source={folder}", "--target={out}", "--lora=a:b"], "is not a number"),
        (["--source={folder}/vae", "--target={out}", "--lora=a"], "LoRAs are merged into transf"),
        (["--source={folder}", "--target={out}", "--dtype=int8"], "dtype"),
        (["--source={folder}", "--target={out}", "--component=transformer_2"], "name one"),
        (
            [
                "--source={folder}/vae",
                "--target={out}",
                "--pretrained={folder}",
                "--component=transformer_2",
            ],
            "has no transformer_2",
        ),
    ],
)
def test_what_cannot_be_done_is_said(convert, folder, options, said, tmp_path):
    given = [option.format(folder=folder, out=tmp_path / "out") for option in options]
    convert.refuses(*given, said=said)


@pytest.fixture
def run(folder, tmp_path) -> pathlib.Path:
    """The folder of a finished run on the model, as far as it is to be converted."""
    workdir = tmp_path / "run"
    (workdir / "checkpoints").mkdir(parents=True)
    config = wan21_i2v_14b.get_config("tiny")
    config.pretrained.path = str(folder)
    (workdir / "config.json").write_text(config.to_json())
    shutil.copytree(folder / "transformer", workdir / "transformer")
    change(workdir / "transformer", {"proj_out.bias": torch.ones(16)})
    return workdir


def test_of_a_run_the_transformer_is_put_into_its_model(convert, folder, run, tmp_path):
    converted(convert, run, tmp_path / "out")
    again = WanImageToVideoPipeline.from_pretrained(tmp_path / "out")
    assert_same(again.transformer.state_dict(), weights(run / "transformer"))
    assert_same(again.vae.state_dict(), weights(folder / "vae"))
    converted(convert, run, tmp_path / "one.safetensors", "--format=comfyui")
    single = weights(tmp_path / "one.safetensors")
    assert torch.equal(single["head.head.bias"], torch.ones(16))


def test_a_text_to_video_model_has_become_one_of_pictures(convert, folder, run, tmp_path):
    config = wan21_t2v_1_3b.get_config("tiny")
    config.pretrained.path = str(folder)
    (run / "config.json").write_text(config.to_json())
    converted(convert, run, tmp_path / "out")
    assert DiffusionPipeline.from_pretrained(tmp_path / "out").config.expand_timesteps


def test_of_a_run_on_an_expert_that_one_is_replaced(convert, run, tmp_path):
    base = tiny_wan.save(tiny_wan.pipeline("wan22_i2v_a14b"), tmp_path / "experts")
    shutil.rmtree(run / "transformer")
    shutil.copytree(base / "transformer_2", run / "transformer")
    change(run / "transformer", {"proj_out.bias": torch.ones(16)})
    config = wan22_i2v_a14b.get_config("tiny")
    config.pretrained.update(path=str(base), expert="low")
    (run / "config.json").write_text(config.to_json())
    converted(convert, run, tmp_path / "out")
    for part, source in (("transformer", base), ("transformer_2", run)):
        expected = weights(source / "transformer")
        assert_same(weights(tmp_path / "out" / part), expected)


@pytest.mark.parametrize("layout", ["diffusers", "comfyui"])
def test_of_a_run_the_lora_is_converted(convert, run, layout, tmp_path):
    (run / "config.json").write_text(wan21_i2v_14b.get_config("lora,tiny").to_json())
    target = tmp_path / "out.safetensors"
    convert.refuses(f"--source={run}", f"--target={target}", said="has no checkpoint yet")
    tiny_lora.write(run / "lora.safetensors", tiny_lora.pairs(1), tiny_lora.DIFFUSERS)
    said = converted(convert, run, target, f"--format={layout}")
    assert said.startswith("24 matrices of rank 3, 5 in 2 blocks")


def test_a_run_of_its_own_model_has_no_other_programs_format(convert, run, tmp_path):
    (run / "config.json").write_text(demo.get_config().to_json())
    arguments = (f"--source={run}", f"--target={tmp_path / 'out'}")
    convert.refuses(*arguments, "--format=comfyui", said="which no other program knows")
    convert.refuses(*arguments, said="has no checkpoint yet")


def test_help_explains(convert):
    done = convert("--help")
    assert done.returncode == 0
    assert "--source=MODEL --target=FOLDER" in done.stdout
    assert "--pretrained: " in done.stdout


@pytest.mark.parametrize("flag", ["source", "target", "pretrained", "lora", "lora_2"])
def test_an_empty_name_is_one_line(convert, tmp_path, flag):
    given = {"source": tmp_path, "target": tmp_path / "out"} | {flag: ""}
    arguments = [f"--{name}={value}" for name, value in given.items()]
    convert.refuses(*arguments, said=f"--{flag}= is empty")


def test_the_home_of_no_user_is_one_line(convert, tmp_path):
    target = f"--target={tmp_path / 'out'}"
    convert.refuses("--source=~nosuchuser/x", target, said="in no known user's home")
