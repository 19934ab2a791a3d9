"""PSMMemoryBlock: a person's memory as a block of LlamaIndex's own Memory."""

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import InsertMethod, Memory, StaticMemoryBlock

from psm_core import People, Turn, hookimpl
from psm_llamaindex import PSMMemoryBlock

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"
TURNS = [("user", WHERE), ("assistant", "To Lyon.")]


def user(content):
    return ChatMessage(role="user", content=content)


def model(content):
    return ChatMessage(role="assistant", content=content)


@pytest.fixture
def block():
    """A block of Ada's, who told of Lyon in an earlier conversation."""
    with PSMMemoryBlock(user="ada") as made:
        made.psm.remember(Turn(LYON, session="earlier"))
        yield made


def of(block, **fields):
    return Memory.from_defaults("s1", memory_blocks=[block], **fields)


def heard(block):
    """The turns of this conversation, as they are stored."""
    return [(t.role, t.text) for t in block.psm.working("s1", 1000)]


def entry_of(block, text):
    return next(e for e in block.psm.entries() if e.text == text)


# ------------------------------------------------------------------- what comes back


def test_the_memories_are_a_block_of_the_prompt(block):
    """Under the block's name, and fenced, in the system message of LlamaIndex."""
    memory = of(block)
    memory.put(user(WHERE))

    first, last = memory.get()

    assert first.content.startswith("<memory>\n<psm_memory>\n<memories of=")
    assert LYON in first.content
    assert last.content == WHERE


def test_looking_five_times_changes_nothing(block):
    """It says the same, logs one showing, and hears the question once."""
    memory = of(block)
    memory.put(user(WHERE))

    looks = [memory.get(), *(memory.get(input=WHERE) for _ in range(4))]

    assert [look[0] for look in looks] == [looks[0][0]] * 5
    assert entry_of(block, LYON).recalled == 1
    assert heard(block) == [("user", WHERE)]


def test_without_messages_there_is_nothing_to_say(block):
    """An empty conversation brings no block."""
    assert of(block).get() == []


def test_a_prompt_that_is_too_long_keeps_the_strongest(block):
    """The block is shortened, best memories last, and the answer learned from those."""
    block.tokenizer_fn = str.split
    block.psm.remember(Turn("My cat moved in with me.", session="earlier"))
    memory = of(block, token_limit=38, tokenizer_fn=str.split)
    memory.put(user("Where did I move to last week?"))

    told = memory.get()[0].content

    assert LYON in told
    assert "cat" not in told
    assert told.count("<memories") == told.count("</memories>") == 1
    memory.put(model("To Lyon."))
    memory.get()
    block.psm.consolidate()
    history = block.psm.history(entry_of(block, "My cat moved in with me.").id)
    assert [change.what for change in history] == ["remembered"]


@pytest.mark.parametrize("limit", range(8, 80, 8))
def test_the_block_never_exceeds_what_is_left(block, limit):
    """Whatever the limit, blocks and messages are within it, as LlamaIndex counts."""
    block.tokenizer_fn = str.split
    for n in range(9):
        block.psm.remember(Turn(f"I moved to town {n}.", session="earlier"))
    memory = of(block, token_limit=limit, tokenizer_fn=str.split)
    memory.put(user(WHERE))

    contents = [m.content for m in memory.get()]

    bare = " ".join(contents).replace("<memory>", "").replace("</memory>", "")
    bare = bare.replace("<psm_memory>", "").replace("</psm_memory>", "")
    assert len(bare.split()) <= max(limit, len(WHERE.split()))


async def test_what_it_did_not_say_it_drops(block):
    """Asked to shorten what is none of its own, it says nothing."""
    assert await block.atruncate("a text of somebody else's", 1) is None
    assert await block.atruncate([], 5) is None


