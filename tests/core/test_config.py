"""Settings: where they come from, and what they refuse."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core import Config
from psm_core.errors import ConfigError


def test_every_fault_is_named_at_once():
    """Two wrong settings are one error with two sentences."""
    with pytest.raises(ConfigError) as caught:
        Config(recall_limit=0, fact_confidence=1.7)

    assert str(caught.value) == (
        "recall_limit is 0; it must be at least 1; "
        "fact_confidence is 1.7; it must lie in [0, 1]"
    )


def test_arguments_beat_environment_beats_file_beats_default(tmp_path):
    """One setting in all four places has the value of the nearest."""
    file = tmp_path / "psm.toml"
    file.write_text("recall_limit = 3\nrecall_budget = 300\npostings = 40\n")
    environ = {"PSM_RECALL_LIMIT": "4", "PSM_RECALL_BUDGET": "400"}

    config = Config.load(home=tmp_path, environ=environ, recall_limit=5)

    assert (config.recall_limit, config.recall_budget) == (5, 400)
    assert (config.postings, config.candidates) == (40, 30)


def test_the_home_may_come_from_the_environment(tmp_path):
    """PSM_HOME moves everything, psm.toml included."""
    (tmp_path / "psm.toml").write_text("recall_limit = 3\n")

    config = Config.load(environ={"PSM_HOME": str(tmp_path)})

    assert (config.home, config.recall_limit) == (tmp_path, 3)


def test_an_unknown_setting_names_the_nearest():
    """A slip of the finger is told apart from a wrong idea."""
    with pytest.raises(ConfigError, match="no setting recal_limit; did you mean"):
        Config.load(environ={}, recal_limit=3)
    with pytest.raises(ConfigError, match="no setting zzz; known: home, encoder"):
        Config.load(environ={}, zzz=3)


@pytest.mark.parametrize("value", ["ten", True, [1]])
def test_a_value_of_another_kind_is_refused(value):
    """'ten' isn't a number, and true isn't 1."""
    with pytest.raises(ConfigError, match="recall_limit is .*must be int"):
        Config.load(environ={}, recall_limit=value)


def test_a_broken_file_is_named(tmp_path):
    """psm.toml that isn't TOML is one of our errors."""
    (tmp_path / "psm.toml").write_text("recall_limit = = 3")

    with pytest.raises(ConfigError, match=r"psm\.toml isn't valid TOML"):
        Config.load(home=tmp_path, environ={})


def test_the_tilde_is_the_home_folder():
    """~/.psm is a folder of the person who runs it, not one called '~'."""
    assert Config().home == Path.home() / ".psm"


@given(st.integers(max_value=0), st.floats().filter(lambda x: not 0 <= x <= 1))
def test_what_is_out_of_range_never_gets_in(count, share):
    """No count below 1 and no share outside [0, 1], NaN included."""
    with pytest.raises(ConfigError):
        Config(candidates=count)
    with pytest.raises(ConfigError):
        Config(archive_below=share)


def test_a_variable_that_is_set_to_nothing_is_not_set():
    """An empty PSM_HOME isn't the folder that one is in."""
    assert Config.load(environ={"PSM_HOME": "", "PSM_RECALL_LIMIT": " "}) == Config()


def test_a_number_without_end_is_refused():
    """`recall_limit = inf` is TOML, and no limit."""
    with pytest.raises(ConfigError, match="recall_limit is inf; it must be int"):
        Config.load(environ={}, recall_limit=float("inf"))
