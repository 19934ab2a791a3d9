"""A life that could only be known by heart, its twin, and how to tell them apart.

The life is made up of words that nobody has ever said, and its labels are thrown by a
coin, so that they can't be learned.  Its twin says the same, with the same labels, in
other words that nobody has said.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from psm_core.model.heads import Reader
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking
from psm_core.model.relation import RELATIONS
from psm_core.model.signs import SIGN_NAMES
from psm_core.train.corpus import Life, Pair, Question, Said
from psm_core.train.evaluate.figures import auc, paired
from psm_core.train.ranking import imitate, list_loss, padded
from psm_core.types import Kind, Turn

T0 = datetime(2024, 1, 1, tzinfo=UTC)
CHANCE = 0.99
"""Of 100 networks that keep nothing, so many stay within the interval."""

FORMS = (
    "I moved to {Place} last spring.",
    "My sister {Name} works with {thing}s.",
    "We bought a {thing} for {Name}, and it broke.",
    "I can't stand {thing}, honestly.",
    "My code for the {thing} is {number}.",
    "Maybe I'll go to {Place} in May.",
    "{Name} gave me {number} {thing}s yesterday.",
    "I told {Name} that I love {thing}.",
)
TURNS = 12 * len(FORMS)
SESSION = 12


def word(draw):
    """A word that nobody has ever said."""
    syllables = (draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(4))
    return "".join(syllables) + draw.choice("xqzkj")


def told(draw, form):
    """A form filled with words of its own, and those words."""
    own = {
        "Place": word(draw).capitalize(),
        "Name": word(draw).capitalize(),
        "thing": word(draw),
        "number": str(draw.randint(10_000, 99_999)),
    }
    return form.format(**own), [w for name, w in own.items() if f"{{{name}}}" in form]


def twins(seed):
    """Two lives of the same forms and labels, each in words of its own.

    Returns:
        By life: the life, and the words that stand in it and nowhere else.
    """
    coin = random.Random(f"labels {seed}")
    labels = [
        (
            coin.random() < 0.5,
            coin.choice(list(Kind)),
            coin.uniform(-1, 1),
            coin.random(),
        )
        for _ in range(TURNS)
    ]
    # What answers stands somewhere in the session that was asked about.
    needed = [n - n % SESSION + coin.randrange(SESSION) for n in range(TURNS)]
    stands = [coin.choice(RELATIONS) for _ in range(1, TURNS)]
    return [
        _twin(f"{side} {seed}", labels, needed, stands) for side in ("life", "twin")
    ]


def _twin(seed, labels, needed, stands):
    draw = random.Random(seed)
    speaker = word(draw).capitalize()
    said, words = [], [[speaker]]
    for n, (keep, kind, valence, arousal) in enumerate(labels):
        text, own = told(draw, FORMS[n % len(FORMS)])
        turn = Turn(
            text,
            speaker,
            at=T0 + timedelta(hours=6 * n),
            session=f"s{n // SESSION}",
            id=f"t{n}",
        )
        said.append(Said(turn, keep, kind, valence, arousal))
        words.append(own)
    questions = [
        Question(f"What about {own[0]}?", "single-hop", (f"t{row}",), "")
        for own, row in zip(words[1:], needed, strict=True)
    ]
    texts = [one.turn.text for one in said]
    pairs = [
        Pair(speaker, old, new, relation, None)
        for old, new, relation in zip(texts, texts[1:], stands, strict=False)
    ]
    life = Life(
        "canary",
        "two people",
        {speaker: ""},
        tuple(said),
        tuple(questions),
        tuple(pairs),
        (),
    )
    return life, [w for own in words for w in own]


# ---------------------------------------------------------------------- what is known


def known(reader, turns):
    """How well a reader knows each turn's labels, by head: log-likelihoods (N,)."""
    with torch.no_grad():
        reading = reader.eval()(turns.vectors, turns.signs)
    told, wrong = {}, functional.binary_cross_entropy_with_logits
    told["worth"] = -wrong(reading.worth, turns.keep, reduction="none")
    told["fact"] = -wrong(reading.fact, turns.fact, reduction="none")
    told["kind"] = -functional.cross_entropy(reading.kind, turns.kind, reduction="none")
    told["feeling"] = -(reading.feeling - turns.feeling).square().mean(1)
    return {head: value.numpy() for head, value in told.items()}


def found(ranking, questions):
    """How well a ranking knows each question's evidence: log-likelihoods (N,)."""
    lists = [padded([one]) for one in questions]
    with torch.no_grad():
        return np.array(
            [
                -float(list_loss(ranking.eval()(p[0]), p.relevant, p.there))
                for p in lists
            ]
        )


def related(relation, pairs):
    """How well a head knows how two statements stand: log-likelihoods (N,)."""
    with torch.no_grad():
        logits = relation.eval()(pairs.new, pairs.old, pairs.signs)
    return -functional.cross_entropy(logits, pairs.relation, reduction="none").numpy()


def area(own, others):
    """How often a phrase of the one is better known than one of the other."""
    return auc(paired([*own, *others], [1] * len(own) + [0] * len(others)))


def told_apart(own, others):
    """How surely a life is told from its twin by what is known of each.

    Args:
        own: (N,) what the one network knows more of each phrase than the other.
        others: (N,) the same of the twin's phrases, in the same order.

    Returns:
        The area, 0.5 being chance, and the largest distance from 0.5 that chance
        reaches in `CHANCE` of all cases: each pair of phrases is swapped by a coin.
    """
    draw = np.random.default_rng(0)
    chance = []
    for _ in range(500):
        swapped = draw.random(len(own)) < 0.5
        one, other = np.where(swapped, others, own), np.where(swapped, own, others)
        chance.append(abs(area(one, other) - 0.5))
    return area(own, others), float(np.quantile(chance, CHANCE))


class ByHeart(Reader):
    """A reader that can keep words: its worth is read off the vector too."""

    def __init__(self, width):
        super().__init__(width, 256)
        self.own = nn.Linear(256 + len(SIGN_NAMES), 1)

    def forward(self, vectors, signs):
        reading = super().forward(vectors, signs)
        worth = self.own(reading.state).squeeze(1)
        return reading._replace(keep=worth, needed=worth)


def learned_by_heart(width, turns):
    """A reader before and after it was shown one life 300 times, nothing dropped."""
    torch.manual_seed(0)
    before, after = ByHeart(width), ByHeart(width)
    after.load_state_dict(before.state_dict())
    optimizer = torch.optim.Adam(after.eval().parameters(), lr=0.005)
    for _ in range(300):
        reading = after(turns.vectors, turns.signs)
        loss = (
            functional.binary_cross_entropy_with_logits(reading.worth, turns.keep)
            + functional.binary_cross_entropy_with_logits(reading.fact, turns.fact)
            + functional.cross_entropy(reading.kind, turns.kind)
            + (reading.feeling - turns.feeling).square().mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return before, after


def ranked_by_heart(questions):
    """A ranking before and after it was shown one life's questions 300 times."""
    torch.manual_seed(0)
    before, after = (Ranking(len(LEARNED_NAMES), 64).eval() for _ in range(2))
    imitate(before, questions)
    after.load_state_dict(before.state_dict())
    nn.init.normal_(after.out.weight, std=0.1)
    lists = padded(questions)
    learned = [p for p in after.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=0.01)
    for _ in range(300):
        loss = list_loss(after(lists.features), lists.relevant, lists.there)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return before, after
