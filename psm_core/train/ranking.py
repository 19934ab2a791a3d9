"""Stage 2 for recall: how strongly each candidate surfaces, and whether any fits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.network import PSM
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.ranking import Ranking, fit_of
from psm_core.model.weigh import WEIGHTS
from psm_core.protocols import Policy
from psm_core.train.calibrate import logistic, platt
from psm_core.train.corpus import Life
from psm_core.train.evaluate.found import FIGURES, Found, found
from psm_core.train.material import Material, Remembered, Say
from psm_core.train.pools import Asked, Asking, asked

if TYPE_CHECKING:
    from psm_core.train.pools import Table

STORES = (Asking(), Asking(crowd=3, seed=3, slept=True))
"""How the stores are filled that the ranking is learned from: the life alone, and one
among others' that has slept.  More of them found nothing more."""

EPOCHS = 12
"""Passes over the questions; more learn the people by heart."""

MEMBERS = 4
"""Rankings that learn apart and answer together; one alone depends on its seed."""

RATE = 0.005
"""Step of AdamW at the beginning; it falls to nothing."""

BATCH = 32
"""Questions in one step."""

PULL = 0.003
"""How strongly the linear weights are held at the rules' weights, no unit."""

DECAY = 0.05
"""Weight decay of the hidden layer, no unit."""

FEATURE_DROP = 0.1
"""Share of features that a question does without, so that none is leant on alone."""

NAME_DROP = 0.3
"""Share of questions that do without the names, as chats with an assistant do."""

NAMED = ("speaker_named", "cue_names")
"""Features that names give."""

UNTAUGHT = {
    "retention": WEIGHTS["retention"] / 2,
    "worth": 0.0,
    "emotion": 0.0,
    "pinned": WEIGHTS["pinned"],
    "corrected": WEIGHTS["corrected"],
}
"""Features that written lives teach nothing about, with the weights that they get: in
them nobody has used, pinned or corrected a memory yet, and what the gate made of people
who were learned from says less of strangers.  The weights are the rules'; retention
has half of it, for the network's strengths spread nearly twice as wide as theirs."""

RIDGE = 0.001
"""Pull of the abstention head's weights towards nothing, no unit."""

EMPTY_MOST = 0.001
"""Share of answerable validation questions that may be left without an answer.

What is foreign to a store is far below it, and near misses can't be told well enough
to be worth more."""


class Padded(NamedTuple):
    """Questions side by side: features (N, K, F), relevant and there (N, K)."""

    features: Tensor
    relevant: Tensor
    there: Tensor


def train_ranking(
    network: PSM, material: Material, policy: Policy, say: Say
) -> dict[str, float]:
    """Train how strongly each candidate surfaces, and when nothing does.

    Starts from the rules' weights (stage 1), learns a list at a time which candidate
    is evidence (stage 2).  Then learns when to stay silent, from pools that hold no
    answer.

    Args:
        network: Its recall and fit heads are trained in place.
        material: Lives, encoder and seed.
        policy: Gates what the stores hear.
        say: Told the figures on validation people.

    Returns:
        "answer": from which probability on that anything fits, memories surface.
    """
    train, validation = questions(material, policy)
    imitate(network.recall, train)
    say(f"recall, imitating the rules: {_said(network.recall, validation)}")
    learn_together(network.recall, train, material.seed)
    say(f"recall, learned from evidence: {_said(network.recall, validation)}")
    return settle(network, train, validation, say)


def questions(material: Material, policy: Policy) -> tuple[list[Asked], list[Asked]]:
    """Those of the train and of the validation people, each put to all `STORES`.

    Asked once for a material: what a store keeps is settled when recall is trained.
    Stores are encoded by what did not learn from their people, see `unseen`.
    """
    if not material.asked:
        strangers = material.unseen() if material.unseen else {}
        for split in ("train", "validation"):
            people: dict[Remembered, list[Life]] = {}
            for life in getattr(material, split):
                encoder = strangers.get(life.name, material.encoder)
                people.setdefault(encoder, []).append(life)
            material.asked[split] = [
                a
                for how in STORES
                for encoder, own in people.items()
                for a in asked(own, encoder, policy, how)
            ]
    return material.asked["train"], material.asked["validation"]


