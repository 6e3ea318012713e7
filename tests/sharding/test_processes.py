"""Processes that train together are found in flags or the environment, meet, and are joined."""

import contextlib
import http.server
import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from painting_jax.errors import UserError
from painting_jax.sharding import rendezvous, tpu_metadata
from painting_jax.sharding.processes import Processes, find
from tests import tiny

_NO_FLAGS = (None, None, None)
_JOBSET = {
    "JAX_COORDINATOR_ADDRESS": "cat-train-0-0.cat:8476",
    "JAX_NUM_PROCESSES": "4",
    "JOB_COMPLETION_INDEX": "3",
}
_SLURM = {
    "SLURM_JOB_ID": "4099",
    "SLURM_STEP_NODELIST": "node[007-009,12]",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
}
_GKE = {"TPU_WORKER_HOSTNAMES": "t-0.t,t-1.t", "TPU_WORKER_ID": "1"}

# Says what it has found and joined, as a training does.
_PROGRAM = """
import os, sys
from painting_jax.sharding import processes
address, count, index = sys.argv[1:] or (None, None, None)
found = processes.find(address, count and int(count), index and int(index), os.environ)
with processes.joined(found, wait=60):
    import jax
    from jax.experimental import multihost_utils
    numbers = multihost_utils.process_allgather(jax.numpy.array([jax.process_index()]))
    print(found.source, jax.process_index(), jax.process_count(), numbers.ravel().tolist())
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _told(environment: dict[str, str]) -> Processes | None:
    return find(*_NO_FLAGS, environment)


def test_a_process_without_flags_or_a_cluster_trains_alone():
    assert _told({}) is None


def test_flags_come_before_the_environment():
    found = find("host:1234", 2, 1, _SLURM)
    assert (found.address, found.count, found.index) == ("host:1234", 2, 1)


def test_a_process_count_of_one_trains_alone_wherever_it_is_started():
    assert find(None, 1, None, _SLURM | _JOBSET) is None
    assert find("host:1234", 1, 0, _SLURM) is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("host:1", None, None), "--process_count and --process_id missing"),
        ((None, 2, 0), "--coordinator_address missing"),
        (("host:1", 2, None), "--process_id missing"),
        (("host", 2, 0), "--coordinator_address=host: it must be HOST:PORT"),
        (("host:99999", 2, 0), "it must be HOST:PORT"),
        (("host:1", 0, 0), "--process_count=0: it must be at least 1"),
        (("host:1", 2, 2), "--process_id=2: it must be from 0 to 1"),
        (("host:1", 2, -1), "--process_id=-1: it must be from 0 to 1"),
    ],
)
def test_partial_and_wrong_flags_are_refused(flags, said):
    with pytest.raises(UserError, match=re.escape(said)):
        find(*flags, {})


def test_a_pod_of_a_jobset_is_told_by_its_variables():
    found = _told(_JOBSET)
    assert (found.address, found.count, found.index) == ("cat-train-0-0.cat:8476", 4, 3)
    assert "process 3 of 4 (by JAX_ variables, as in a JobSet)" in str(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"JAX_NUM_PROCESSES": None}, "JAX_NUM_PROCESSES missing in the environment"),
        ({"JOB_COMPLETION_INDEX": None}, "JAX_PROCESS_ID missing in the environment"),
        ({"JAX_NUM_PROCESSES": "four"}, "JAX_NUM_PROCESSES='four'"),
        ({"JAX_PROCESS_ID": "4"}, "JAX_PROCESS_ID=4: it must be from 0 to 3"),
    ],
)
def test_incomplete_variables_are_refused(changes, said):
    environment = {name: value for name, value in (_JOBSET | changes).items() if value}
    with pytest.raises(UserError, match=re.escape(said)):
        _told(environment)


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("node7", "node7"),
        ("a,b,c", "a"),
        ("node[007-009,12]", "node007"),
        ("node[3,5-6],z", "node3"),
        ("gpu[1-2]-ib", "gpu1-ib"),
    ],
)
def test_tasks_of_slurm_meet_at_the_first_node(nodes, host):
    found = _told(_SLURM | {"SLURM_STEP_NODELIST": nodes})
    assert (found.address, found.count, found.index) == (f"{host}:61443", 4, 2)


def test_one_task_of_slurm_and_a_script_outside_srun_train_alone():
    assert _told(_SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) is None
    outside = {name: value for name, value in _SLURM.items() if name != "SLURM_STEP_NODELIST"}
    assert _told(outside) is None


@pytest.mark.parametrize(
    ("tasks", "visible", "devices"),
    [
        ("1(x4)", "0,1,2,3", None),
        ("2(x2)", "0,1,2,3", (1,)),
        # Slurm has bound each task to its own.
        ("2(x2)", "3", None),
    ],
)
def test_tasks_that_share_a_computer_take_one_gpu_each(tasks, visible, devices):
    shared = {"SLURM_STEP_TASKS_PER_NODE": tasks, "CUDA_VISIBLE_DEVICES": visible}
    assert _told(_SLURM | shared | {"SLURM_LOCALID": "1"}).devices == devices


def test_a_tpu_slice_on_gke_is_told_by_its_variables():
    found = _told(_GKE)
    assert (found.address, found.count, found.index) == ("t-0.t:8482", 2, 1)
    slices = {"MEGASCALE_NUM_SLICES": "3", "MEGASCALE_SLICE_ID": "2"}
    found = _told(_GKE | slices | {"MEGASCALE_COORDINATOR_ADDRESS": "s-0:8080"})
    assert (found.address, found.count, found.index) == ("s-0:8482", 6, 5)
    assert _told({"TPU_WORKER_HOSTNAMES": "localhost"}) is None
    assert _told(_GKE | {"JAX_PLATFORMS": "cpu"}) is None


@contextlib.contextmanager
def _metadata(attributes: dict[str, str]):
    """A server in the place of the TPU's."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            value = attributes.get(self.path.rpartition("/")[2])
            known = value is not None and self.headers["Metadata-Flavor"] == "Google"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write((value or "").encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"GCE_METADATA_IP": f"127.0.0.1:{server.server_port}"}
        server.shutdown()


