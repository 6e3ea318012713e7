"""Google Kubernetes Engine: a JobSet for each run, on TPU slices or on nodes with GPUs.

Fields of a JobSet: jobset.sigs.k8s.io; node labels: cloud.google.com/kubernetes-engine/docs.
"""

import dataclasses

import yaml

from launch import buckets, image, schemas
from launch.runs import Run
from launch.slices import Slice
from painting_jax.errors import UserError

_API = ("jobset.x-k8s.io", "v1alpha2")
_JOB = "train"
_PORT = 8476
# Times that a training is started anew, after preemptions above all; a crash must end some day.
_MOST_RESTARTS = 100
# Seconds from SIGTERM to SIGKILL: a step ends and is saved.
_GRACE = 300
# Exit status of a mistake of the user, which a restart would repeat. That of a training that
# SIGTERM has stopped is 143.
_MISTAKE = 2


@dataclasses.dataclass(frozen=True)
class Gke:
    """The cluster of the current context of kubectl.

    Attributes:
      asked: Accelerators of each run.
      image: Name of the container image.
    """

    asked: Slice
    image: str

    def manifest(self, run: Run) -> str:
        """A JobSet in YAML; see `target.Target`."""
        image.check(self.image)
        if not self.asked.kind.label:
            raise UserError(
                f"--accelerator={self.asked.name}: GKE has no such GPUs: name their kind, such as "
                "h100:8"
            )
        jobset = self._jobset(run)
        schemas.check_jobset(jobset)
        return yaml.safe_dump(jobset, sort_keys=False)

    def check_access(self) -> None:
        """Checks that there is a cluster; see `target.Target`."""
        _api()

    def submit(self, manifest: str) -> str:
        """Creates the JobSet; see `target.Target`."""
        import kubernetes  # noqa: PLC0415  takes a second

        body = yaml.safe_load(manifest)
        name = body["metadata"]["name"]
        api, namespace = _api()
        group, version = _API
        try:
            api.create_namespaced_custom_object(group, version, namespace, "jobsets", body)
        except kubernetes.client.ApiException as error:
            reasons = {
                404: "the cluster has no JobSet: install it, see jobset.sigs.k8s.io",
                409: f"there is one already: kubectl delete jobset {name}, or name another workdir",
            }
            reason = reasons.get(error.status, f"{error.status} {error.reason}")
            raise UserError(f"JobSet {name}: {reason}") from error
        except Exception as error:
            # urllib3, ssl and socket have errors of their own.
            raise UserError(f"the cluster does not answer: {_short(error)}") from error
        return (
            f"JobSet {name}: kubectl logs --follow --selector=jobset.sigs.k8s.io/jobset-name={name}"
        )

    def _jobset(self, run: Run) -> dict:
        pod = self._pod(run)
        mounted = buckets.of(run.arguments)
        job = {
            "parallelism": self.asked.hosts,
            "completions": self.asked.hosts,
            "completionMode": "Indexed",
            # One pod less stops all: the JobSet starts them anew together.
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": _JOB,
                            "operator": "In",
                            "values": [_MISTAKE],
                        },
                    }
                ]
            },
            "template": {
                "metadata": {"annotations": {"gke-gcsfuse/volumes": "true"}} if mounted else {},
                "spec": pod,
            },
        }
        metadata: dict = {"name": run.name, "labels": {"app": "painting-jax"}}
        if self.asked.on_tpu:
            # All hosts of a slice are one node pool.
            metadata["annotations"] = {
                "alpha.jobset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"
            }
        group, version = _API
        return {
            "apiVersion": f"{group}/{version}",
            "kind": "JobSet",
            "metadata": metadata,
            "spec": {
                "failurePolicy": {
                    "maxRestarts": _MOST_RESTARTS,
                    "rules": [
                        {
                            "name": "mistakes",
                            "action": "FailJobSet",
                            "onJobFailureReasons": ["PodFailurePolicy"],
                        }
                    ],
                },
                "replicatedJobs": [
                    {"name": _JOB, "replicas": self.asked.count, "template": {"spec": job}}
                ],
            },
        }

    def _pod(self, run: Run) -> dict:
        mounted = buckets.of(run.arguments)
        kind, chips = self.asked.kind, self.asked.chips
        resource = "google.com/tpu" if self.asked.on_tpu else "nvidia.com/gpu"
        container: dict = {
            "name": _JOB,
            "image": self.image,
            "command": image.COMMAND,
            "args": image.arguments(run, "gke"),
            "resources": {"limits": {resource: chips}, "requests": {resource: chips}},
            "volumeMounts": [
                {"name": f"bucket-{number}", "mountPath": f"{buckets.ROOT}/{name}"}
                for number, name in enumerate(mounted)
            ],
        }
        if self.asked.on_tpu:
            # GKE gives the pods of a slice the variables that tell them of each other.
            selector = {
                "cloud.google.com/gke-tpu-accelerator": kind.label,
                "cloud.google.com/gke-tpu-topology": self.asked.topology,
            }
        else:
            selector = {"cloud.google.com/gke-accelerator": kind.label}
            # Pods of a JobSet have the names JOBSET-JOB-0-NUMBER.JOBSET.
            container["env"] = [
                {
                    "name": "JAX_COORDINATOR_ADDRESS",
                    "value": f"{run.name}-{_JOB}-0-0.{run.name}:{_PORT}",
                },
                {"name": "JAX_NUM_PROCESSES", "value": str(self.asked.hosts)},
            ]
        return {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": _GRACE,
            "nodeSelector": selector,
            "containers": [container],
            "volumes": [
                {
                    "name": f"bucket-{number}",
                    "csi": {
                        "driver": "gcsfuse.csi.storage.gke.io",
                        "volumeAttributes": {"bucketName": name, "mountOptions": "implicit-dirs"},
                    },
                }
                for number, name in enumerate(mounted)
            ],
        }


def _api():
    """The client of the current cluster, and its namespace."""
    import kubernetes  # noqa: PLC0415  takes a second

    try:
        _, context = kubernetes.config.list_kube_config_contexts()
        kubernetes.config.load_kube_config()
    except (kubernetes.config.ConfigException, OSError, yaml.YAMLError) as error:
        raise UserError(
            f"no cluster to submit to ({_short(error)}): gcloud container clusters get-credentials "
            "CLUSTER, or print the manifest with --dry_run"
        ) from error
    return kubernetes.client.CustomObjectsApi(), context["context"].get("namespace", "default")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