def test_budget_and_limit_reach_the_recall(block):
    """A budget that no memory fits into leaves the prompt to the conversation."""
    block.budget = 1
    memory = of(block)
    memory.put(user(WHERE))

    assert [m.content for m in memory.get()] == [WHERE]


# ----------------------------------------------------------------------- what goes in


def test_turns_are_heard_at_the_next_look(block):
    """Not only when they leave the recent messages, and each of them once."""
    memory = of(block)
    for said in (user(WHERE), model("To Lyon."), user("Thanks!")):
        memory.put(said)
        memory.get()
        memory.get()

    assert heard(block) == [*TURNS, ("user", "Thanks!")]
    block.psm.consolidate()
    assert entry_of(block, LYON).used == 1


def test_what_overflows_was_heard_or_is_now(block):
    """Messages that are flushed are heard once, looked at before or not."""
    memory = of(block, token_limit=60, token_flush_size=10, tokenizer_fn=str.split)
    said = [(f"Tell me of number {n}.", f"It is {n}.") for n in range(40)]
    for n, (question, answer) in enumerate(said):
        memory.put(user(question))
        if n % 3:
            memory.get()
        memory.put(model(answer))
    memory.get()

    assert len(memory.get_all()) == 80
    assert heard(block) == [
        turn for q, a in said for turn in (("user", q), ("assistant", a))
    ]


def test_the_same_words_are_heard_after_others_overflowed(block):
    """What left the recent messages isn't taken for what is said now."""
    memory = of(block, token_limit=60, token_flush_size=10, tokenizer_fn=str.split)
    for n in range(30):
        memory.put(user("And tell me the next one, please."))
        memory.get()
        memory.put(model(f"The next one is {n}."))
    memory.get()

    assert len(memory.get()) < 30
    assert [text for role, text in heard(block) if role == "user"] == [
        "And tell me the next one, please."
    ] * 30


def test_the_same_words_in_several_turns_are_several_turns(block):
    """ "yes" three times is three turns, also after a look in between."""
    memory = of(block)
    for n in range(3):
        memory.put(user("yes"))
        memory.get(input="yes")
        memory.put(model(f"Good {n}."))
    memory.get()

    assert [text for role, text in heard(block) if role == "user"] == ["yes"] * 3


def test_another_process_hears_no_turn_again(block, tmp_path):
    """A chat that goes on from LlamaIndex's database isn't heard a second time."""
    where = f"sqlite+aiosqlite:///{tmp_path / 'chats.db'}"
    memory = of(block, async_database_uri=where)
    memory.put(user(WHERE))
    memory.get()
    memory.put(model("To  Lyon."))
    memory.get()

    with PSMMemoryBlock(user="ada") as again:
        memory = of(again, async_database_uri=where)
        memory.put(user("No, that's wrong."))
        memory.get()

        assert [text for _, text in heard(again)] == [
            WHERE,
            "To  Lyon.",
            "No, that's wrong.",
        ]
        assert entry_of(again, LYON).corrected == 1


class NoPhone:
    """A plugin that takes a telephone number out of all that is stored."""

    @hookimpl
    def psm_redact(self, text):
        return text.replace("555-1234", "[phone]")


def test_a_block_for_each_request_hears_redacted_turns_once(tmp_path):
    """What is stored in other words than were said isn't heard again, request by request."""
    where = f"sqlite+aiosqlite:///{tmp_path / 'chats.db'}"
    said = ["Call me: 555-1234.", "I like tea.", "Call me: 555-1234."]
    for words in said:
        with (
            People(plugins=[NoPhone()]) as people,
            PSMMemoryBlock(user="ada", people=people) as block,
        ):
            memory = of(block, async_database_uri=where)
            memory.put(user(words))
            memory.get()
            memory.put(model("Noted."))
            memory.get()
            turns = heard(block)

    answer = ("assistant", "Noted.")
    call, tea = ("user", "Call me: [phone]."), ("user", "I like tea.")
    assert turns == [call, answer, tea, answer, call, answer]