@pytest.fixture
def libtpu(monkeypatch):
    """As if the package were installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name == "libtpu" or found(name) is not None
    )


@pytest.mark.parametrize("endpoints", ["10.0.0.2,10.0.0.3", "a:1:10.0.0.2,b:2:10.0.0.3"])
def test_a_tpu_vm_asks_its_metadata_server(libtpu, endpoints):
    told = {"worker-network-endpoints": endpoints, "agent-worker-number": "1"}
    with _metadata(told) as environment:
        found = _told(environment)
        assert (found.address, found.count, found.index) == ("10.0.0.2:8482", 2, 1)
        assert _told(environment | {"JAX_PLATFORMS": "cpu"}) is None
    told["tpu-env"] = "ZONE: 'x'\nMEGASCALE_NUM_SLICES: '2'\nMEGASCALE_SLICE_ID: '1'\n"
    with _metadata(told) as environment:
        assert (_told(environment).count, _told(environment).index) == (4, 3)


def test_a_tpu_without_a_metadata_server_trains_alone(libtpu):
    silent = {"GCE_METADATA_IP": f"127.0.0.1:{_free_port()}"}
    assert _told(silent) is None
    assert tpu_metadata.variables(silent) == {}
    assert _told({"TPU_SKIP_MDS_QUERY": "1"}) is None


def _joined(*starts: tuple[list[str], dict[str, str]]) -> list[str]:
    """What processes say that are started with arguments and variables."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            env=tiny.environment(JAX_PLATFORMS="cpu", **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments, variables in starts
    ]
    outputs = [program.communicate(timeout=120) for program in programs]
    assert [program.returncode for program in programs] == [0] * len(starts), outputs
    # Gloo prints lines of its own.
    return [out.splitlines()[-1] for out, _ in outputs]


def test_two_processes_are_joined_by_flags():
    address = f"127.0.0.1:{_free_port()}"
    said = _joined(*(([address, "2", str(index)], {}) for index in range(2)))
    assert said == ["by flags 0 2 [0, 1]", "by flags 1 2 [0, 1]"]


def test_two_tasks_of_slurm_are_joined():
    port = str(_free_port())
    step = _SLURM | {
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "JAX_COORDINATOR_PORT": port,
    }
    said = _joined(
        *(([], step | {"SLURM_PROCID": n, "SLURM_LOCALID": n}) for n in ("0", "1")),
    )
    assert said == ["by Slurm 0 2 [0, 1]", "by Slurm 1 2 [0, 1]"]


def test_two_pods_of_a_jobset_are_joined():
    pod = {"JAX_COORDINATOR_ADDRESS": f"localhost:{_free_port()}", "JAX_NUM_PROCESSES": "2"}
    said = _joined(*(([], pod | {"JOB_COMPLETION_INDEX": n}) for n in ("0", "1")))
    assert [line.split()[-4:] for line in said] == [
        ["0", "2", "[0,", "1]"],
        ["1", "2", "[0,", "1]"],
    ]


def _meet(*visits: tuple[int, int], wait: float = 5) -> list[str]:
    """The errors of processes of some count and number that meet."""
    address = f"localhost:{_free_port()}"
    errors = [""] * len(visits)

    def visit(place: int) -> None:
        try:
            for connection in rendezvous.meet(address, *visits[place], wait).values():
                connection.close()
        except UserError as error:
            errors[place] = str(error)

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(len(visits))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_processes_that_all_come_meet():
    assert _meet((3, 0), (3, 1), (3, 2)) == ["", "", ""]


def test_processes_that_do_not_meet_say_why():
    assert _meet((3, 0), (3, 1), wait=1) == ["of 3 processes 2 did not come within 1 s"] * 2
    [alone] = _meet((2, 1), wait=1)
    assert "process 0 cannot be reached at localhost:" in alone
    assert set(_meet((3, 0), (3, 1), (3, 1))) == {
        "two processes have the number 1: each takes its own, from 0"
    }
    assert set(_meet((3, 0), (2, 1))) == {"process 1 expects 2 processes, process 0 3"}


def test_another_program_at_the_port_is_no_process():
    with _metadata({}) as environment:
        address = environment["GCE_METADATA_IP"]
        with pytest.raises(UserError, match="it gives no answer"):
            rendezvous.meet(address, 2, 1, wait=1)
        with pytest.raises(UserError, match="cannot be opened"):
            rendezvous.meet(address, 2, 0, wait=1)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_training_that_waits_for_others_is_stopped_by_sigterm(tmp_path):
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "painting_jax.train", f"--workdir={tmp_path / 'run'}"),
            *(f"--coordinator_address=localhost:{_free_port()}", "--process_count=2"),
            "--process_id=0",
        ],
        env=tiny.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout.readline().startswith("process 0 of 2 (by flags)")
    program.terminate()
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (143, "terminated\n")
    assert not (tmp_path / "run").exists()
