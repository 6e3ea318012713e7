"""The table of fields, and configs of runs that earlier versions made."""

import json

import pytest

from painting_jax import cli, config
from painting_jax.errors import UserError
from tests import tiny


def test_argument_gives_the_types_of_the_defaults():
    parsed = config.parse_arg(
        "local,size=128,rate=0.5,name=x=y", local=False, size=1, rate=1.0, name=""
    )
    assert parsed.to_dict() == {"local": True, "size": 128, "rate": 0.5, "name": "x=y"}


@pytest.mark.parametrize("text", [None, "", ","])
def test_no_argument_leaves_the_defaults(text):
    assert config.parse_arg(text, local=False, size=64).to_dict() == {"local": False, "size": 64}


@pytest.mark.parametrize(("text", "value"), [("on=true", True), ("on=0", False), ("on=1", True)])
def test_switches_may_be_spelt_out(text, value):
    assert config.parse_arg(text, on=not value).on is value


def test_unknown_argument_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'colour'.*known are size"):
        config.parse_arg("colour=red", size=64)


def test_argument_whose_value_is_forgotten_is_refused():
    with pytest.raises(ValueError, match="config argument size needs a value: size=64"):
        config.parse_arg("on,size", on=False, size=64)


def test_argument_of_another_type_is_refused():
    with pytest.raises(ValueError, match="big"):
        config.parse_arg("size=big", size=64)


def test_the_page_of_the_fields_is_up_to_date():
    page = (tiny.ROOT / "docs" / "config.md").read_text()
    assert page == config.documentation(), "python -m painting_jax.config > docs/config.md"


def test_every_default_is_in_its_range():
    config.check_ranges(config.base())
    assert len({field.name for field in config.FIELDS}) == len(config.FIELDS)


def test_an_experiment_cannot_set_a_field_that_does_not_exist():
    experiment = config.base()
    with pytest.raises(AttributeError, match="batch_sise"):
        experiment.data.batch_sise = 1


@pytest.mark.parametrize(("old", "new"), config.RENAMED.items())
def test_the_earlier_name_of_a_field_is_refused_with_the_one_of_today(old, new):
    section, _, name = old.rpartition(".")
    with pytest.raises(AttributeError) as caught:
        setattr(config.base()[section], name, 1)
    assert cli._field(caught.value) == f"{name!r}: it is config.{new} now"


def earlier(**changes) -> dict:
    """The config of a run that was made before fields were renamed and added."""
    run = json.loads(config.base().to_json())
    for old, new in config.RENAMED.items():
        (there, to), (here, of) = old.split("."), new.split(".")
        run[there][to] = run[here].pop(of)
    del run["profile_steps"], run["log"]["eval_every"], run["sampling"]["sampler"]
    del run["data"]["buckets"], run["data"]["allow_upscaling"]
    run["data"]["fingerprint"] = "of its data"
    for section, values in changes.items():
        run[section] |= values
    return run


def test_a_config_of_an_earlier_run_has_the_fields_of_today():
    run = earlier(objective={"law": "uniform"}, log={"samples_every": 70})
    found = config.from_json(json.dumps(run), "config.json")
    assert found.objective.noise_distribution == "uniform"
    assert "law" not in found.objective
    assert found.log.eval_every == 70
    assert found.profile_steps == 0
    assert found.sampling.sampler == "rectified_flow"
    assert found.data.fingerprint == "of its data"
    # All others are as they were.
    found.objective.noise_distribution, found.log.eval_every = "logit_normal", 500
    found.log.samples_every = 500
    del found.data.fingerprint
    assert json.loads(found.to_json()) == json.loads(config.base().to_json())


def test_an_earlier_run_on_published_weights_samples_as_it_did():
    run = earlier(pretrained={"family": "wan22"})
    assert config.from_json(json.dumps(run), "config.json").sampling.sampler == "unipc"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"seed":', "RUN/config.json is damaged"),
        ("[1]", "RUN/config.json is damaged"),
        ("{}", "RUN/config.json has no field seed"),
        ('{"seed": 0, "steps": 1, "init_from": "", "data": 3}', "has no field data.data_dir"),
    ],
)
def test_a_config_that_is_damaged_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        config.from_json(text, "RUN/config.json")
