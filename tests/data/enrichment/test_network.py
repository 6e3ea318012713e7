"""Networks are data: none runs code, and what is missing is said in one line."""

import importlib.util
import json

import pytest

from painting_jax.data.enrichment import choice
from painting_jax.data.enrichment.network import Network
from painting_jax.errors import UserError
from tests.data.enrichment import tiny_networks

_SPY = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"


def test_without_its_extra_a_network_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for flag in ("segments", "captions", "variants"):
        with pytest.raises(UserError, match=r"torch: pip install 'painting_jax\[networks\]'$"):
            choice.chosen(**{flag: str(tmp_path)}, looks=("photo",))


def test_weights_that_may_run_code_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"holds no weights as \.safetensors: other formats may"):
        choice.chosen(segments=str(tmp_path))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"segments": "nowhere/at/all/here"}, "does not exist: name a folder"),
        ({"captions": "."}, "there is no config.json in it"),
        ({"variants": ".", "looks": ["photo"]}, "there is no model_index.json in it"),
        ({"variants": ".", "looks": ["crayon"]}, r"--variant_media: unknown \['crayon'\]: known"),
        ({"variants": ".", "looks": []}, "--variant_media: unknown"),
    ],
)
def test_a_mistake_is_said_in_one_line_before_anything_is_loaded(
    tmp_path, monkeypatch, named, said
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        choice.chosen(**named)


def test_records_follow_from_the_contents_of_a_network_not_from_its_place(tmp_path):
    for name in ("one", "same", "other"):
        (tmp_path / name / "part").mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
        weights = b"other" if name == "other" else b"same"
        (tmp_path / name / "part" / "model.safetensors").write_bytes(weights)
    one, same, other = (
        Network.named("segments", str(tmp_path / name)).contents
        for name in ("one", "same", "other")
    )
    assert one == same != other


@pytest.mark.parametrize("flag", ["segments", "captions"])
def test_code_beside_the_weights_of_transformers_is_not_run(tmp_path, flag):
    mapped = {
        "AutoConfig": "spy.Config",
        "AutoModelForUniversalSegmentation": "spy.Model",
        "AutoModelForImageTextToText": "spy.Model",
    }
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "spy", "auto_map": mapped}))
    about = {"auto_map": {"AutoImageProcessor": "spy.Maker", "AutoProcessor": "spy.Maker"}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(about))
    (tmp_path / "spy.py").write_text(_SPY)
    (tmp_path / "model.safetensors").write_bytes(b"")
    enrichment = choice.chosen(**{flag: str(tmp_path)})
    with pytest.raises(UserError, match="has code of its own, which is never run") as said:
        _use(enrichment)
    assert "\n" not in str(said.value)
    assert not (tmp_path / "ran").exists()


def test_code_beside_the_weights_of_diffusers_is_not_run(tmp_path):
    folder = tiny_networks.write_editor(tmp_path / "editor", (0, 0, 0))
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = ["spy", "Pipeline"]
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "spy.py").write_text(_SPY)
    with pytest.raises(UserError, match=r"cannot be used for variants|is never run"):
        _use(choice.chosen(variants=str(folder), looks=["photo"]))
    assert not (folder / "ran").exists()


def _use(enrichment) -> None:
    picture_HWC = tiny_networks.picture()
    enrichment.segments_of(picture_HWC, "cat")
    enrichment.caption_of(picture_HWC)
    enrichment.variants_of(picture_HWC, "cat", "oil", ())
