"""The notebook, run from its first to its last cell."""

import shlex

import nbclient
import nbformat

from tests import tiny
from tests.evaluation.recordings import process, write_movie
from tests.synthetic import write_photos

_NOTEBOOK = tiny.ROOT / "launch" / "evaluate.ipynb"


def test_notebook_makes_a_run_and_shows_curves_tables_and_videos(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", 3)
    write_movie(tmp_path / "videos" / "cat.mp4", process(0, frames=3))
    small = (f"--source={tmp_path / 'photos'}", "--media=oil", "--size=32", "--frames=3")
    settings = {
        "WORKDIR": tmp_path / "run",
        "DATA_DIR": tmp_path / "data",
        "OUTPUT": tmp_path / "out",
        "VIDEOS": tmp_path / "videos",
        "EXAMPLES": 2,
        "PREPARE": shlex.join((*small, "--variants=1")),
        "TRAIN": shlex.join(tiny.FLAGS),
    }
    for name, value in (tiny.environment() | settings).items():
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(_NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    assert (tmp_path / "out" / "figures" / "model.png").stat().st_size > 1000
    assert (tmp_path / "out" / "figures" / "videos.png").stat().st_size > 1000
    shown = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert any("<video" in data.get("text/html", "") for data in shown)
    assert any("LPIPS (HED-VGG)" in data.get("text/markdown", "") for data in shown)
    assert sum("image/png" in data for data in shown) == 2


def test_notebook_is_kept_without_what_it_showed():
    for cell in nbformat.read(_NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
