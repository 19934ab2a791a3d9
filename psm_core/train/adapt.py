"""Teach an encoder what lives are like: a question near the turns that answer it.

General encoders are trained on articles and search queries.  In a life the answer is
a short line between small talk, and hundreds of other lines are about the same two
people; a little contrast within lives teaches that.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from psm_core.acts.candidates import unnamed
from psm_core.model.adapter import Adapter
from psm_core.train.backbone import Backbone, insert, rounded, take_out
from psm_core.train.corpus import Life, Pair
from psm_core.train.lives import crowded
from psm_core.train.material import Material, Remembered, Say

if TYPE_CHECKING:
    from psm_core.protocols import Encoder

ALIKE = frozenset({"duplicate", "update", "contradiction"})
"""Relations of two statements that are about one thing."""

CROWD = 3
"""So many other lives share the store of a crowded one."""

SPARING = 8
"""Texts whose gradients a sparing training holds at once."""

DEPTHS = (10, 30, 50)
"""How many of the nearest turns are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an adapter is learned.

    Args:
        rank: Rows of each A and columns of each B.
        alpha: What is learned counts ``alpha / rank`` times; no unit.
        share: Which share of the network's blocks learns, from the top, in (0, 1].
        together: So many lives share one store at most, and every turn of theirs is a
            wrong answer to the others' questions.
        turns: A store takes in no further life that would make it longer; what a
            step holds in memory grows with it: 11 GB at 700, less where `sparing`.
        epochs: How often each life is read.
        rate: Of learning, at its height.
        warming: Share of the steps on which the rate rises; then it falls to 0.
        temperature: Cosines are divided by it; no unit.
        alike: Weight of statements that belong together, beside the questions' 1.
        sparing: Encode twice, so that the memory holds the gradients of one batch
            and not of a whole life; for backbones of billions.
    """

    rank: int = 8
    alpha: int = 16
    share: float = 1.0
    together: int = 2
    turns: int = 700
    epochs: int = 2
    rate: float = 2e-3
    warming: float = 0.1
    temperature: float = 0.05
    alike: float = 0.3
    sparing: bool = False


class Lesson(NamedTuple):
    """One store and what is asked of it.

    ``answers`` (Q, T) float32 says with 1 which turn answers which question.
    """

    turns: list[str]
    questions: list[str]
    answers: Tensor
    pairs: list[Pair]


def train_adapter(
    backbone: Backbone,
    material: Material,
    say: Say,
    recipe: Recipe = Recipe(),
) -> Adapter:
    """What *backbone* learns from the lives of *material*; it stays as it was.

    Every turn of a store competes for every question about it, names of speakers
    taken out; duplicates and updates compete with statements that only share a topic.

    Args:
        backbone: Without an adapter of its own.
        material: People to learn from, people to report on if any, and the seed.
        say: Told how near the answers are, before, during and after.
        recipe: How it is learned.

    Returns:
        The adapter, in half precision.

    Raises:
        MissingExtraError: peft isn't installed.

    Source:
        LoRA: Hu et al. (2021).
    """
    torch.manual_seed(material.seed)
    draw = random.Random(material.seed)  # noqa: S311 - not a secret
    if material.validation:
        say(f"before: {_told(backbone, material.validation)}")
    insert(backbone.network, recipe.rank, recipe.alpha, recipe.share)
    learned = [p for p in backbone.network.parameters() if p.requires_grad]
    step = torch.optim.AdamW(learned, lr=recipe.rate, weight_decay=0.01)
    course = [stores(material.train, recipe, draw) for _ in range(recipe.epochs)]
    pace = torch.optim.lr_scheduler.OneCycleLR(
        step,
        recipe.rate,
        max(sum(map(len, course)), 2),
        pct_start=recipe.warming,
        anneal_strategy="linear",
    )
    for epoch, groups in enumerate(course):
        losses = []
        for lives in groups:
            step.zero_grad()
            losses.append(gradients(backbone, lesson(lives, epoch), recipe))
            nn.utils.clip_grad_norm_(learned, 1.0)
            step.step()
            pace.step()
        say(f"epoch {epoch + 1} of {recipe.epochs}: loss {np.mean(losses):.3f}")
    # Rounded in the network too, so that what is said holds for what is kept.
    factors = rounded(backbone.network)
    if material.validation:
        say(f"after: {_told(backbone, material.validation)}")
    take_out(backbone.network)
    return Adapter(backbone.base, backbone.digest, recipe.rank, recipe.alpha, factors)


def stores(
    lives: Sequence[Life], recipe: Recipe, draw: random.Random
) -> list[list[Life]]:
    """The lives in groups that share a store, one sort of chat beside its like.

    Args:
        lives: Each comes once.
        recipe: How many lives and turns one store takes in; a longer life has one of
            its own.
        draw: The chance by which they meet, and of their order.
    """
    shuffled = draw.sample(list(lives), len(lives))
    shuffled.sort(key=lambda life: life.chat)
    groups: list[list[Life]] = []
    for life in shuffled:
        last = groups[-1] if groups else []
        turns = sum(len(other.turns) for other in last) + len(life.turns)
        if last and len(last) < recipe.together and turns <= recipe.turns:
            last.append(life)
        else:
            groups.append([life])
    return draw.sample(groups, len(groups))


def lesson(lives: Sequence[Life], seed: int) -> Lesson:
    """One store that *lives* share, and everything that is asked of any of them.

    Args:
        lives: The first gives the names.
        seed: Orders the sessions.
    """
    first, *others = lives
    store = crowded(first, others, seed)
    asked = [
        (unnamed(q.text, life.people)[1], {f"{prefix}{i}" for i in q.evidence})
        for life, prefix in [(first, ""), *((o, f"{o.name}/") for o in others)]
        for q in life.questions
        if q.evidence
    ]
    answers = [[float(t.id in evidence) for t in store.turns] for _, evidence in asked]
    return Lesson(
        [t.text for t in store.turns],
        [question for question, _ in asked],
        torch.tensor(answers),
        [p for life in lives for p in life.pairs],
    )


def gradients(backbone: Backbone, taught: Lesson, recipe: Recipe) -> float:
    """Leave the gradients of one lesson in the network, and return its loss.

    Args:
        backbone: What learns.
        taught: One store and what is asked of it.
        recipe: Which temperature and weights, and whether to spare memory.

    Returns:
        The loss in nats, from 0 up.

    Source:
        InfoNCE: van den Oord et al. (2018).  Sparing: Gao et al. (2021).
    """
    statements = [text for p in taught.pairs for text in (p.old, p.new)]
    texts = list(dict.fromkeys([*taught.turns, *taught.questions, *statements]))
    texts.sort(key=len)
    at = {text: n for n, text in enumerate(texts)}
    with torch.set_grad_enabled(not recipe.sparing):
        vectors = backbone.vectors(texts)
    if recipe.sparing:
        vectors.requires_grad_()
    loss = _loss(vectors, at, taught, recipe)
    loss.backward()  # type: ignore[no-untyped-call]
    if recipe.sparing:
        # Each batch again, with its own share.
        assert vectors.grad is not None
        for start in range(0, len(texts), SPARING):
            batch = slice(start, start + SPARING)
            backbone.vectors(texts[batch]).backward(vectors.grad[batch])  # type: ignore[no-untyped-call]
    return loss.item()


def nearness(encoder: Encoder, lives: Sequence[Life]) -> dict[str, float]:
    """How well bare cosine finds what answers a question, in [0, 1].

    Args:
        encoder: Any.
        lives: Whose questions are asked, in their own store and in a crowded one.

    Returns:
        ``own@K`` and ``crowded@K``, the share of a question's evidence among the K
        nearest turns, mean over questions; and ``alike``, the probability that two
        duplicates are nearer than two compatible statements on one topic.
    """
    found: dict[str, float] = {}
    for what, crowd in (("own", 0), ("crowded", CROWD)):
        rows = [
            row
            for life in lives
            for row in _found(encoder, [life, *_company(life, lives)[:crowd]])
        ]
        means = np.mean(rows, axis=0)
        found |= {f"{what}@{k}": float(m) for k, m in zip(DEPTHS, means, strict=True)}
    return found | {"alike": _alike(encoder, lives)}


# -------------------------------------------------------------------- the pieces


def _loss(
    vectors: Tensor, at: dict[str, int], taught: Lesson, recipe: Recipe
) -> Tensor:
    def rows(texts: Iterable[str]) -> Tensor:
        return vectors[[at[text] for text in texts]]

    turns = rows(taught.turns)  # (T, D)
    answers = taught.answers.to(turns.device)
    near = rows(taught.questions) @ turns.T / recipe.temperature  # (Q, T)
    share = answers / answers.sum(1, keepdim=True)
    loss = -(share * near.log_softmax(1)).sum(1).mean()
    alike = [p for p in taught.pairs if p.relation in ALIKE]
    if not alike or not recipe.alike:
        return loss
    unlike = [p.new for p in taught.pairs if p.relation == "compatible"]
    others = [p.new for p in alike] + taught.turns + unlike
    near = rows(p.old for p in alike) @ rows(others).T / recipe.temperature  # (A, O)
    # The two statements may be turns too, and are no wrong answers then.
    same = [
        [n != m and text in (p.old, p.new) for n, text in enumerate(others)]
        for m, p in enumerate(alike)
    ]
    near = near.masked_fill(torch.tensor(same, device=near.device), -1e4)
    partner = torch.arange(len(alike), device=near.device)
    return loss + recipe.alike * nn.functional.cross_entropy(near, partner)


def _company(life: Life, lives: Sequence[Life]) -> list[Life]:
    """The others, those of the same sort of chat first, in an order of their own."""
    others = [other for other in lives if other.name != life.name]
    random.Random(life.name).shuffle(others)  # noqa: S311 - not a secret
    return sorted(others, key=lambda other: other.chat != life.chat)


def _found(encoder: Encoder, lives: Sequence[Life]) -> Iterable[list[float]]:
    """For each question about the first life, the share found at each of `DEPTHS`."""
    asked = lesson(lives, 1)
    answers = asked.answers.numpy()
    turns = encoder.encode(asked.turns)
    mine = sum(bool(q.evidence) for q in lives[0].questions)
    cues = encoder.encode(asked.questions[:mine])
    for near, wanted in zip(cues @ turns.T, answers, strict=False):
        order = np.argsort(-near, kind="stable")
        yield [float(wanted[order[:k]].sum() / wanted.sum()) for k in DEPTHS]


def _alike(encoder: Encoder, lives: Sequence[Life]) -> float:
    pairs = [p for life in lives for p in life.pairs]
    old = encoder.encode([p.old for p in pairs])
    near = (old * encoder.encode([p.new for p in pairs])).sum(1)
    same = near[[p.relation == "duplicate" for p in pairs]]
    other = near[[p.relation == "compatible" for p in pairs]]
    if not len(same) or not len(other):
        return float("nan")
    return float((same[:, None] > other[None]).mean())


def _told(backbone: Backbone, lives: Sequence[Life]) -> str:
    found = nearness(Remembered(backbone), lives)
    return ", ".join(f"{what} {value:.3f}" for what, value in found.items())
