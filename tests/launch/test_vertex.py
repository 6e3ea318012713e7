"""Custom jobs of Vertex AI."""

import re

import pytest
import yaml

from launch import schemas, slices
from launch.vertex import Vertex
from painting_jax.errors import UserError
from tests.launch import plans


def _vertex(accelerator: str, image: str | None = plans.IMAGE) -> Vertex:
    return Vertex(slices.find(accelerator), image, "us-central1")


def _job(accelerator: str) -> dict:
    return yaml.safe_load(_vertex(accelerator).manifest(plans.run()))


@pytest.mark.parametrize(
    ("accelerator", "machine", "kind", "count"),
    [
        ("h100:8", "a3-highgpu-8g", "NVIDIA_H100_80GB", 8),
        ("a100:1", "a2-highgpu-1g", "NVIDIA_TESLA_A100", 1),
        ("l4:4", "g2-standard-48", "NVIDIA_L4", 4),
    ],
)
def test_a_job_asks_for_the_machine_of_its_gpus(accelerator, machine, kind, count):
    [pool] = _job(accelerator)["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"] == {
        "machineType": machine,
        "acceleratorType": kind,
        "acceleratorCount": count,
    }
    # Vertex AI mounts buckets there.
    assert "--workdir=/gcs/cats/runs/one" in pool["containerSpec"]["args"]


def test_every_kind_of_gpu_is_one_of_vertex_ai():
    for name, kind in slices.GPUS.items():
        for count in kind.machines:
            _job(f"{name}:{count}")


@pytest.mark.parametrize(
    ("accelerator", "image", "said"),
    [
        ("v6e:4x4", plans.IMAGE, "take --target=gke"),
        ("h100:2x8", plans.IMAGE, "it must be one machine"),
        ("gpu:8", plans.IMAGE, "it must be one machine"),
        ("h100:8", None, "--image is missing"),
    ],
)
def test_what_cannot_run_there_is_refused(accelerator, image, said):
    with pytest.raises(UserError, match=re.escape(said)):
        _vertex(accelerator, image).manifest(plans.run())


def test_a_job_that_breaks_the_schema_is_refused():
    job = _job("h100:8")
    job["jobSpec"]["workerPools"] = []
    with pytest.raises(UserError, match="workerPools"):
        schemas.check_custom_job(job)


def test_without_credentials_there_is_no_access(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(UserError, match="gcloud auth application-default login"):
        _vertex("h100:8").check_access()


def test_a_job_is_created_in_the_project_and_region(monkeypatch):
    import google.auth  # noqa: PLC0415
    from google.api_core import exceptions  # noqa: PLC0415
    from google.cloud import aiplatform_v1  # noqa: PLC0415

    created = []

    class Client:
        def __init__(self, client_options):
            self.endpoint = client_options["api_endpoint"]

        def create_custom_job(self, parent, custom_job):
            if created:
                raise exceptions.PermissionDenied("not yours")
            created.append((self.endpoint, parent, custom_job.display_name))
            custom_job.name = f"{parent}/customJobs/1"
            return custom_job

    monkeypatch.setattr(google.auth, "default", lambda: (None, "art"))
    monkeypatch.setattr(aiplatform_v1, "JobServiceClient", Client)
    vertex = _vertex("h100:8")
    manifest = vertex.manifest(plans.run())
    assert "projects/art/locations/us-central1/customJobs/1" in vertex.submit(manifest)
    assert created == [
        ("us-central1-aiplatform.googleapis.com", "projects/art/locations/us-central1", "one")
    ]
    with pytest.raises(UserError, match="custom job one: 403 not yours"):
        vertex.submit(manifest)
