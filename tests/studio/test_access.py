"""Who may talk to the studio, and who is refused in one line."""

import subprocess
import sys

import pytest

from painting_jax.errors import UserError
from painting_jax.studio import access
from tests import tiny
from tests.studio import rooms
from tests.verbs import Verb

_PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Verb:
    return Verb("studio", tmp_path_factory.mktemp("printed"))


@pytest.fixture
def local(tmp_path):
    with rooms.browser(rooms.studio(tmp_path)) as client:
        yield client


@pytest.fixture
def guarded(tmp_path):
    studio = rooms.studio(tmp_path, password=_PASSWORD, local=False)
    with rooms.browser(studio, Host="studio.example:8765") as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1", "[::1]"])
def test_this_machine_needs_no_password(host):
    assert access.is_loopback(host)
    assert access.password_of(host, None, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "studio.example", ""])
def test_any_other_address_needs_one(host, tmp_path):
    with pytest.raises(UserError, match="so it needs a password"):
        access.password_of(host, None, None)
    (tmp_path / "file").write_text(f"{_PASSWORD}\nmore\n")
    assert access.password_of(host, str(tmp_path / "file"), None) == _PASSWORD


@pytest.mark.parametrize(
    ("text", "said"), [("short", "at least 8"), ("", "at least 8"), (None, "cannot be read")]
)
def test_a_password_that_is_none_is_refused(text, said, tmp_path):
    if text is not None:
        (tmp_path / "file").write_text(text)
    with pytest.raises(UserError, match=said):
        access.password_of("127.0.0.1", str(tmp_path / "file"), None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host=0.0.0.0",), "--host=0.0.0.0: others can reach it, so it needs a password"),
        (("--output=",), "--output= is empty"),
        (("--port=70000",), "--port=70000: it must be from 0 to 65535"),
        (("--lora=a.safetensors",), "--lora goes with --pretrained"),
    ],
)
def test_mistakes_of_the_command_line_end_in_a_line(arguments, said, tmp_path, studio):
    output = () if arguments == ("--output=",) else (f"--output={tmp_path / 'gallery'}",)
    studio.refuses(*output, "--port=0", *arguments, said=said)
    assert not list(tmp_path.iterdir())


def test_without_its_extra_it_says_what_to_install(tmp_path):
    program = (
        "import runpy, sys; sys.modules['uvicorn'] = None; "
        f"sys.argv = ['studio', '--output={tmp_path / 'gallery'}']; "
        "runpy.run_module('painting_jax.studio', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    tiny.assert_one_line(done, "pip install 'painting_jax[studio]'")


def test_it_listens_to_this_machine_alone_and_says_where(tmp_path, studio):
    with subprocess.Popen(
        [sys.executable, "-m", "painting_jax.studio", f"--output={tmp_path}", "--port=0"],
        env=tiny.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        said = program.stdout.readline()
        port = int(said.rpartition(":")[2])
        assert said == f"the studio is open at http://127.0.0.1:{port}\n"
        # Of the sockets that listen at this port, in hexadecimal: 127.0.0.1 and no other.
        with open("/proc/net/tcp") as sockets:
            rows = [line.split() for line in sockets]
        listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
        said = "is being written by another studio"
        studio.refuses(f"--output={tmp_path}", "--port=0", said=said)
        said = "Address already in use; name another --port"
        studio.refuses(f"--output={tmp_path / 'other'}", f"--port={port}", said=said)
        program.terminate()
        _, errors = program.communicate(timeout=30)
    assert [address.partition(":")[0] for address in listening] == ["0100007F"]
    assert (program.returncode, errors) == (143, "terminated\n")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0"])
def test_a_name_that_was_made_to_point_here_is_refused(local, host):
    answer = local.get("/api/state", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]) == (
        421,
        "the studio is open to this machine alone",
    )
    assert local.get("/api/state", headers={"Host": "localhost:99"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(local, headers):
    answer = local.post("/api/uploads", content=rooms.a_picture(), headers=headers)
    assert answer.status_code == 403
    del local.headers["X-Studio"]
    assert local.post("/api/uploads", content=rooms.a_picture()).status_code == 403


def test_every_answer_keeps_scripts_and_frames_of_others_out(local):
    for path in ("/", "/api/state", "/page/app.js", "/nowhere", "/works/x/y"):
        headers = local.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


@pytest.mark.parametrize("path", ["/api/state", "/api/about", "/api/works", "/page/app.js"])
def test_without_the_password_nothing_is_told(guarded, path):
    assert guarded.get(path).status_code == 401
    assert guarded.get("/", follow_redirects=False).headers["location"] == "/login"
    assert guarded.get("/login").status_code == 200


def test_with_the_password_a_cookie_that_no_script_can_read_opens_it(guarded, monkeypatch):
    monkeypatch.setattr(access, "_PAUSE", 0.0)
    for wrong in ("", "correct hors", None, 7, "pässword"):
        refused = guarded.post("/login", json={"password": wrong})
        assert (refused.status_code, refused.json()["error"]) == (403, "this is not the password")
    assert guarded.get("/api/state").status_code == 401
    opened = guarded.post("/login", json={"password": _PASSWORD})
    cookie = opened.headers["set-cookie"]
    assert opened.status_code == 200
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert guarded.get("/api/state", headers={"Cookie": f"studio={token}"}).status_code == 200
    assert guarded.get("/api/state", headers={"Cookie": "studio=guess"}).status_code == 401
