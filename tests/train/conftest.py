"""Lives cut short and a tiny model, so that a whole training takes seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from psm_core.train.corpus import Life, lives


def _shortened(life: Life, sessions: int, questions: int) -> Life:
    first = list(dict.fromkeys(turn.session for turn in life.turns))[:sessions]
    said = tuple(s for s in life.said if s.turn.session in first)
    told = {s.turn.id for s in said}
    asked = [q for q in life.questions if q.evidence and told.issuperset(q.evidence)]
    silent = [q for q in life.questions if not q.evidence]
    return replace(
        life,
        said=said,
        questions=(*asked[:questions], *silent[: -(-questions // 4)]),
        pairs=tuple(p for p in life.pairs if not p.ids or told.issuperset(p.ids)),
        corrections=tuple(
            c for c in life.corrections if told.issuperset((c.turn, c.of))
        ),
    )


@pytest.fixture(scope="session")
def shortened():
    """A life's first sessions, what is asked of them, and what nothing answers.

    `shortened(life, sessions=3, questions=8)`: a fourth as many questions again have
    no answer.
    """

    def short(life, *, sessions=3, questions=8):
        return _shortened(life, sessions, questions)

    return short


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A folder with a causal LM: two layers, 32 wide, random, and its tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["</s>", "?"])
    tokenizer.train_from_iterator([t.text for t in lives("train")[0].turns], trainer)
    # Like most causal LMs it has no token for padding.
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", unk_token="?"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
