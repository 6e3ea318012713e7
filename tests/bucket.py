"""A bucket of Cloud Storage on this machine: gcp-storage-emulator, and what it lacks for a run.

It lacks preconditions and generations in answers, by which TensorStore and locks know that nobody
else has written an object meanwhile, and answers one request at a time.
"""

import contextlib
import functools
import http.server
import threading
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

NAME = "bucket"


class Bucket(Storage):
    """What the bucket holds.

    Attributes:
      refuse: Status with which a request is refused, of its method and its object; 0 = it is not.
    """

    refuse: Callable[[str, str], int] = staticmethod(lambda method, name: 0)

    def names(self) -> list[str]:
        """Names of all objects."""
        return sorted(self.objects.get(NAME, {}))

    def _write_config_to_file(self) -> None:
        """Nothing outlives this process: the emulator would write all metadata at each change."""


class _Handler(RequestHandler):
    """Answers a request if its preconditions hold, and tells the generation of its object."""

    def __init__(self, lock: threading.Lock, storage: Bucket, *args):
        self._lock = lock
        super().__init__(storage, *args)

    def handle_one_request(self) -> None:
        # Requests are read one at a time by each thread, and answered one at a time by all.
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        with self._lock, contextlib.suppress(BrokenPipeError):
            refused = self._refused()
            if refused:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(refused)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                getattr(self, f"do_{self.command}")()
            self.wfile.flush()

    def end_headers(self) -> None:
        bucket, name, _ = self._asked()
        if there := self.storage.objects.get(bucket, {}).get(name):
            self.send_header("x-goog-generation", there["generation"])
            self.send_header("x-goog-stored-content-length", str(there["size"]))
        super().end_headers()

    def _asked(self) -> tuple[str, str, dict[str, list[str]]]:
        """Bucket and name of the object that is asked for, and the parameters."""
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        bucket, _, name = url.path.partition("/b/")[2].partition("/o")
        name = urllib.parse.unquote(name.removeprefix("/").removesuffix("/compose"))
        return bucket, name or query.get("name", [""])[0], query

    def _refused(self) -> int:
        bucket, name, query = self._asked()
        if status := self.storage.refuse(self.command, name):
            return status
        there = self.storage.objects.get(bucket, {}).get(name, {}).get("generation", "0")
        if query.get("ifGenerationMatch", [there]) != [there]:
            return http.HTTPStatus.PRECONDITION_FAILED
        if query.get("ifGenerationNotMatch", [""]) == [there]:
            return http.HTTPStatus.NOT_MODIFIED
        return 0


@contextlib.contextmanager
def emulated() -> Iterator[Bucket]:
    """Serves an empty bucket; programs that are started meanwhile find it, too.

    Yields:
      The bucket.
    """
    storage = Bucket(use_memory_fs=True)
    buckets.create_bucket(NAME, storage)
    handler = functools.partial(_Handler, threading.Lock(), storage)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    with pytest.MonkeyPatch.context() as environment:
        # For gcsfs and Google's client, for the reader of ArrayRecord, and for TensorStore.
        environment.setenv("STORAGE_EMULATOR_HOST", address)
        environment.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", address)
        environment.setenv("TENSORSTORE_GCS_HTTP_URL", address)
        # Else gcsfs asks Google of what kind the bucket is.
        environment.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        try:
            yield storage
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
