"""The networks that `--backbones` names, at work in a comparison."""

import dataclasses

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation.comparison import Group, compare
from painting_jax.evaluation.measures import GENERATED
from painting_jax.evaluation.networks import Networks
from painting_jax.sharding.mesh import make_mesh
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import PIXELS, as_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny DINOv2 as it lies on the hub, in a folder whose name has a comma."""
    return tiny_networks.write_dino(tmp_path_factory.mktemp("dino,v2"))


def test_a_named_backbone_measures_and_names_its_weights(folder):
    mesh = make_mesh({"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1})
    found = Networks.open([f"lpips=hed,dino={folder}"], mesh)
    assert found.labels["distance"] == "LPIPS (HED-VGG)"
    assert found.labels["features"] == "HED-VGG"
    assert found.labels["dino"].startswith("DINOv2")
    assert len(found.identity["weights"]) == 2
    recorded, other = as_video(0, frames=4), as_video(1, frames=4)
    quick = dataclasses.replace(found, distance=PIXELS.distance)
    rows, _ = compare(quick, Group({GENERATED: recorded, "other": other}, recorded))
    numbers = {row.method: row.numbers for row in rows}
    assert numbers[GENERATED]["final_dino"] == pytest.approx(1, abs=1e-5)
    assert numbers[GENERATED]["pdp_dino"] == pytest.approx(0, abs=1e-5)
    assert numbers["other"]["final_dino"] < 1 - 1e-4
    assert np.isnan(numbers["other"]["final_clip"])


def test_without_names_a_proxy_measures_and_says_so():
    found = Networks.open((), None)
    assert found.labels == {"distance": "LPIPS (HED-VGG)", "features": "HED-VGG"}
    assert found.proxies == ("distance", "features")


def test_published_networks_are_no_proxies(tmp_path):
    alexnet = tiny_networks.write_alexnet(tmp_path / "alexnet.safetensors")
    found = Networks.open([f"lpips=alex:{alexnet}"], None)
    assert found.labels == {"distance": "LPIPS (AlexNet)", "features": "AlexNet"}
    # FID is published with another network; test_devices.py names that one, too.
    assert found.proxies == ("features",)


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match="none"):
        Networks.open([f"dino={tmp_path / 'none'}"], None)
