"""What the card of a set of weights tells a reader, and what it is refused for."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from psm_core.errors import PSMError, WeightsError
from psm_core.model.adapter import MINI
from psm_core.model.card import FORMAT, LISTS, Card, mismatches
from psm_core.model.lookup import sha256
from psm_core.model.policy import WEIGHTS

SHAPE = {"width": 16, "state": 8}
FULL = Card(
    "tiny",
    "hash-16",
    thresholds={"answer": 0.25},
    data={"lives": "lives of nobody (CC0)"},
    metrics={"recall": {"R@10": 0.5}},
    seed=7,
    digests={"base": "a" * 64},
    licences={"lives": "CC0-1.0"},
)


def rewritten(folder, **changes):
    """The card of `FULL` in *folder*, some of its JSON otherwise."""
    FULL.write(folder, SHAPE)
    path = folder / "tiny.json"
    told = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps(told), "utf-8")
    return path


def test_what_is_written_is_read(tmp_path):
    """Every field comes back as it was, the shape being that of the network."""
    FULL.write(tmp_path, SHAPE)

    assert Card.read(tmp_path, "tiny") == replace(FULL, shape=SHAPE)


def test_one_card_is_one_text(tmp_path):
    """Written twice it has the same bytes: JSON in order, a line for each fact."""
    FULL.write(tmp_path, SHAPE)
    first = (tmp_path / "tiny.json").read_bytes()

    FULL.write(tmp_path, SHAPE)

    assert (tmp_path / "tiny.json").read_bytes() == first
    told = json.loads(first)
    assert list(told) == sorted(told)
    assert told["format"] == FORMAT
    assert first.endswith(b"}\n")


def test_a_card_says_what_a_reader_looks_for(tmp_path):
    """Encoder, shapes, lists, thresholds, data, licences, figures and seed, by name."""
    told = json.loads(rewritten(tmp_path).read_text("utf-8"))

    assert told["encoder"] == "hash-16"
    assert told["digests"] == {"base": "a" * 64}
    assert told["licences"] == {"lives": "CC0-1.0"}
    assert told["shape"] == SHAPE
    assert set(told["lists"]) == {"features", "signs", "pairs"}
    assert {"thresholds", "data", "metrics", "seed", "name"} <= set(told)


def test_a_card_that_lacks_newer_fields_is_read(tmp_path):
    """Cards that were written before digests and licences still say the rest."""
    path = rewritten(tmp_path)
    told = json.loads(path.read_text("utf-8"))
    for newer in ("digests", "licences"):
        told.pop(newer)
    path.write_text(json.dumps(told), "utf-8")

    assert Card.read(tmp_path, "tiny") == replace(
        FULL, shape=SHAPE, digests={}, licences={}
    )


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", "null", "3", '"card"', "{}", '{"format": 1}', "\0", "\ufffe"],
)
def test_a_broken_card_is_a_weights_error(tmp_path, broken):
    """Whatever stands in it, the error names the file and what to do."""
    (tmp_path / "tiny.json").write_bytes(broken.encode("utf-16-le"))

    with pytest.raises(WeightsError, match=r"tiny\.json can't be read.*psm train"):
        Card.read(tmp_path, "tiny")

    (tmp_path / "tiny.json").write_text(broken, "utf-8")

    with pytest.raises(WeightsError, match=r"tiny\.json can't be read.*psm train"):
        Card.read(tmp_path, "tiny")


def test_a_card_with_a_fact_nobody_knows_is_a_weights_error(tmp_path):
    """A field of a later release isn't passed over in silence; it is named."""
    rewritten(tmp_path, mood="good")

    with pytest.raises(WeightsError, match="mood"):
        Card.read(tmp_path, "tiny")


def test_a_missing_card_is_a_weights_error(tmp_path):
    """The file that was looked for is in the message."""
    with pytest.raises(WeightsError, match=r"nowhere.tiny\.json can't be read"):
        Card.read(tmp_path / "nowhere", "tiny")
    assert issubclass(WeightsError, PSMError)
    assert issubclass(WeightsError, RuntimeError)


@pytest.mark.parametrize("newer", [FORMAT + 1, "2", None])
def test_a_card_of_another_format_is_refused(tmp_path, newer):
    """What this release can't know it doesn't guess; both formats are named."""
    rewritten(tmp_path, format=newer)

    with pytest.raises(
        WeightsError, match=f"is of format {newer}, and this release reads {FORMAT}"
    ):
        Card.read(tmp_path, "tiny")


def test_a_renamed_card_is_refused(tmp_path):
    """A card copied under another name would answer with the weights that it names."""
    rewritten(tmp_path).rename(tmp_path / "other.json")

    with pytest.raises(WeightsError, match=r"other\.json is that of the weights tiny"):
        Card.read(tmp_path, "other")


def test_weights_of_this_release_fit_it():
    """A card that is made now bears the digests of the lists computed now."""
    assert Card("tiny", "hash-16").lists == LISTS
    assert mismatches(Card("tiny", "hash-16")) == []
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in LISTS.values())


@pytest.mark.parametrize("what", sorted(LISTS))
def test_each_list_that_differs_is_named(what):
    """What the weights were trained on, and what is computed here, stand side by side."""
    found = mismatches(Card("tiny", "hash-16", lists={**LISTS, what: "0" * 16}))

    assert found == [
        f"they were trained on the {what} {'0' * 16}, and this release computes "
        f"{LISTS[what]}"
    ]


def test_a_card_without_lists_fits_nothing():
    """Weights that don't say what they saw aren't trusted with anything."""
    assert len(mismatches(Card("tiny", "hash-16", lists={}))) == len(LISTS)


def test_a_card_can_t_be_changed():
    """What weights are is settled when they are trained."""
    with pytest.raises(AttributeError):
        FULL.seed = 1


def test_the_shipped_card_names_the_encoder_by_its_bytes():
    """The encoder's name ends in the first digits of the shipped adapter's sha256."""
    card = Card.read(WEIGHTS, "psm-mini")

    assert mismatches(card) == []
    assert card.encoder == f"psm-mini-{sha256(MINI)[:8]}"
    assert card.shape["width"] == 384
