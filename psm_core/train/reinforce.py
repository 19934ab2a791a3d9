"""Stage 3: from what became of the memories that were shown, and from nothing else."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from psm_core.model.logged import Logged
from psm_core.model.network import PSM
from psm_core.model.ranking import LEAST, Ranking
from psm_core.protocols import Policy
from psm_core.train.logs import outdated, simulated
from psm_core.train.material import Material, Say
from psm_core.train.pools import Asked
from psm_core.train.ranking import dropped, points_of, questions, ranked, settle

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIP = 10.0
"""Most that a propensity ratio may count; the rare and lucky would drown the rest."""

RATE = 0.005
"""Step of Adam at the beginning; it falls to nothing."""

BATCH = 32
"""Recalls in one step."""

STEPS = (150, 1500)
"""Fewest and most steps; between them their number grows with that of the recalls."""

STEPS_EACH = 0.6
"""Steps for each recall: few recalls are soon known by heart."""

PULL = 0.1
"""How strongly the linear weights are held where they were, no unit."""

NEVER = -1e9
"""Points of what isn't there."""


EPISODES = 10_000
"""Recalls that are simulated where the curriculum has no journals to learn from."""


class Lists(NamedTuple):
    """Recalls side by side: features (N, S, F); propensities, rewards, there (N, S)."""

    features: Tensor
    propensities: Tensor
    rewards: Tensor
    there: Tensor


def train_utility(
    network: PSM, material: Material, policy: Policy, say: Say
) -> dict[str, float]:
    """Go on from evidence to utility: simulated people react to what is shown.

    The new weights stay only if validation people find their evidence no later than
    by the old ones, as the mean of R@5, R@10 and nDCG@10 has it.

    Args:
        network: Trained in place: its recall and fit heads, and their calibration.
        material: Lives, encoder and seed.
        policy: Gates what the stores hear.
        say: Told both figures, and which weights stay.

    Returns:
        "answer", as `train_ranking` does; nothing where the old weights stay.
    """
    train, validation = questions(material, policy)
    logged = simulated(
        train,
        functools.partial(points_of, network.recall),
        EPISODES,
        material.seed,
        misleading=outdated(material.train),
    )
    fresh = copy.deepcopy(network.recall)
    learn_utility(fresh, logged, material.seed)
    before, after = (_worth(r, validation) for r in (network.recall, fresh))
    compared = (
        f"utility, learned from {len(logged):,} recalls: {after:.3f}, was {before:.3f}"
    )
    if after < before:
        say(f"{compared}; the weights learned from evidence stay")
        return {}
    say(f"{compared}; the new weights stay")
    network.recall.load_state_dict(fresh.state_dict())
    return settle(network, train, validation, say)


def _worth(ranking: Ranking, questions: Sequence[Asked]) -> float:
    """Mean of R@5, R@10 and nDCG@10 over the questions that have an answer."""
    return float(np.mean(ranked(ranking, questions)))


def learn_utility(ranking: Ranking, logged: Sequence[Logged], seed: int) -> None:
    """Learn from logged recalls alone to put first what is of use.

    A policy gradient: each memory that was shown is raised or lowered by how much more
    it earned than the mean, times how much likelier the ranking puts it first by now
    than the policy that showed it did.  What wasn't shown isn't known, so both chances
    are those among the shown.

    Args:
        ranking: Trained in place, from where it stands.
        logged: Recalls; those whose memories all earned the same teach no order and
            are passed over.
        seed: Of the order and of what is dropped.

    Source:
        REINFORCE with a baseline: Williams (1992); clipped importance weights: Ionides
        (2008); from logs of rankings: Swaminathan and Joachims (2015).
    """
    taught = [one for one in logged if one.teaches]
    if not taught:
        return
    torch.manual_seed(seed)
    lists = side_by_side(taught)
    usual = lists.rewards[lists.there].mean()
    start = ranking.linear.weight.detach().clone()
    learned = [weight for weight in ranking.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=RATE)
    steps = steps_for(len(taught))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    ranking.train()
    for rows in _batches(len(taught), steps):
        batch = Lists(*(column[rows] for column in lists))
        points = ranking(dropped(batch.features))
        pull = PULL * (ranking.linear.weight - start).square().sum()
        loss = utility_loss(points, batch, usual) + pull
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    ranking.eval()


def utility_loss(points: Tensor, lists: Lists, usual: Tensor) -> Tensor:
    """What the policy gradient descends on.

    Args:
        points: (N, S) of the ranking that learns.
        lists: What was shown, by whatever policy.
        usual: The mean reward; what earns just that is neither raised nor lowered.
    """
    there = lists.there
    now = functional.log_softmax(points.masked_fill(~there, NEVER), dim=1)  # (N, S)
    then = lists.propensities / lists.propensities.sum(1, keepdim=True)
    ratio = (now.detach().exp() / then.clamp_min(LEAST)).clamp(max=CLIP)
    earned = (lists.rewards - usual) * there
    return -(ratio * earned * now).sum(1).div(there.sum(1)).mean()


def side_by_side(logged: Sequence[Logged]) -> Lists:
    """The recalls side by side, filled up with nothing."""

    def column(of: Callable[[Logged], NDArray[np.float32]]) -> Tensor:
        rows = [torch.from_numpy(of(one)) for one in logged]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    sizes = torch.tensor([len(one.rewards) for one in logged])
    return Lists(
        features=column(lambda one: one.features),
        propensities=column(lambda one: one.propensities),
        rewards=column(lambda one: one.rewards),
        there=torch.arange(int(sizes.max())) < sizes[:, None],
    )


def steps_for(recalls: int) -> int:
    """How many steps so many recalls are learned in.

    >>> steps_for(100), steps_for(1_000), steps_for(10_000)
    (150, 600, 1500)
    """
    return int(min(max(recalls * STEPS_EACH, STEPS[0]), STEPS[1]))


def _batches(recalls: int, steps: int) -> Iterator[Tensor]:
    """The numbers of recalls by chance, each once before any comes again."""
    for step in range(steps):
        turn = step % -(-recalls // BATCH)
        if turn == 0:
            order = torch.randperm(recalls)
        yield order[turn * BATCH : (turn + 1) * BATCH]
