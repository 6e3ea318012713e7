"""Users' mistakes, each tried through the command line: one line, status 2, nothing left behind."""

import json
import os
import pathlib
import shutil
import struct
import time
import types
import zlib

import numpy as np
import pytest

from configs import wan21_t2v_1_3b
from painting_jax.checkpoints import random_folder
from painting_jax.data import pictures, video
from painting_jax.locking import alone_beside
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training.checkpoint import Checkpoints
from tests import tiny, tiny_run
from tests.verbs import Verb

_CONFIG = f"--config={tiny.ROOT / 'configs' / 'demo.py'}"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> types.SimpleNamespace:
    """A data set, a run with a checkpoint of random parameters, and good and bad pictures."""
    root = tmp_path_factory.mktemp("files")
    tiny.prepare(root / "data")
    tiny_run.write(root / "run", root / "data", captions=["a cat"], flags=tiny.LEAST)
    good = pictures.encode(np.full((40, 40, 3), 200, np.uint8), "png")
    (root / "good.png").write_bytes(good)
    (root / "text.jpg").write_text("this is no picture")
    noise_HWC = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    (root / "cut.png").write_bytes(pictures.encode(noise_HWC, "png")[:2000])
    (root / "dot.png").write_bytes(pictures.encode(np.zeros((1, 1, 3), np.uint8), "png"))
    (root / "huge.png").write_bytes(_announcing(20_000, 20_000))
    (root / "empty").mkdir()
    video.write_mp4(root / "videos" / "cut.mp4", np.repeat(noise_HWC[None], 12, axis=0), fps=4)
    whole = (root / "videos" / "cut.mp4").read_bytes()
    (root / "videos" / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return types.SimpleNamespace(root=root, out=root / "out")


def _announcing(height: int, width: int) -> bytes:
    """A png whose header promises more than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _verb(name: str):
    @pytest.fixture(scope="module")
    def running(tmp_path_factory):
        return Verb(name, tmp_path_factory.mktemp(name))

    return running


generate, evaluate, train, prepare = map(_verb, ("generate", "evaluate", "train", "prepare"))

_PICTURES = [
    ("none.png", "does not exist"),
    ("text.jpg", "is not a picture"),
    ("cut.png", "cut short"),
    ("dot.png", "1x1 pixels"),
    ("huge.png", "more than 64 megapixels"),
    ("empty", "holds no picture"),
]
# What is done to a copy of a run, and what is then said of it.
_RUNS = [
    ("other_model", "other_model/checkpoints/0 is of another model"),
    ("torn_config", "config.json is damaged"),
    ("old_config", "has no field sampling.shift"),
    ("other_type", "has steps=0: "),
    ("other_sizes", "config.model.dim=30: "),
    ("deep_config", "nested more than 64 deep"),
    ("no_tokenizer", "holds no tokenizer"),
    ("torn_tokenizer", "damaged tokenizer"),
    ("no_checkpoint", "has no checkpoint yet"),
    ("torn_checkpoint", "torn_checkpoint/checkpoints/0 is damaged"),
    ("empty", "is no training run"),
]


@pytest.fixture(scope="module")
def spoilt(files) -> pathlib.Path:
    """The folder with the runs of `_RUNS`."""
    for name, _ in _RUNS[:-1]:
        shutil.copytree(files.root / "run", files.root / name)
    config = json.loads((files.root / "run" / "config.json").read_text())
    other = config | {"model": config["model"] | {"dim": 64}}
    (files.root / "other_model" / "config.json").write_text(json.dumps(other))
    (files.root / "torn_config" / "config.json").write_text('{"seed":')
    (files.root / "other_type" / "config.json").write_text(json.dumps(config | {"steps": 0}))
    other = config | {"model": config["model"] | {"dim": 30}}
    (files.root / "other_sizes" / "config.json").write_text(json.dumps(other))
    deep = '{"model": ' * 100_000 + "1" + "}" * 100_000
    (files.root / "deep_config" / "config.json").write_text(deep)
    del config["sampling"]["shift"]
    (files.root / "old_config" / "config.json").write_text(json.dumps(config))
    shutil.rmtree(files.root / "no_tokenizer" / "tokenizer")
    (files.root / "torn_tokenizer" / "tokenizer" / "tokenizer.json").write_text("{}")
    shutil.rmtree(files.root / "no_checkpoint" / "checkpoints")
    for path in (files.root / "torn_checkpoint" / "checkpoints" / "0" / "state").rglob("d/*"):
        # The arrays' data, not the list of what there is.
        content = bytearray(path.read_bytes())
        content[len(content) // 8 :: 4096] = bytes(len(content[len(content) // 8 :: 4096]))
        path.write_bytes(content)
    return files.root


@pytest.mark.parametrize(("picture", "said"), _PICTURES)
def test_generate_refuses_pictures(generate, files, picture, said):
    arguments = (f"--workdir={files.root / 'run'}", f"--output={files.out}")
    generate.refuses(*arguments, f"--image={files.root / picture}", said=said)
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--medium=crayon", "unknown medium 'crayon'"),
        ("--medium=oil:0.5,pencil:0.3", "sum to 0.8"),
        ("--medium=oil:x", "'x' of oil"),
        ("--frames=0", "--frames=0: "),
        ("--frames=many", "--frames=many"),
        (f"--frames={10**20}", f"--frames={10**20}: "),
        ("--fps=1e-9", "--fps=1e-09: it must be from 0.01 to 240"),
        ("--fps=nan", "--fps=nan: "),
        ("--fps=inf", "--fps=inf: "),
        (f"--seed={2**31}", f"--seed={2**31}: "),
        (f"--held_out={10**20}", f"--held_out={10**20}: "),
        (f"--steps={10**20}", f"--steps={10**20}: "),
        ("--guidance=1e300", "--guidance=1e+300: "),
        ("--image=http://host/a.png", "--image=http://host/a.png: "),
        ("--image=s3://bucket/a.png", "needs the package s3fs"),
        ("--output=gs://bucket/out", "--output=gs://bucket/out "),
        ("--workdir=s3://bucket/run", "--workdir=s3://bucket/run: a run lies"),
        ("--segments=https://host/map.png", "--segments=https://host/map.png "),
        ("--steps=0", "--steps=0"),
        ("--steps=1001", "--steps=1001: "),
        ("--workdir=", "--workdir= is empty"),
        ("--image=", "--image= is empty: say what it names, or leave it out"),
        ("--segments=", "--segments= is empty"),
        ("--prompt=caf\udce9", "--prompt=caf\\udce9: "),
        ("--negative_prompt=caf\udce9", "--negative_prompt=caf\\udce9: "),
        ("--guidance=nan", "--guidance=nan"),
        ("--seed=-1", "--seed=-1"),
        ("--held_out=-1", "--held_out=-1"),
        ("--held_out=99", "fewer than 99"),
        ("--segments=nowhere.png", "nowhere.png does not exist"),
        ("--height=32", "--height goes with "),
        ("--lora=a.safetensors", "--lora goes with "),
    ],
)
def test_generate_refuses_values(generate, files, flag, said):
    arguments = (f"--workdir={files.root / 'run'}", f"--output={files.out}")
    generate.refuses(*arguments, f"--image={files.root / 'good.png'}", flag, said=said)
    assert not files.out.exists()


def test_generate_refuses_another_look_that_the_model_cannot_be_told(generate, files):
    shutil.copytree(files.root / "run", files.root / "no_marks")
    config = json.loads((files.root / "no_marks" / "config.json").read_text())
    del config["model"]["mark_other_looks"]
    (files.root / "no_marks" / "config.json").write_text(json.dumps(config))
    flags = (f"--image={files.root / 'good.png'}", f"--output={files.out}", "--other_look")
    said = "--other_look: the model of"
    generate.refuses(f"--workdir={files.root / 'no_marks'}", *flags, said=said)
    said = "--other_look goes without --pretrained"
    generate.refuses("--pretrained=none", *flags, said=said)
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--output={root}/good.png", "good.png is a file: "),
        ("--output={root}/good.png/sub", "good.png, which is a file: "),
        ("--save_frames={root}/empty", "empty is a folder: "),
        ("--save_frames={root}/good.png/a.npy", "good.png, which is a file: "),
        ("--embeddings={root}/good.png", "--embeddings={root}/good.png is a file"),
    ],
)
def test_generate_refuses_destinations_before_any_work(generate, files, flag, said):
    # There is no such model: it is not even looked for.
    arguments = (f"--pretrained={files.root / 'none'}", f"--output={files.out}")
    picture = f"--image={files.root / 'good.png'}"
    generate.refuses(
        *arguments, picture, flag.format(root=files.root), said=said.format(root=files.root)
    )
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--pretrained=", "--pretrained= is empty"),
        ("--pretrained=~nosuchuser/x", "~nosuchuser/x is in no known user's home"),
        ("--transformer=", "--transformer= is empty"),
        ("--noise=", "--noise= is empty"),
        ("--lora=", "--lora= is empty"),
        ("--save_frames=", "--save_frames= is empty"),
    ],
)
def test_generate_refuses_names_of_nothing(generate, files, flag, said):
    arguments = (f"--image={files.root / 'good.png'}", f"--output={files.out}", "--pretrained=none")
    generate.refuses(*arguments, flag, said=said)
    assert not files.out.exists()


@pytest.mark.parametrize(("run", "said"), _RUNS)
def test_generate_and_evaluate_refuse_runs(generate, evaluate, files, spoilt, run, said):
    before = sorted(spoilt.rglob("*"))
    arguments = (f"--workdir={spoilt / run}", f"--output={files.out}")
    generate.refuses(*arguments, f"--image={files.root / 'good.png'}", said=said)
    evaluate.refuses(*arguments, said=said)
    assert sorted(spoilt.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--workdir=run", "--data_dir=nowhere"), "nowhere does not exist"),
        (("--workdir=run", "--data_dir=empty"), "holds no data set"),
        (("--workdir=run", "--split=all"), "--split=all"),
        (("--workdir=run", "--examples=0"), "--examples=0"),
        (("--workdir=run", f"--examples={10**20}"), f"--examples={10**20}: "),
        (("--workdir=run", "--steps=0"), "--steps=0: "),
        (("--workdir=run", "--guidance=nan"), "--guidance=nan: "),
        (("--generated=videos", "--unpaired", f"--frames={10**20}"), f"--frames={10**20}: "),
        (("--generated=videos", "--unpaired", f"--size={10**20}"), f"--size={10**20}: "),
        (("--generated=videos", "--recorded=videos"), "is cut short"),
        (("--generated=empty", "--recorded=videos"), "holds no videos"),
        (("--generated=videos", "--recorded=nowhere"), "nowhere does not exist"),
        (("--generated=videos", "--recorded=videos", "--frames=0"), "--frames=0"),
        (("--generated=videos", "--unpaired", "--backbones=lpips=vgg:no.safetensors"), "no.safet"),
        (
            ("--generated=videos", "--unpaired", "--backbones=clip=./no/such/one"),
            "no/such/one does",
        ),
        (("--generated=videos", "--unpaired", "--backbones=inception=."), "holds no weights"),
    ],
)
def test_evaluate_refuses(evaluate, files, flags, said):
    paths = ("--workdir=", "--generated=", "--recorded=", "--data_dir=")
    placed = [
        flag.replace("=", f"={files.root}/") if flag.startswith(paths) else flag for flag in flags
    ]
    evaluate.refuses(*placed, f"--output={files.out}", said=said)
    assert not files.out.exists()


def test_a_report_below_a_file_is_refused_before_anything_is_measured(evaluate, files):
    videos, below = files.root / "videos", files.root / "good.png" / "sub"
    said = "good.png, which is a file: "
    evaluate.refuses(f"--generated={videos}", "--unpaired", f"--output={below}", said=said)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--config.nothing=3",), "no field 'nothing'"),
        (("--config.model.nothing=3",), "no field 'nothing' (see its file)"),
        (("--config.data.batch_sise=1",), "no field 'batch_sise' (did you mean 'batch_size'?)"),
        (("--config.steps=many",), "--config.steps=many"),
        ((f"--config.steps={10**20}",), f"config.steps={10**20}: "),
        (("--config.data.batch_size=100000000",), "batch_size=100000000: "),
        (("--config.data.batch_size=1000000",), "this training needs at least"),
        (("--config.model.layers=10000000",), "layers=10000000: "),
        (
            ("--config.model.layers=1024", "--config.model.dim=65536"),
            "this training needs at least",
        ),
        (("--config.optimizer.warmup_steps=2000",), "warmup_steps=2000: "),
        (("--config.lora.targets=('(',)",), "config.lora.targets=('(',): "),
        (("--config.sampling.guide_on=mediums",), "guide_on=('mediums',): "),
        (("--config.sampling.guide_on=(1,)",), "guide_on=(1,): "),
        (("--config.sampling.guide_on=",), "guide_on=('',): "),
        (("--config.init_from=s3://bucket/run",), "config.init_from=s3://bucket/run: "),
        (("--config.pretrained.path=http://host/x",), "pretrained.path=http://host/x: "),
        (("--workdir=gs://bucket",), "--workdir=gs://bucket: a run lies on this machine or in"),
        (("--workdir=s3://bucket/run",), "--workdir=s3://bucket/run: a run lies on this machine"),
        (("--data_dir=http://host/data",), "--data_dir=http://host/data: "),
        (("--data_dir=s3://bucket/data",), "needs the package s3fs"),
        (("--config.optimizer.learning_rate=-1",), "learning_rate=-1.0: "),
        (("--config.model.patch=3",), "config.model.patch="),
        (("--config.model.patch=(1,'a',16)",), "config.model.patch="),
        (("--config.model.patch=(1,15,16)",), "config.model.patch=(1, 15, 16): "),
        (("--config.sampling.firmness=0",), "config.sampling.firmness=0"),
        (("--config=none.py",), "none.py"),
        ((f"{_CONFIG}:what",), "unknown config argument 'what'"),
        (("--data_dir=/nowhere",), "/nowhere does not exist"),
        (("--config.mesh.fsdp=3",), "needs 3 devices, there are 1"),
        (("--config.optimizer.gradient_accumulation_steps=3",), "multiple of 1 devices"),
        (("--config.optimizer.gradient_accumulation_steps=0",), "accumulation_steps=0: "),
        (("--config.data.frames=0",), "config.data.frames=0"),
        (("--config.data.height=33",), "config.data.height=33: "),
        (("--config.objective.noise_distribution=gauss",), "noise_distribution=gauss: "),
        (("--config.model.dtype=float7",), "config.model.dtype=float7: "),
        (("--config.init_from=/nowhere",), "/nowhere is no training run"),
        (("--coordinator_address=here:1", "--process_id=0"), "--process_count missing"),
        (
            ("--coordinator_address=here", "--process_count=2", "--process_id=0"),
            "--coordinator_address=here: it must be HOST:PORT",
        ),
        (("picture.jpg",), "'picture.jpg'"),
        (("--data_dir=",), "--data_dir= is empty"),
        (("--config.sampling.shift=0",), "config.sampling.shift=0.0: "),
    ],
)
def test_train_refuses(train, files, flags, said):
    arguments = (_CONFIG, f"--data_dir={files.root / 'data'}", f"--workdir={files.out}")
    train.refuses(*arguments, *flags, said=said)
    assert not files.out.exists()


@pytest.mark.parametrize("field", ["nothing", "data.nothing.more"])
def test_train_refuses_fields_of_the_default_config(train, files, field):
    arguments = (f"--data_dir={files.root / 'data'}", f"--workdir={files.out}")
    train.refuses(*arguments, f"--config.{field}=1", said="no field 'nothing' (see its file)")
    assert not files.out.exists()


@pytest.fixture(scope="module")
def published(files) -> pathlib.Path:
    """Published weights of a text-to-video model."""
    model = wan21_t2v_1_3b.get_config("tiny").model
    sizes = {name: model[name] for name in ("dim", "layers", "heads", "ffn_dim", "text_dim")}
    transformer = WanConfig(**sizes, in_channels=16, out_channels=16)
    folder = files.root / "published"
    random_folder.write(folder, "wan21", transformer, tokenizer=Tokenizer.train(["a cat"]), seed=0)
    return folder


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--config.pretrained.path=/nowhere",), "/nowhere does not exist"),
        (("--config.pretrained.path={root}/data",), "is not a diffusers folder"),
        (("--config.pretrained.path={published}", "--config.model.dim=96"), "published has 48"),
        (("--config.pretrained.path={published}", "--config.model.layers=3"), "published has 2"),
        (("--config.pretrained.path={published}", "--config.model.in_channels=36"), "has 16"),
        (("--config.model.family=wan23",), "config.model.family=wan23: "),
        (("--config.pretrained.expert=middle",), "config.pretrained.expert=middle: "),
        (
            ("--config.pretrained.path={published}", "--config.pretrained.expert=high"),
            "config.pretrained.expert=high: ",
        ),
        (("--config.data.frames=8",), "config.data.frames=8: "),
        (("--config.data.height=72",), "config.data.height=72: "),
        (
            ("--config.model.family=wan22", "--config.data.width=48"),
            "config.data.width=48: ",
        ),
        (("--config.lora.targets=('to_z',)",), "there are attn1.to_k, attn1.to_out.0"),
        (("--config.lora.targets=()",), "config.lora.targets=(): "),
        (("--config.lora.rank=0",), "config.lora.rank=0: "),
        (("--config.objective.clean_prediction=True",), "predict the velocity"),
        (("--config.objective.drop.reference=0.1",), "drop text only"),
        (("--config.sampling.guide_on=('medium',)",), "it must be some of text"),
        (("--config.model.family=painting",), "a LoRA adapts published weights"),
        (("--config.pretrained.path=~nosuchuser/x",), "is in no known user's home"),
        (("--config.init_from=~nosuchuser/x",), "is in no known user's home"),
        (("--config.pretrained.dtype=float16",), "config.pretrained.dtype=float16: "),
        (
            ("--config.sampling.shift=-1",),
            "config.sampling.shift=-1.0: ",
        ),
        (
            ("--config.sampling.shift=nan",),
            "config.sampling.shift=nan: ",
        ),
        (("--config.sampling.shift=1e5", "--config.sampling.steps=50"), "coincide"),
        (("--config.model.image_dim=7",), "config.model.image_dim=7: "),
        (("--config.model.family=wan22",), "in_channels=16 with config.model.family=wan"),
        (("--config.lora.rank=1000",), "config.lora.rank=1000: "),
        (("--config.lora.rank=10000000",), "config.lora.rank=10000000: "),
        (("--config.data.allow_upscaling=False",), "processes are too small, such as photo"),
        (("--config.data.buckets=('3:4','9',)",), "config.data.buckets=('3:4', '9'): "),
    ],
)
def test_train_refuses_of_published_weights(train, files, published, flags, said):
    config = f"--config={tiny.ROOT / 'configs' / 'wan21_t2v_1_3b.py'}:lora,tiny"
    placed = [flag.format(root=files.root, published=published) for flag in flags]
    arguments = (config, f"--data_dir={files.root / 'data'}", f"--workdir={files.out}")
    train.refuses(*arguments, "--config.data.allow_upscaling", *placed, said=said)
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("run", "said"), [("no_tokenizer", "holds no tokenizer"), ("torn_checkpoint", "is damaged")]
)
def test_train_leaves_no_run_that_could_not_start(train, files, spoilt, run, said):
    arguments = (_CONFIG, f"--data_dir={files.root / 'data'}", f"--workdir={files.out}")
    train.refuses(*arguments, *tiny.LEAST, f"--config.init_from={spoilt / run}", said=said)
    assert not files.out.exists()


def test_train_leaves_no_run_on_data_that_are_not_all_there(train, files, tmp_path):
    shutil.copytree(files.root / "data", tmp_path / "data")
    [shard] = (tmp_path / "data").rglob("*-train.array_record-*")
    shard.unlink()
    arguments = (_CONFIG, f"--data_dir={tmp_path / 'data'}", f"--workdir={files.out}")
    train.refuses(*arguments, *tiny.LEAST, said=str(tmp_path / "data"))
    assert not files.out.exists()


def test_train_refuses_the_workdir_of_another_config(train, files):
    before = sorted(files.root.rglob("*"))
    arguments = (_CONFIG, f"--data_dir={files.root / 'data'}", *tiny.LEAST)
    run = f"--workdir={files.root / 'run'}"
    train.refuses(*arguments, run, "--config.model.dim=64", said="model.dim was 32, is 64")
    train.refuses(*arguments, f"--workdir={files.root / 'data'}", said="is not empty")
    assert sorted(files.root.rglob("*")) == before


def test_train_refuses_an_empty_folder_of_data(train, files):
    arguments = (_CONFIG, "--config.data.data_dir=", f"--workdir={files.out}")
    train.refuses(*arguments, said="config.data.data_dir=: ")
    assert not files.out.exists()


def test_train_lists_the_fields_of_the_experiment(train):
    done = train(_CONFIG, "--config.steps=7", "--config.sampling.guide_on=text", "--help_config")
    assert done.returncode == 0, done.stderr
    assert "--config.steps=7\n" in done.stdout
    # A single one needs no brackets.
    assert "--config.sampling.guide_on=('text',)\n" in done.stdout
    assert "Global batch size, over all devices" in done.stdout


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (f"--frames={10**20}", f"--frames={10**20}: "),
        (f"--variants={10**20}", f"--variants={10**20}: "),
        ("--seed=-1", "--seed=-1: "),
        ("--data_dir=gs://bucket/data", "--data_dir=gs://bucket/data "),
        ("--source=http://host/photos", "--source=http://host/photos: "),
        ("--source=s3://bucket/photos", "needs the package s3fs"),
    ],
)
def test_prepare_refuses_values(prepare, files, flag, said):
    prepare.refuses("--builder=painted_images", f"--data_dir={files.out}", flag, said=said)
    assert not files.out.exists()


def test_nothing_is_written_to_a_folder_named_like_a_scheme():
    assert not list(tiny.ROOT.glob("*:"))


def test_prepare_refuses_names_of_nothing(prepare, files):
    for flag in ("--source=", "--data_dir="):
        arguments = ("--builder=painted_images", f"--data_dir={files.out}")
        prepare.refuses(*arguments, flag, said=f"{flag} is empty")
    assert not files.out.exists()


@pytest.mark.parametrize(("picture", "said"), _PICTURES)
def test_prepare_refuses_pictures(prepare, files, picture, said):
    source = f"--source={files.root / picture}"
    prepare.refuses("--builder=painted_images", f"--data_dir={files.out}", source, said=said)
    assert {path.name for path in files.out.rglob("*") if path.is_file()} <= {"skipped.jsonl"}
    shutil.rmtree(files.out, ignore_errors=True)


@pytest.mark.parametrize(
    ("recording", "said"), [("videos/cut.mp4", "is cut short"), ("none.mp4", "not exist")]
)
def test_prepare_refuses_recordings(prepare, files, tmp_path, recording, said):
    flags = ("--builder=recorded_processes", "--medium=oil", f"--data_dir={tmp_path}")
    prepare.refuses(*flags, "--item_timeout=0", f"--source={files.root / recording}", said=said)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"skipped.jsonl"}


def test_prepare_on_a_full_disk_leaves_no_data_set(prepare, files, tmp_path):
    flags = ("--builder=painted_images", f"--data_dir={tmp_path}", "--variants=1", "--frames=4")
    source = f"--source={files.root / 'good.png'}"
    prepare.refuses(*flags, source, file_limit=2000, said="File too large")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mine", ["mine-oil/notes.txt", "mine-oil"])
def test_generate_deletes_nothing_that_it_has_not_made(generate, files, tmp_path, mine):
    (tmp_path / "out" / mine).parent.mkdir(parents=True)
    (tmp_path / "out" / mine).write_text("mine")
    shutil.copy(files.root / "good.png", tmp_path / "mine.png")
    arguments = (f"--image={tmp_path / 'mine.png'}", f"--output={tmp_path / 'out'}")
    generate.refuses(f"--workdir={files.root / 'run'}", *arguments, said="out/mine-oil ")
    assert (tmp_path / "out" / mine).read_text() == "mine"


def test_generate_on_a_full_disk_leaves_nothing(generate, files):
    generate.refuses(
        f"--workdir={files.root / 'run'}",
        f"--image={files.root / 'good.png'}",
        f"--output={files.out}",
        file_limit=4000,
        said="File too large",
    )
    assert not files.out.exists()


def test_evaluate_on_a_full_disk_leaves_nothing(evaluate, tmp_path):
    rng = np.random.default_rng(0)
    frames_THWC = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
    video.write_mp4(tmp_path / "in" / "cat.mp4", frames_THWC, fps=4)
    evaluate.refuses(
        f"--generated={tmp_path / 'in'}",
        "--unpaired",
        f"--recorded={tmp_path / 'in'}",
        f"--output={tmp_path / 'out'}",
        file_limit=4000,
        said="File too large",
    )
    assert os.listdir(tmp_path) == ["in"]


def test_a_report_has_one_writer(evaluate, files):
    said = f"{files.out} is being written by another evaluate"
    with alone_beside(files.out, "busy"):
        evaluate.refuses(f"--workdir={files.root / 'run'}", f"--output={files.out}", said=said)
    assert not files.out.exists()


def test_what_a_killed_program_left_is_removed_at_the_next_start(
    generate, evaluate, files, spoilt, tmp_path
):
    """Also if that comes to nothing."""
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    (out / ".unfinished_abcdefgh" / "new" / "good-oil" / "steps").mkdir(parents=True)
    (tmp_path / ".unfinished_12345678.npy").write_bytes(b"half")
    none, output = files.root / "none", f"--output={out}"
    flags = (f"--image={files.root / 'good.png'}", f"--save_frames={tmp_path / 'raw.npy'}")
    generate.refuses(f"--pretrained={none}", output, *flags, said=str(none))
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(out) == []
    (tmp_path / ".unfinished_abcdefgh" / "new" / "out").mkdir(parents=True)
    (partial / "videos").mkdir(parents=True)
    (partial / "videos" / ".unfinished_12345678.mp4").write_bytes(b"half")
    (partial / ".unfinished_12345678.npz").write_bytes(b"half")
    (tmp_path / ".out.lock").touch()
    run = f"--workdir={spoilt / 'no_checkpoint'}"
    evaluate.refuses(run, output, said="has no checkpoint yet")
    assert sorted(os.listdir(tmp_path)) == ["out", "out.partial"]
    assert os.listdir(partial) == ["videos"]
    assert os.listdir(partial / "videos") == []


def test_pictures_are_held_out_of_the_data_set_of_the_training_alone(
    generate, evaluate, files, tmp_path
):
    """Those of a data set that was made anew in its place may be pictures of the training."""
    shutil.copytree(files.root / "data", tmp_path / "data")
    shutil.copytree(files.root / "run", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["data"]["data_dir"] = str(tmp_path / "data")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    [metadata] = (tmp_path / "data").rglob("metadata.json")
    content = json.loads(metadata.read_text())
    assert content["fingerprint"] == config["data"]["fingerprint"]
    metadata.write_text(json.dumps(content | {"fingerprint": "of others"}))
    run, output = f"--workdir={tmp_path / 'run'}", f"--output={tmp_path / 'out'}"
    said = f"is not the data set that {tmp_path / 'run'} was trained on"
    generate.refuses(run, output, "--held_out=1", said=said)
    evaluate.refuses(run, output, said=said)
    evaluate.refuses(
        f"--workdir={files.root / 'run'}", f"--data_dir={tmp_path / 'data'}", output, said="is not"
    )
    assert not (tmp_path / "out").exists()


def test_training_on_a_full_disk_leaves_no_half_checkpoint(train, files):
    workdir = files.root / "training"
    arguments = (_CONFIG, f"--data_dir={files.root / 'data'}", f"--workdir={workdir}")
    train.refuses(*arguments, *tiny.LEAST, file_limit=100_000, said="File too large")
    assert os.listdir(workdir / "checkpoints") == []


def test_next_start_clears_away_a_half_saved_checkpoint(tmp_path):
    half = tmp_path / "checkpoints" / "1.orbax-checkpoint-tmp"
    (half / "state").mkdir(parents=True)
    Checkpoints(tmp_path, read_only=True).close()
    time.sleep(0.2)
    assert half.exists(), "who only reads leaves a run alone, which may be saving just now"
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() is None
    # It is done in the background; the first save waits for it.
    until = time.monotonic() + 20
    while half.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not half.exists()
    checkpoints.close()
