"""Vertex AI: a custom job for each run, on one machine with GPUs.

XManager's own Vertex executor builds and pushes an image on each launch and knows no TPU after v3;
here the image exists, and TPUs are for GKE.
"""

import dataclasses
import json

import yaml

from launch import image, schemas
from launch.runs import Run
from launch.slices import Gpu, Slice
from painting_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Vertex:
    """A region of a Google Cloud project.

    Attributes:
      asked: Accelerators of each run.
      image: Name of the container image.
      region: Region, such as us-central1.
    """

    asked: Slice
    image: str
    region: str

    def manifest(self, run: Run) -> str:
        """A custom job in YAML; see `target.Target`."""
        image.check(self.image)
        kind = self.asked.kind
        if not isinstance(kind, Gpu):
            raise UserError(
                f"--accelerator={self.asked.name}: XManager's Vertex AI knows TPUs up to v3 alone: "
                "take --target=gke for this one"
            )
        if self.asked.hosts > 1 or not kind.machines:
            raise UserError(
                f"--accelerator={self.asked.name}: with --target=vertex it must be one machine, "
                "such as h100:8; several are for --target=gke"
            )
        job = {
            "displayName": run.name,
            "jobSpec": {
                "workerPoolSpecs": [
                    {
                        "machineSpec": {
                            "machineType": kind.machines[self.asked.chips],
                            "acceleratorType": kind.vertex,
                            "acceleratorCount": self.asked.chips,
                        },
                        "replicaCount": 1,
                        "containerSpec": {
                            "imageUri": self.image,
                            "command": image.COMMAND,
                            "args": image.arguments(run, "vertex"),
                        },
                    }
                ],
                # A machine that is lost is replaced, and the training resumes.
                "scheduling": {"restartJobOnWorkerRestart": True},
            },
        }
        schemas.check_custom_job(job)
        return yaml.safe_dump(job, sort_keys=False)

    def check_access(self) -> None:
        """Checks that there are credentials and a project; see `target.Target`."""
        _project()

    def submit(self, manifest: str) -> str:
        """Creates the job; see `target.Target`."""
        from google.api_core import exceptions  # noqa: PLC0415  takes seconds
        from google.cloud import aiplatform_v1  # noqa: PLC0415

        job = aiplatform_v1.CustomJob.from_json(json.dumps(yaml.safe_load(manifest)))
        client = aiplatform_v1.JobServiceClient(
            client_options={"api_endpoint": f"{self.region}-aiplatform.googleapis.com"}
        )
        parent = f"projects/{_project()}/locations/{self.region}"
        try:
            created = client.create_custom_job(parent=parent, custom_job=job)
        except exceptions.GoogleAPIError as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"custom job {job.display_name}: {reason}") from error
        return f"{created.name}: gcloud ai custom-jobs stream-logs {created.name}"


def _project() -> str:
    """The project of the credentials on this machine."""
    import google.auth  # noqa: PLC0415
    from google.auth import exceptions  # noqa: PLC0415

    try:
        _, project = google.auth.default()
    except exceptions.GoogleAuthError as error:
        raise UserError(
            "no credentials of Google Cloud: gcloud auth application-default login, or print the "
            "manifest with --dry_run"
        ) from error
    if not project:
        raise UserError("no Google Cloud project: gcloud config set project PROJECT")
    return project
