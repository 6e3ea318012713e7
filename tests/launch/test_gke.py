"""JobSets of runs: where they are placed, how they are started anew, what is refused."""

import contextlib
import copy
import http.server
import json
import re
import threading

import pytest
import yaml

from launch import schemas, slices
from launch.gke import Gke
from painting_jax.errors import UserError
from painting_jax.sharding import processes
from tests.launch import plans


def _jobset(accelerator: str, count: int = 1, *more: str) -> dict:
    return yaml.safe_load(_manifest(accelerator, count, *more))


def _manifest(accelerator: str, count: int = 1, *more: str) -> str:
    return Gke(slices.find(accelerator, count), plans.IMAGE).manifest(plans.run(*more))


def _job(jobset: dict) -> dict:
    [job] = jobset["spec"]["replicatedJobs"]
    return job["template"]["spec"]


def _pod(jobset: dict) -> dict:
    return _job(jobset)["template"]["spec"]


@pytest.mark.parametrize(
    ("accelerator", "label", "topology", "hosts", "chips"),
    [
        ("v5p:4x4x4", "tpu-v5p-slice", "4x4x4", 16, 4),
        ("v5e:2x4", "tpu-v5-lite-podslice", "2x4", 2, 4),
        ("v6e:1x1", "tpu-v6e-slice", "1x1", 1, 1),
        ("tpu7x:2x2x2", "tpu7x", "2x2x2", 2, 4),
    ],
)
def test_a_tpu_slice_is_selected_by_kind_and_topology(accelerator, label, topology, hosts, chips):
    jobset = _jobset(accelerator)
    pod = _pod(jobset)
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": label,
        "cloud.google.com/gke-tpu-topology": topology,
    }
    [container] = pod["containers"]
    assert container["resources"]["limits"] == {"google.com/tpu": chips}
    assert _job(jobset)["completions"] == _job(jobset)["parallelism"] == hosts


def test_several_slices_are_replicas_each_on_a_node_pool_of_its_own():
    jobset = _jobset("v6e:4x4", 3)
    assert jobset["spec"]["replicatedJobs"][0]["replicas"] == 3
    topology = "alpha.jobset.sigs.k8s.io/exclusive-topology"
    assert jobset["metadata"]["annotations"][topology] == "cloud.google.com/gke-nodepool"


def test_pods_with_gpus_find_each_other():
    jobset = _jobset("h100:2x8")
    pod = _pod(jobset)
    assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}
    [container] = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 8}
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    found = processes.find(None, None, None, variables | {"JOB_COMPLETION_INDEX": "1"})
    # JobSet's name of the first pod: JOBSET-JOB-REPLICA-POD.JOBSET.
    assert (found.address, found.count, found.index) == ("one-train-0-0.one:8476", 2, 1)


def test_a_training_that_was_stopped_is_started_anew_and_a_mistake_is_not():
    jobset = _jobset("v5p:2x2x2")
    job = _job(jobset)
    assert _pod(jobset)["restartPolicy"] == "Never"
    assert job["backoffLimit"] == 0
    assert jobset["spec"]["failurePolicy"]["maxRestarts"] > 0
    [fatal] = job["podFailurePolicy"]["rules"]
    assert fatal["onExitCodes"]["values"] == [2]
    [rule] = jobset["spec"]["failurePolicy"]["rules"]
    assert (rule["action"], rule["onJobFailureReasons"]) == ("FailJobSet", ["PodFailurePolicy"])
    assert _pod(jobset)["terminationGracePeriodSeconds"] >= 60


def test_buckets_are_mounted_and_named_as_folders():
    pod = _pod(_jobset("v5p:2x2x2"))
    [container] = pod["containers"]
    assert container["args"] == [
        "--config=configs/small.py:steps=10",
        "--workdir=/gcs/cats/runs/one",
        "--data_dir=/gcs/photos/data",
    ]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {
        volume["name"]: volume["csi"]["volumeAttributes"]["bucketName"] for volume in pod["volumes"]
    }
    assert {volumes[name]: path for name, path in mounts.items()} == {
        "cats": "/gcs/cats",
        "photos": "/gcs/photos",
    }


