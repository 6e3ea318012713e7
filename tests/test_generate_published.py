"""The verb with published weights: its files, and the frames that diffusers makes."""

import json
import pathlib

import av
import numpy as np
import pytest
from PIL import Image

from tests import tiny_wan
from tests.verbs import Verb

FRAMES, HEIGHT, WIDTH = 9, 32, 48
PROMPT, NEGATIVE = "a cat paints in oil", "slowly"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("published")
    Image.fromarray(tiny_wan.picture(HEIGHT, WIDTH)).save(root / "waves.png")
    return root


def arguments(root: pathlib.Path, model: object) -> tuple[str, ...]:
    return (
        f"--pretrained={model}",
        f"--image={root / 'waves.png'}",
        f"--output={root / 'out'}",
        f"--embeddings={root / 'embeddings'}",
    )


def test_wan21_image_to_video_paints_what_diffusers_paints(root, verb):
    theirs = tiny_wan.pipeline("wan21_i2v")
    model = tiny_wan.save(theirs, root / "tiny-i2v")
    noise = tiny_wan.noise(theirs, FRAMES, HEIGHT, WIDTH)
    np.save(root / "noise.npy", noise)
    expected = tiny_wan.paint(
        theirs,
        tiny_wan.picture(HEIGHT, WIDTH),
        noise,
        FRAMES,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        guidance_scale=3.0,
        num_inference_steps=4,
    )
    done = verb(
        *arguments(root, model),
        f"--prompt={PROMPT}",
        f"--negative_prompt={NEGATIVE}",
        f"--noise={root / 'noise.npy'}",
        f"--save_frames={root / 'frames.npy'}",
        f"--frames={FRAMES}",
        # The picture is not stretched, its aspect is that of the area.
        f"--max_area={HEIGHT * WIDTH}",
        "--steps=4",
        "--guidance=3",
        "--dtype=float32",
    )
    assert done.returncode == 0, done.stderr
    frames = np.load(root / "frames.npy")
    assert frames.shape == expected.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert np.abs(frames - expected).max() < 1e-3 * np.abs(expected).max()

    folder = root / "out" / "waves-oil"
    assert done.stdout.splitlines()[-1] == str(folder)
    finished = np.asarray(Image.open(folder / "steps" / "08.png"))
    np.testing.assert_allclose(finished / 255, frames[-1], atol=3e-3)
    record = json.loads((folder / "process.json").read_text())
    assert record["generated"] is True
    assert record["model"] == record["pretrained"] == "tiny-i2v"
    assert (record["prompt"], record["negative_prompt"]) == (PROMPT, NEGATIVE)
    assert (record["sampler"], record["shift"]) == ("unipc", 3.0)
    with av.open(folder / "process.mp4") as video:
        assert "Generated painting process, not a recording. Model: tiny-i2v." in str(
            video.metadata.values()
        )


def test_a_process_goes_on_from_a_photo_of_a_canvas(root, verb):
    model = tiny_wan.save(tiny_wan.pipeline("wan21_i2v"), root / "tiny-canvas")
    canvas, output = root / "canvas.png", root / "going_on"
    Image.fromarray(tiny_wan.picture(HEIGHT, WIDTH) // 2 + 100).save(canvas)
    done = verb(
        *arguments(root, model),
        *(f"--output={output}", f"--canvas={canvas}", "--from=0.4", f"--prompt={PROMPT}"),
        *(f"--frames={FRAMES}", f"--max_area={HEIGHT * WIDTH}", "--steps=2", "--guidance=1"),
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((output / "waves-oil" / "process.json").read_text())
    assert record["goes_on_from_a_canvas"]
    assert (record["from"], record["from_estimated"]) == (0.4, False)
    assert (record["progress"][0], record["progress"][-1]) == (0.4, 1)


@pytest.fixture(scope="module")
def verb(tmp_path_factory):
    return Verb("generate", tmp_path_factory.mktemp("verb"))


@pytest.mark.parametrize(
    ("model", "flag", "said"),
    [
        ("owner/repository", "--steps=1", "the hub did not give it"),
        ("nowhere at all", "--steps=1", "name a folder, a .safetensors file or a hub id"),
        ("nowhere", "--workdir=run", "either --workdir=RUN or --pretrained"),
        ("nowhere", "--held_out=1", "--held_out goes without --pretrained"),
        ("nowhere", "--from=0.5", "--from goes with --canvas"),
        ("nowhere", "--until=0.5", "--until goes without --pretrained"),
        ("nowhere", "--canvas=none.png", "none.png"),
        ("nowhere", "--medium=crayon", "unknown medium"),
        ("nowhere", "--shift=-1", "--shift=-1.0: it must be above 0"),
        ("nowhere", "--noise=none.npy", "--noise=none.npy does not exist"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(root, verb, model, flag, said):
    verb.refuses(*arguments(root, model), f"--output={root / 'none'}", flag, said=said)
    assert not (root / "none").exists()
