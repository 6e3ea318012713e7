"""What is asked of the Hugging Face hub, and what is said of repositories of many files."""

import pathlib

import huggingface_hub
import pytest

from painting_jax.checkpoints import hub
from painting_jax.errors import UserError


class Repository:
    """A repository on the hub; what is downloaded of it is created empty."""

    def __init__(self, folder: pathlib.Path, files: list[str]):
        self.folder, self.files = folder, files
        self.downloaded: list[str] = []

    def list_repo_files(self, repo: str, *, revision: str | None = None) -> list[str]:
        assert repo == "owner/repository"
        return self.files

    def snapshot_download(self, repo, revision=None, allow_patterns=None) -> str:
        wanted = huggingface_hub.utils.filter_repo_objects(
            self.files, allow_patterns=allow_patterns
        )
        for file in wanted:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self.downloaded.append(file)
        return str(self.folder)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Makes the hub hold a repository of these files, and nothing else."""

    def make(*files: str) -> Repository:
        made = Repository(tmp_path / "snapshot", list(files))
        for name in ("list_repo_files", "snapshot_download"):
            monkeypatch.setattr(huggingface_hub, name, getattr(made, name))
        return made

    return make


COLLECTION = [
    "a.safetensors",
    "b/c.safetensors",
    "README.md",
    *(f"{i}.safetensors" for i in range(9)),
]


@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_of_many_files_none_is_downloaded_and_they_are_named(repository, locate):
    asked = repository(*COLLECTION)
    said = r"holds 11 safetensors files \(a.safetensors, b/c.safetensors, .*\.\.\.\): name one of"
    with pytest.raises(UserError, match=said) as raised:
        locate("owner/repository")
    assert str(raised.value).endswith("as in owner/repository/a.safetensors")
    assert asked.downloaded == []


@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_a_file_of_many_is_downloaded_alone(repository, locate):
    asked = repository(*COLLECTION)
    path = locate("owner/repository/b/c.safetensors")
    assert path.parts[-2:] == ("b", "c.safetensors")
    assert asked.downloaded == ["b/c.safetensors"]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["x.safetensors", "a.png", "train.zip"], "x.safetensors"),
        (["x.bin", "sub/x.safetensors"], "sub/x.safetensors"),
        (["pytorch_lora_weights.safetensors", "step_5.safetensors"], None),
        (["adapter_model.safetensors", "checkpoint-5/adapter_model.safetensors"], None),
        (["x.safetensors", "checkpoint-5/x.safetensors"], None),
    ],
)
def test_the_lora_of_a_repository_is_downloaded_alone(repository, files, wanted):
    asked = repository(*files, "optimizer.pt", "README.md")
    path = hub.local_lora("owner/repository")
    assert path.is_file()
    assert asked.downloaded == [wanted or files[0]]


@pytest.mark.parametrize("name", ["owner/repository", "owner/repository/adapter_model.safetensors"])
@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_the_config_of_an_adapter_of_peft_comes_with_it(repository, locate, name):
    asked = repository("adapter_model.safetensors", "adapter_config.json", "x.pt")
    locate(name)
    assert sorted(asked.downloaded) == ["adapter_config.json", "adapter_model.safetensors"]


def test_a_whole_model_is_downloaded_whole_but_for_pickles_and_code(repository):
    files = ["model_index.json", "vae/a.safetensors", "transformer/b.safetensors"]
    asked = repository(*files, "pytorch_model.bin", "run.py")
    assert hub.local("owner/repository").is_dir()
    assert asked.downloaded == files


@pytest.mark.parametrize(
    "files",
    [
        [
            "config.json",
            "diffusion_pytorch_model.safetensors",
            "diffusion_pytorch_model.fp16.safetensors",
        ],
        ["a-1-of-2.safetensors", "a-2-of-2.safetensors", "a.safetensors.index.json", "config.json"],
        ["config.json", "model.safetensors"],
    ],
)
def test_weights_at_the_top_are_downloaded_without_what_is_below(repository, files):
    asked = repository(*files, "google/umt5-xxl/tokenizer.json", "other/model.safetensors")
    assert hub.local("owner/repository").is_dir()
    assert asked.downloaded == files


def test_a_folder_of_a_repository_is_downloaded_alone(repository):
    asked = repository("high_noise_model/a.safetensors", "low_noise_model/b.safetensors")
    assert hub.local("owner/repository/high_noise_model").name == "high_noise_model"
    assert asked.downloaded == ["high_noise_model/a.safetensors"]
    hub.local_lora("owner/repository/low_noise_model")
    assert asked.downloaded[1:] == ["low_noise_model/b.safetensors"]


@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_without_safetensors_it_is_said_what_there_is(repository, locate):
    repository("wan-Q4_K_M.gguf", "model.bin", "README.md")
    with pytest.raises(UserError, match=r"holds no .safetensors file, but .bin, .gguf, .md"):
        locate("owner/repository")


@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_what_was_downloaded_serves_without_the_network(tmp_path, monkeypatch, locate):
    class NoNetworkError(Exception):
        """One that none of Python's own stands for, as a network library has them."""

    def fails(*args, **options):
        raise NoNetworkError("the proxy is away\nand more")

    monkeypatch.setattr(huggingface_hub, "list_repo_files", fails)

    def snapshot_download(repo, revision, *, local_files_only):
        assert local_files_only
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert locate("owner/repository") == tmp_path
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    for name in ("owner/repository", "owner/repository/a.safetensors"):
        with pytest.raises(UserError, match=r"did not give it \(the proxy is away\): ") as raised:
            locate(name)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://huggingface.co/o/r", "write o/r, which"),
        (
            "https://huggingface.co/o/r/blob/main/a/b.safetensors",
            "write o/r/a/b.safetensors, which",
        ),
        (
            "https://huggingface.co/o/r/resolve/main/b.safetensors?download=true",
            "o/r/b.safetensors,",
        ),
        ("https://civitai.com/models/5", "copy them to a local disk"),
    ],
)
@pytest.mark.parametrize("locate", [hub.local, hub.local_lora])
def test_an_address_is_answered_with_the_id(locate, address, said):
    with pytest.raises(UserError, match=said):
        locate(address)
