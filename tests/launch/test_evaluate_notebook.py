"""The notebook, run from its first to its last cell; with it the verb on a run and on videos."""

import json
import pathlib

import nbclient
import nbformat
import pytest

from tests import tiny, tiny_run
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import process, write_pictures
from tests.synthetic import build_painted, write_photos

_NOTEBOOK = tiny.ROOT / "launch" / "evaluate.ipynb"
LABELS = {
    "distance": "LPIPS (AlexNet)",
    "clip": tiny_networks.CLIP,
    "dino": tiny_networks.DINO,
    "features": "AlexNet",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> tuple[list[dict], pathlib.Path]:
    """What the cells showed, and the folder of what they left.

    A run that has learned nothing paints a picture in two media; a copy of a recorded process and
    another one are the videos; the networks lie as on the hub.
    """
    root = tmp_path_factory.mktemp("notebook")
    write_photos(root / "photos", 4)
    build_painted(root / "data", root / "photos", frames=4)
    known = ["oil painting", "a cat"]
    tiny_run.write(root / "run", root / "data", captions=known, flags=tiny.LEAST)
    for seed, name in enumerate(("cat", "dog")):
        write_pictures(root / "recorded" / name, process(seed, frames=3))
        write_pictures(root / "videos" / name, process(2 * seed, frames=3))
    alexnet = tiny_networks.write_alexnet(root / "alexnet.safetensors")
    clip = tiny_networks.write_clip(root / "clip")
    dino = tiny_networks.write_dino(root / "dino", registers=4)
    settings = {
        "WORKDIR": root / "run",
        "OUTPUT": root / "out",
        "VIDEOS": root / "videos",
        "RECORDED": root / "recorded",
        "BACKBONES": f"lpips=alex:{alexnet} clip={clip} dino={dino}",
        # What the first evaluation compiles the second has, small things too.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    notebook = nbformat.read(_NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(root)}}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (tiny.environment() | settings).items():
            patch.setenv(name, str(value))
        client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.get("data", {}) for output in outputs], root / "out"


def _metrics(report: pathlib.Path) -> dict:
    return json.loads((report / "metrics.json").read_text())


def test_notebook_shows_curves_tables_and_videos(executed):
    shown, out = executed
    for report in ("model", "videos"):
        assert (out / "figures" / f"{report}.png").stat().st_size > 1000
        assert (out / report / "index.html").stat().st_size > 10_000
    assert sum("image/png" in data for data in shown) == 2
    assert sum("<video" in data.get("text/html", "") for data in shown) == 2
    tables = [data["text/markdown"] for data in shown if "text/markdown" in data]
    assert len(tables) == 2
    assert all("LPIPS (AlexNet)" in table for table in tables)


def test_a_run_is_measured_by_clip_and_dino_and_across_media(executed):
    metrics = _metrics(executed[1] / "model")
    assert metrics["backbones"] == LABELS
    # One picture of the test split, in two media.
    for measure in ("pdp", "pdp_clip", "pdp_dino", "final_clip", "final_dino"):
        assert metrics["methods"]["generated"][measure]["n"] == 2
    across = metrics["across"]["generated"]
    assert {key: across[key]["n"] for key in ("structure", "named")} == {"structure": 1, "named": 2}
    # Of the photos that were painted in colour.
    assert across["gained"]["n"] == 1
    assert metrics["across"]["recorded"]["structure"]["mean"] > 0
    assert len(list((executed[1] / "model" / "videos").glob("*.mp4"))) == 2
    assert sorted(path.name for path in executed[1].iterdir()) == ["figures", "model", "videos"]


def test_named_networks_measure_videos_under_the_names_of_their_weights(executed):
    metrics = _metrics(executed[1] / "videos")
    assert metrics["backbones"] == LABELS
    assert metrics["proxies"] == ["features"]
    numbers = {row["name"]: row for row in metrics["videos"] if row["method"] == "generated"}
    for kind in ("clip", "dino"):
        assert LABELS[kind] in metrics["measures"][f"final_{kind}"]["label"]
        # The cat is a copy, the dog another picture.
        assert numbers["cat"][f"final_{kind}"] == pytest.approx(1, abs=1e-5)
        assert numbers["cat"][f"pdp_{kind}"] == pytest.approx(0, abs=1e-5)
        assert numbers["dog"][f"final_{kind}"] < 1 - 1e-5
    header, _, row = _paper_table(executed[1] / "videos")
    named = [f"{LABELS['distance']} ↓", *(f"{LABELS[kind]} ↑" for kind in ("clip", "dino"))]
    assert header[2:6] == ["FID (AlexNet) ↓", *named]
    assert "\N{EN DASH}" not in row


def _paper_table(report: pathlib.Path) -> list[list[str]]:
    """The cells of the first table: header, line, the row of the generated ones."""
    lines = (report / "table.md").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| Method"))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first : first + 3]]


def test_notebook_is_kept_without_what_it_showed():
    for cell in nbformat.read(_NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_where_there_is_no_run_the_notebook_makes_one(tmp_path, monkeypatch):
    """By the verbs, whose words about a mistake it ends with."""
    for name, value in {
        **tiny.environment(),
        "WORKDIR": str(tmp_path / "run"),
        "DATA_DIR": str(tmp_path / "data"),
        "PREPARE": f"--source={tmp_path / 'nowhere'}",
    }.items():
        monkeypatch.setenv(name, value)
    cells = nbformat.read(_NOTEBOOK, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    making = next(place for place, source in enumerate(code) if "painting_jax.train" in source)
    with pytest.raises(SystemExit, match=r"error: .*nowhere does not exist"):
        exec("\n".join(code[: making + 1]), {})