def settle(
    network: PSM, train: Sequence[Asked], validation: Sequence[Asked], say: Say
) -> dict[str, float]:
    """Learn anew, for the points as they are, how sure they are and when nothing fits.

    Args:
        network: Its calibration and its fit head are set in place.
        train: The fit head learns from these.
        validation: Calibration and threshold are those of these.
        say: Told the threshold.

    Returns:
        "answer": from which probability on that anything fits, memories surface.
    """
    _calibrate(network, validation)
    threshold = _learn_fit(network, train, validation)
    say(f"recall answers from {threshold:.2f} on")
    return {"answer": threshold}


def imitate(ranking: Ranking, questions: Sequence[Asked]) -> None:
    """Make *ranking* give the rules' points; what they don't see weighs nothing."""
    weights = [WEIGHTS.get(name, 0.0) for name in LEARNED_NAMES]
    rows = np.concatenate([a.features for a in questions])
    with torch.no_grad():
        ranking.linear.weight.copy_(torch.tensor([weights]))
        ranking.scale.copy_(torch.tensor(rows.std(axis=0) + 0.1))
        nn.init.zeros_(ranking.out.weight)
        nn.init.zeros_(ranking.out.bias)


def learn_lists(
    ranking: Ranking,
    questions: Sequence[Asked],
    seed: int,
    *,
    epochs: int = EPOCHS,
) -> None:
    """Learn from whole lists of candidates which of them is evidence.

    What `UNTAUGHT` names gets the weight that stands there, and the hidden layer
    doesn't see it.

    Args:
        ranking: Trained in place.
        questions: Those without evidence among the candidates are passed over.
        seed: Of the order and of what is dropped.
        epochs: Passes over the questions.

    Source:
        ListNet's top-one cross entropy: Cao et al. (2007).
    """
    torch.manual_seed(seed)
    lists = padded([a for a in questions if a.relevant.any()])
    untaught = [LEARNED_NAMES.index(name) for name in UNTAUGHT]
    lists.features[:, :, untaught] = 0.0
    with torch.no_grad():
        ranking.linear.weight[0, untaught] = torch.tensor([*UNTAUGHT.values()])
    start = ranking.linear.weight.detach().clone()
    hidden = [
        p
        for n, p in ranking.named_parameters()
        if p.requires_grad and n != "linear.weight"
    ]
    optimizer = torch.optim.AdamW(
        [
            {"params": [ranking.linear.weight], "weight_decay": 0.0},
            {"params": hidden, "weight_decay": DECAY},
        ],
        lr=RATE,
    )
    steps = epochs * -(-len(lists.features) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    ranking.train()
    for _ in range(epochs):
        for rows in _batches(len(lists.features)):
            points = ranking(dropped(lists.features[rows]))
            pull = PULL * (ranking.linear.weight - start).square().sum()
            loss = list_loss(points, lists.relevant[rows], lists.there[rows]) + pull
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        ranking.hidden.weight[:, untaught] = 0.0
    ranking.eval()


def learn_together(ranking: Ranking, questions: Sequence[Asked], seed: int) -> None:
    """Learn as `learn_lists` does, `MEMBERS` times from other seeds; keep their mean.

    Args:
        ranking: Trained in place: each member gets its share of the hidden layer, and
            begins at its linear weights.
        questions: Those without evidence among the candidates are passed over.
        seed: Of all chance; the members' seeds follow from it.
    """
    members = [
        _member(ranking, questions, seed * MEMBERS + n).state_dict()
        for n in range(MEMBERS)
    ]

    def mean(name: str) -> Tensor:
        return torch.stack([member[name] for member in members]).mean(0)

    def beside(name: str, dim: int = 0) -> Tensor:
        return torch.cat([member[name] for member in members], dim)

    # Side by side in one layer, with a share of the say each, they add to their mean.
    ranking.load_state_dict(
        {
            "scale": ranking.scale,
            "linear.weight": mean("linear.weight"),
            "hidden.weight": beside("hidden.weight"),
            "hidden.bias": beside("hidden.bias"),
            "out.weight": beside("out.weight", 1) / MEMBERS,
            "out.bias": mean("out.bias"),
        }
    )
    ranking.eval()


def _member(ranking: Ranking, questions: Sequence[Asked], seed: int) -> Ranking:
    torch.manual_seed(seed)
    width = ranking.hidden.out_features // MEMBERS
    member = Ranking(len(LEARNED_NAMES), width)
    with torch.no_grad():
        member.linear.weight.copy_(ranking.linear.weight)
        member.scale.copy_(ranking.scale)
    learn_lists(member, questions, seed)
    return member


def _batches(questions: int) -> Iterable[Tensor]:
    """The numbers of all questions by chance, `BATCH` at a time."""
    order = torch.randperm(questions)
    return (order[n : n + BATCH] for n in range(0, questions, BATCH))


def list_loss(points: Tensor, relevant: Tensor, there: Tensor) -> Tensor:
    """Cross entropy between where the points lie and where the evidence lies."""
    chance = functional.log_softmax(points.masked_fill(~there, -1e9), dim=1)
    return -((relevant * chance).sum(1) / relevant.sum(1)).mean()


def padded(questions: Sequence[Asked]) -> Padded:
    """The questions side by side, pools filled up with nothing."""
    most = max(len(a.relevant) for a in questions)
    shape = (len(questions), most)
    features = torch.zeros(*shape, len(LEARNED_NAMES))
    relevant, there = torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)
    for row, one in enumerate(questions):
        count = len(one.relevant)
        features[row, :count] = torch.from_numpy(one.features)
        relevant[row, :count] = torch.from_numpy(one.relevant.astype(np.float32))
        there[row, :count] = True
    return Padded(features, relevant, there)


