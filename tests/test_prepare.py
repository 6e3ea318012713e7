import pathlib

import pytest

from painting_jax.data import video
from tests.synthetic import recording, write_photos
from tests.verbs import Verb

_ROOT = pathlib.Path(__file__).parents[1]
_WAN, _DEMO = (_ROOT / "configs" / name for name in ("wan21_i2v_14b.py", "demo.py"))
_RECORDED = ("--builder=recorded_processes", "--data_dir=d", "--source=s")
_TINY = ("--size=16", "--frames=2", "--variants=1", "--media=oil")


@pytest.fixture(scope="module")
def prepare(tmp_path_factory) -> Verb:
    return Verb("prepare", tmp_path_factory.mktemp("printed"))


def test_photos_are_prepared_once(prepare, tmp_path):
    write_photos(tmp_path / "in", 3)
    arguments = (
        "--builder=painted_images",
        f"--source={tmp_path / 'in'}",
        f"--data_dir={tmp_path / 'data'}",
        *_TINY,
    )
    first = prepare(*arguments)
    assert (first.returncode, first.stderr) == (0, "")
    lines = first.stdout.splitlines()
    assert lines[0].startswith("the data set will take about ")
    assert lines[1:4] == [
        "train: 1 processes (oil 1)",
        # Held-out photos come as they are, and in six tones.
        "validation: 7 processes (oil 7)",
        "test: 7 processes (oil 7)",
    ]
    assert lines[4] == "by perceptual hash of the finished pictures, no two sources look alike"
    assert lines[5].startswith("wrote ")
    page = pathlib.Path(lines[6].removeprefix("look at it: "))
    assert "3 sources" in page.read_text("utf-8")
    # The card says how it was made.
    assert f"--source={tmp_path / 'in'}" in (page.parent / "README.md").read_text("utf-8")
    again = prepare(*arguments)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-2].startswith("unchanged, nothing to do")
    assert again.stdout.splitlines()[-1] == f"look at it: {page}"
    other = prepare(*arguments, "--seed=1")
    assert other.returncode == 2
    assert other.stderr.startswith("error: ")
    assert other.stderr.count("\n") == 1
    assert prepare(*arguments, "--seed=1", "--name=second").returncode == 0


def test_recordings_are_prepared(prepare, tmp_path):
    for seed in range(2):
        video.write_mp4(tmp_path / "in" / f"{seed}.mp4", recording(seed), fps=4)
    run = prepare(
        "--builder=recorded_processes",
        f"--source={tmp_path / 'in' / '0.mp4'}",
        f"--source={tmp_path / 'in' / '1.mp4'}",
        f"--data_dir={tmp_path / 'data'}",
        "--medium=digital",
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "train: 2 processes (digital 2)" in run.stdout
    assert "nothing is held out" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--builder is missing"),
        (("--builder=painted_images", "--latents_dtype=bfloat16"), "is for --cache_latents, not"),
        (("--cache_latents", "--data_dir=d"), "--config is missing"),
        (("--cache_latents", f"--config={_WAN}", "--source=s"), "--source is for a builder, not"),
        (("--cache_latents", f"--config={_WAN}", "--data_dir=none"), "none does not exist"),
        (("--cache_latents", f"--config={_WAN}", "--data_dir=gs://b"), "is not on this machine"),
        (("--cache_latents", f"--config={_WAN}", "--latents_dtype=int8"), "--latents_dtype"),
        (("--cache_latents", "--config=none.py"), "--config: no experiment can be read from it"),
        (("--cache_latents", f"--config={_DEMO}"), "family painting train on pixels"),
        (("--builder=painted_images",), "--data_dir is missing"),
        (("--builder=painted_images", "--data_dir=d", "--medium=oil"), "--medium is for recorded"),
        (("--builder=painted_images", "--data_dir=d", "--media=crayon"), "unknown ['crayon']"),
        (("--builder=painted_images", "--data_dir=d", "--frames=0"), "--frames=0"),
        (("--builder=painted_images", "--data_dir=d", "--size=8"), "--size=8"),
        (("--builder=painted_images", "--data_dir=d", "--source=none"), "none does not exist"),
        (("--builder=painted_images", "--data_dir=d", "--name=../up"), "--name=../up"),
        (("--builder=recorded_processes", "--data_dir=d"), "--source is missing"),
        (("--builder=painted_images", "--data_dir=d", "--item_timeout=9"), "is for recorded"),
        ((*_RECORDED, "--item_timeout=-1"), "--item_timeout=-1.0: it must be from 0"),
        ((*_RECORDED, "--kept_dir="), "--kept_dir= is empty"),
        (("--builder=painted_images", "--data_dir=d", "--segments=m"), "is for recorded_processes"),
        (("--cache_latents", f"--config={_WAN}", "--captions=m"), "--captions is for a builder"),
        ((*_RECORDED, "--segments="), "--segments= is empty"),
        ((*_RECORDED, "--captions=no/where/at/all/there"), "does not exist: name a folder"),
        ((*_RECORDED, "--min_confidence=0.9"), "--min_confidence is for --guess_medium"),
        ((*_RECORDED, "--variant_media=oil"), "--variant_media is for --variants_model"),
        ((*_RECORDED, "--variants_model=m", "--variant_media=crayon"), "unknown ['crayon']"),
        ((*_RECORDED, "--variant_steps=0"), "--variant_steps=0: it must be from 1 to 1000"),
        ((*_RECORDED, "--medium=oil", "--guess_medium=m"), "leave one out"),
        ((*_RECORDED, "--occluder_model=m"), "--occluder_model is for --clean"),
        ((*_RECORDED, "--clean", "--mask_model=m"), "--mask_model is for --occluder_model"),
        ((*_RECORDED, "--clean", "--occluder_model=m", "--occluder_prompts="), "names of things"),
        ((*_RECORDED, "--clean", "--occluder_model=no/where/at/all"), "does not exist: name a"),
        ((*_RECORDED, "--beam_options=a=b"), "--beam_options is for --beam_runner"),
        ((*_RECORDED, "--beam_runner=DataflowRunner"), "name a folder that all its workers see"),
        (
            ("--builder=recorded_processes", "--data_dir=d", "--source=s", "--medium=crayon"),
            "unknown medium 'crayon'",
        ),
    ],
)
def test_mistakes_end_in_one_line_and_status_2(prepare, arguments, message):
    prepare.refuses(*arguments, said=message)