def test_a_model_that_repeats_its_prompt_feeds_nothing_back(block, llama_model):
    """Fifty turns of an echo: neither the fence nor LlamaIndex's tags are stored."""
    block.limit = 3
    echo = llama_model(lambda prompt: prompt.partition("</memory>")[0] + "</memory>")
    memory = of(block)
    engine = SimpleChatEngine.from_defaults(llm=echo, memory=memory)

    for n in range(50):
        engine.chat(f"{n}: did I move to Lyon?")
    memory.get()

    stored = [e.text for e in block.psm.entries()]
    assert [text for text in stored if LYON in text] == [LYON]
    assert not [text for text in stored if "<memor" in text or "psm_memory" in text]
    assert len(stored) == 1 + 50


# ------------------------------------------------------------------------------ agents


def population(city: str) -> str:
    """How many people live in a city."""
    return f"{city}: 522,000"


CALL = {"tool_name": "population", "tool_kwargs": {"city": "Lyon"}}
ACT = 'Thought: look\nAction: population\nAction Input: {"city": "Lyon"}'


def function_agent(llama_model):
    model = llama_model(CALL, "To Lyon.")
    return model, FunctionAgent(tools=[population], llm=model)


def react_agent(llama_model):
    model = llama_model(ACT, "Thought: done\nAnswer: To Lyon.")
    return model, ReActAgent(tools=[population], llm=model)


def workflow(llama_model):
    model, agent = function_agent(llama_model)
    return model, AgentWorkflow(agents=[agent], root_agent=agent.name)


@pytest.mark.parametrize("make", [function_agent, react_agent, workflow])
async def test_agents_hear_and_learn_by_the_end_of_a_run(block, llama_model, make):
    """An agent looks at its memory after it answered, so the block hears all.

    A ReActAgent drops the first system message, so it needs insert_method=USER.
    """
    model, agent = make(llama_model)

    await agent.run(WHERE, memory=of(block, insert_method=InsertMethod.USER))

    assert LYON in model.prompt(0)
    assert heard(block) == TURNS
    assert entry_of(block, LYON).recalled == 1
    block.psm.consolidate()
    assert entry_of(block, LYON).used == 1


# -------------------------------------------------------------------------- the person


def test_beside_other_blocks(block):
    """Each block has its own part of the prompt."""
    rules = StaticMemoryBlock(name="rules", static_content="Be kind.")
    memory = Memory.from_defaults("s1", memory_blocks=[rules, block])
    memory.put(user(WHERE))

    told = memory.get()[0].content
    assert "<rules>\nBe kind.\n</rules>" in told
    assert LYON in told


def test_one_block_for_two_sessions_of_a_person(block):
    """What is said in one session is a memory in the other."""
    one, two = of(block), Memory.from_defaults("s2", memory_blocks=[block])
    one.put(user("I own a kayak."))
    one.get()

    two.put(user("Do I own a kayak?"))

    assert "ada: I own a kayak." in two.get()[0].content
    assert heard(block) == [("user", "I own a kayak.")]


def test_ada_never_sees_what_bob_said(block):
    """Blocks of two people share nothing but an encoder."""
    with People() as people:
        bob = PSMMemoryBlock(user="bob", people=people)
        memory = of(bob)
        memory.put(user(WHERE))
        assert "Lyon" not in "".join(m.content for m in memory.get())

        with pytest.raises(ValueError, match=r"PSMMemoryBlock\(user=.*psm="):
            PSMMemoryBlock(people=people)


def test_forgetting_the_person(block):
    """forget_user() deletes all, proves it, and the block serves on from nothing."""
    proof = block.forget_user()

    assert (proof.user, proof.memories, proof.left) == ("ada", 1, ())
    memory = of(block)
    memory.put(user(WHERE))
    assert [m.content for m in memory.get()] == [WHERE]
    assert heard(block) == [("user", WHERE)]
