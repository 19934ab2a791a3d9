"""Heads learn from people whom the encoder that they see did not learn from."""

import numpy as np
import pytest

from psm_core.model.adapter import Adapter
from psm_core.model.encoder import HashEncoder
from psm_core.model.rules import RulePolicy
from psm_core.train.backbone import Backbone
from psm_core.train.corpus import lives
from psm_core.train.material import Material, Remembered
from psm_core.train.ranking import questions
from psm_core.train.unseen import FOLDS, encoders, folds


@pytest.fixture(scope="module")
def people(shortened):
    return [shortened(life, sessions=2, questions=4) for life in lives("train")[:4]]


def test_everybody_is_left_out_once_and_both_sorts_of_chat_are_spread():
    """The groups share nobody, hold all, and differ by one life of a sort at most."""
    groups = folds(lives("train"))

    names = [life.name for group in groups for life in group]
    assert sorted(names) == sorted(life.name for life in lives("train"))
    for chat in ("assistant", "two people"):
        counts = [sum(life.chat == chat for life in group) for group in groups]
        assert max(counts) - min(counts) <= 1


def test_nobody_is_encoded_by_what_learned_from_them(people, llama, tmp_path):
    """Taught on the others alone, an adapter is the one that those others give."""
    said = []
    material = Material(Remembered(HashEncoder(16)), train=people, validation=())

    found = encoders(
        material, llama, lambda a: Backbone(llama, adapter=a), tmp_path, said.append
    )

    first, second = folds(people)
    assert {found[life.name] for life in first}.isdisjoint(
        found[life.name] for life in second
    )
    assert len(set(found.values())) == FOLDS == len(list(tmp_path.iterdir()))
    kept = [Adapter.read(path) for path in sorted(tmp_path.iterdir())]
    layer = next(iter(kept[0].factors))
    assert not np.array_equal(kept[0].factors[layer][1], kept[1].factors[layer][1])


def test_adapters_that_are_there_are_taken(people, llama, tmp_path):
    """Cut off between two of them, a training makes only the one that is missing."""
    material = Material(Remembered(HashEncoder(16)), train=people, validation=())

    def made():
        said = []
        encoders(
            material, llama, lambda a: Backbone(llama, adapter=a), tmp_path, said.append
        )
        return sum("leaves out" in line for line in said)

    assert made() == FOLDS
    sorted(tmp_path.iterdir())[0].unlink()
    assert made() == 1
    assert made() == 0


def test_stores_of_train_people_are_encoded_by_strangers(people):
    """Their candidates' cosines are those of the encoder that never met them."""
    own, other = Remembered(HashEncoder(16)), Remembered(HashEncoder(32))
    train, validation = people[:2], people[2:3]
    material = Material(
        own,
        train=train,
        validation=validation,
        unseen=lambda: {train[0].name: other},
    )

    asked, held = questions(material, RulePolicy())

    widths = {one.person: len(one.cue.vector) for one in (*asked, *held)}
    assert widths == {train[0].name: 32, train[1].name: 16, validation[0].name: 16}