def dropped(features: Tensor) -> Tensor:
    """The features of some questions without some columns, and without names."""
    kept = torch.rand(len(features), 1, features.shape[2]) >= FEATURE_DROP
    nameless = torch.rand(len(features)) < NAME_DROP
    for name in NAMED:
        kept[nameless, 0, LEARNED_NAMES.index(name)] = False
    return features * kept


def points_of(ranking: Ranking, features: Table) -> Table:
    """(K,) points for (K, F) features."""
    with torch.inference_mode():
        points: Table = ranking(torch.from_numpy(features)).numpy()
    return points


def ranked(ranking: Ranking, questions: Sequence[Asked]) -> list[Found]:
    """How well each answerable question's evidence is found."""
    return [found(points_of(ranking, a.features), a) for a in questions if a.sources]


def _said(ranking: Ranking, questions: Sequence[Asked]) -> str:
    rows = ranked(copy.deepcopy(ranking).eval(), questions)
    return ", ".join(
        f"{name} {np.mean([*map(of, rows)]):.3f}" for name, of in FIGURES.items()
    )


# ------------------------------------------------------- confidence and abstention


def _calibrate(network: PSM, questions: Sequence[Asked]) -> None:
    points = np.concatenate([points_of(network.recall, a.features) for a in questions])
    relevant = np.concatenate([a.relevant for a in questions])
    network.set_calibration("recall", platt(points, relevant))


def _learn_fit(
    network: PSM, train: Sequence[Asked], validation: Sequence[Asked]
) -> float:
    rows, answerable = _fits(network, train)
    logistic(network.fit, rows, answerable, RIDGE)
    held, answered = _fits(network, validation)
    with torch.inference_mode():
        logits = network.fit(held).squeeze(1)
    network.set_calibration("fit", platt(logits.numpy(), answered.numpy() > 0))
    sure = network.calibrated("fit", logits[answered > 0])
    return float(torch.quantile(sure, EMPTY_MOST))


def _fits(network: PSM, questions: Sequence[Asked]) -> tuple[Tensor, Tensor]:
    """What the abstention head sees of each pool, and whether that holds an answer."""
    rows = [
        fit_of(one.cue, one.candidates, points_of(network.recall, one.features))
        for one in questions
    ]
    answerable = [float(one.relevant.any()) for one in questions]
    return torch.tensor(np.stack(rows)), torch.tensor(answerable)
