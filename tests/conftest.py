"""What every test stands on: no network, no hub, no plugins but our own."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["PSM_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from psm_core import Memory, Turn

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at=T0):
        self.at = at

    def now(self):
        return self.at

    def move(self, **by):
        self.at += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def open_memory(home, clock):
    """Opens people's memories in one home, with words for vectors; closes them all."""
    opened = []

    def open_one(user="ada", **settings):
        settings = {"home": home, "encoder": "hash", "clock": clock} | settings
        memory = Memory(user, **settings)
        opened.append(memory)
        return memory

    yield open_one
    for memory in opened:
        memory.close()


@pytest.fixture
def memory(open_memory):
    return open_memory()


@pytest.fixture
def say(clock):
    """Makes turns, one a minute, with ids t1, t2, …"""
    numbers = itertools.count(1)

    def make(text, speaker="Ada", *, session="s1", role="user", **fields):
        n = next(numbers)
        fields = {"id": f"t{n}", "at": T0 + timedelta(minutes=n)} | fields
        return Turn(text, speaker, role, session=session, **fields)

    return make


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A folder with a causal LM: two layers, 32 wide, random, and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from psm_core.train.corpus import lives

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
