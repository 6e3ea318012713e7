"""Manifests are held against the schemas of what reads them, before they are printed or submitted.

A JobSet is read with the models that Kubeflow generates from JobSet's API (package
kubeflow-trainer-api); the Job in it is held against the JSON schema of Kubernetes (package
kubernetes-validate, strict: no unknown fields); a custom job of Vertex AI is read with Google's own
client.
"""

import json

import kubernetes_validate
import pydantic
from google.protobuf import json_format
from kubeflow_trainer_api import models

from painting_jax.errors import UserError


def check_jobset(jobset: dict) -> None:
    """Checks a JobSet.

    Raises:
      UserError: If a field is unknown, missing or of a wrong type.
    """
    try:
        read = models.JobsetV1alpha2JobSet.from_dict(jobset)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"JobSet: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    # The models leave out what they do not know.
    if unknown := _missing(jobset, read.to_dict(), "JobSet"):
        raise UserError(f"{unknown} is no field of a JobSet")
    for job in jobset["spec"]["replicatedJobs"]:
        check_kubernetes(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job["name"]}}
            | job["template"]
        )


def check_kubernetes(manifest: dict) -> None:
    """Checks an object of Kubernetes itself.

    Raises:
      UserError: If it breaks the schema of its kind.
    """
    try:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        path = ".".join(map(str, error.path))
        raise UserError(f"{manifest['kind']}: {path}: {error.message}") from error


def check_custom_job(job: dict) -> None:
    """Checks a custom job of Vertex AI.

    Raises:
      UserError: If a field is unknown or of a wrong type.
    """
    # Importing it takes seconds.
    from google.cloud import aiplatform_v1  # noqa: PLC0415

    try:
        aiplatform_v1.CustomJob.from_json(json.dumps(job))
    except json_format.ParseError as error:
        raise UserError(f"custom job: {error}") from error


def _missing(given: object, read: object, path: str) -> str:
    """Path of the first value that is given and was not read; empty if there is none."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            # Empty values need not be written.
            if name not in read and value not in ({}, []):
                return f"{path}.{name}"
            if name in read and (found := _missing(value, read[name], f"{path}.{name}")):
                return found
    elif isinstance(given, list) and isinstance(read, list):
        for number, (one, other) in enumerate(zip(given, read, strict=False)):
            if found := _missing(one, other, f"{path}[{number}]"):
                return found
    return ""