@pytest.mark.parametrize(
    ("image", "accelerator", "run", "said"),
    [
        (None, "v5p:4x4x4", {}, "--image is missing"),
        ("Painting", "v5p:4x4x4", {}, "--image=Painting: it must be REGISTRY/PROJECT/NAME:TAG"),
        (plans.IMAGE, "gpu:8", {}, "GKE has no such GPUs"),
        (plans.IMAGE, "h100:8", {"workdir": "runs/x"}, "--workdir=runs/x: with --target=gke"),
        (plans.IMAGE, "h100:8", {"workdir": "gs://"}, "it must be gs://BUCKET/FOLDER"),
        (plans.IMAGE, "h100:8", {"data": "data"}, "--data_dir=data: with --target=gke"),
    ],
)
def test_what_cannot_run_there_is_refused(image, accelerator, run, said):
    with pytest.raises(UserError, match=re.escape(said)):
        Gke(slices.find(accelerator), image).manifest(plans.run(**run))


def test_a_config_that_the_image_lacks_is_refused(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("from configs.demo import get_config\n")
    with pytest.raises(UserError, match="the image has the files of"):
        _manifest("h100:8", 1, f"--config={mine}")


def _broken(jobset: dict, change) -> dict:
    changed = copy.deepcopy(jobset)
    change(changed)
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda jobset: jobset["spec"].update(maxRestarts=3),
        lambda jobset: jobset["spec"]["failurePolicy"].update(maxRestarts="many"),
        lambda jobset: jobset["spec"]["replicatedJobs"][0].pop("template"),
        lambda jobset: _job(jobset).update(backofLimit=1),
        lambda jobset: _job(jobset).update(completions="two"),
        lambda jobset: _pod(jobset)["containers"][0].pop("name"),
        lambda jobset: _pod(jobset)["volumes"][0]["csi"].update(bucket="b"),
        lambda jobset: _pod(jobset).update(nodeSelector={"a": 1}),
    ],
)
def test_a_manifest_that_breaks_the_schemas_is_refused(change):
    jobset = _jobset("h100:2x8")
    schemas.check_jobset(jobset)
    with pytest.raises(UserError):
        schemas.check_jobset(_broken(jobset, change))


@contextlib.contextmanager
def _cluster(monkeypatch, folder, status: int):
    """A cluster that gives one answer to what is created in it."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, body))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [
                {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "art"}}
            ],
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        path = folder / "kube"
        path.write_text(yaml.safe_dump(config))
        _point_at(monkeypatch, path)
        yield got
        server.shutdown()


def _point_at(monkeypatch, path) -> None:
    from kubernetes.config import kube_config  # noqa: PLC0415

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))


def test_a_jobset_is_created_in_the_namespace_of_the_context(monkeypatch, tmp_path):
    target, manifest = Gke(slices.find("h100:8"), plans.IMAGE), _manifest("h100:8")
    with _cluster(monkeypatch, tmp_path, 201) as got:
        target.check_access()
        assert "JobSet one" in target.submit(manifest)
    [(path, body)] = got
    assert path == "/apis/jobset.x-k8s.io/v1alpha2/namespaces/art/jobsets"
    assert body == yaml.safe_load(manifest)


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "no JobSet: install it"), (409, "kubectl delete jobset one"), (403, "403")],
)
def test_the_refusal_of_a_cluster_is_one_line(monkeypatch, tmp_path, status, said):
    target = Gke(slices.find("h100:8"), plans.IMAGE)
    with _cluster(monkeypatch, tmp_path, status), pytest.raises(UserError, match=said):
        target.submit(_manifest("h100:8"))


def test_without_a_cluster_there_is_no_access(monkeypatch, tmp_path):
    _point_at(monkeypatch, tmp_path / "nothing")
    with pytest.raises(UserError, match="get-credentials"):
        Gke(slices.find("h100:8"), plans.IMAGE).check_access()
