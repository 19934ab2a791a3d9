"""PSMMiddleware in create_agent: what is learned, streamed, and of whom."""

from dataclasses import dataclass

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    RemoveMessage,
)
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from psm_core import Memory, People, Turn
from psm_core.errors import UserError
from psm_langchain import PSMMiddleware

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"
LOOK = AIMessage(
    "", tool_calls=[{"name": "population", "args": {"city": "Lyon"}, "id": "c1"}]
)


@dataclass
class Ctx:
    """What the tests' agents are run with."""

    user_id: str | None = None


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return f"{city}: 522,000"


@pytest.fixture
def people():
    with People() as opened:
        yield opened


@pytest.fixture
def ada(people):
    """Ada's memory, with what she told in an earlier conversation."""
    memory = people.memory("ada")
    memory.remember(Turn(LYON, session="earlier"))
    return memory


def thread(name="t1", **configurable):
    return {"configurable": {"thread_id": name, **configurable}}


def run(agent, words, *, user="ada", config=None, **options):
    """What the agent answers to one message."""
    message = words if isinstance(words, HumanMessage) else HumanMessage(words)
    state = agent.invoke(
        {"messages": [message]}, config or thread(), context=Ctx(user), **options
    )
    return state["messages"][-1].text


def agent_of(model, memory, *middleware, **options):
    options = {"checkpointer": InMemorySaver(), "context_schema": Ctx, **options}
    return create_agent(model, middleware=[*middleware, memory], **options)


def said(memory, session="t1"):
    return [(turn.role, turn.text) for turn in memory.working(session)]


def lyon(memory):
    return next(e for e in memory.entries() if e.text == LYON)


# ------------------------------------------------------------------ what is learned


def test_what_an_answer_leaned_on_was_of_use(people, ada, scripted):
    """Used and ignored are known when the turn is over; the next sleep applies them."""
    ada.remember(Turn("I moved my piano to the attic.", session="earlier"))
    agent = agent_of(scripted("To Lyon."), PSMMiddleware(people))

    run(agent, WHERE)
    ada.consolidate()

    assert {e.text: e.used for e in ada.entries() if "I moved" in e.text} == {
        LYON: 1,
        "I moved my piano to the attic.": 0,
    }


def test_a_correction_is_charged_to_what_was_shown(people, ada, scripted):
    """It acts before anything is recalled, on the memory that the answer leaned on."""
    ada.remember(Turn("I moved my piano to the attic.", session="earlier"))
    model = scripted("To Lyon.", "Sorry! Noted.", "To Paris.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, WHERE)
    run(agent, "No, I moved to Paris.")

    assert LYON in model.prompt(0)
    assert LYON not in model.prompt(1)
    assert {e.text: e.corrected for e in ada.entries() if "I moved" in e.text} == {
        LYON: 1,
        "I moved my piano to the attic.": 0,
        "No, I moved to Paris.": 0,
    }

    run(agent, WHERE)
    assert LYON not in model.prompt(2)


def test_an_answer_that_never_came_is_no_mans_fault(people, ada, scripted):
    """A correction after a turn that failed is charged to nothing."""
    model = scripted("I like Lyon.", RuntimeError("overloaded"), "Ok.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, "What do you like?")
    with pytest.raises(RuntimeError):
        run(agent, WHERE)
    run(agent, "No, I moved to Paris.")

    assert [e.corrected for e in ada.entries() if e.corrected] == []


def test_a_thread_that_was_cut_is_learned_from_no_more(people, ada, scripted):
    """With the last exchange taken out, a correction is of an answer long judged."""
    model = scripted("I like Lyon.", "To Lyon.", "Ok.")
    agent = agent_of(model, PSMMiddleware(people))
    run(agent, "What do you like?")
    run(agent, WHERE)
    cut = agent.get_state(thread()).values["messages"][2:]
    agent.update_state(thread(), {"messages": [RemoveMessage(id=m.id) for m in cut]})

    run(agent, "No, I moved to Paris.")

    assert [m.text for m in model.asked[-1][1:]] == [
        "What do you like?",
        "I like Lyon.",
        "No, I moved to Paris.",
    ]
    assert lyon(ada).corrected == 0


def test_words_of_the_question_prove_no_use(people, ada, scripted):
    """An answer that only says the question again leaned on nothing."""
    agent = agent_of(scripted("You moved to Lyon."), PSMMiddleware(people))

    run(agent, "Did I move to Lyon?")
    ada.consolidate()

    assert (lyon(ada).recalled, lyon(ada).used) == (1, 0)


def test_a_fork_of_the_thread_goes_on_without_what_was_left(people, scripted):
    """Back to before a turn: here it wasn't said, elsewhere it is remembered."""
    model = scripted("Hi.", "Nice!", "I don't know.", "A kayak.")
    agent = agent_of(model, PSMMiddleware(people))
    run(agent, "My name is Ada.")
    run(agent, "I own a kayak.")
    history = agent.get_state_history(thread())
    before = next(s for s in history if len(s.values["messages"]) == 2 and not s.next)

    run(agent, "Which boat do I own, a kayak?", config=before.config)
    run(agent, "Which boat do I own, a kayak?", config=thread("t2"))

    assert "I own a kayak." not in model.prompt(2)
    assert "I own a kayak." in model.prompt(3)


# -------------------------------------------------------------------- async, streams


@pytest.fixture
def streaming():
    """A chat model that gives its answer word by word."""

    class Streaming(BaseChatModel):
        answer: str
        asked: list

        @property
        def _llm_type(self):
            return "streaming"

        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            return generate_from_stream(self._stream(messages))

        def _stream(self, messages, stop=None, run_manager=None, **kwargs):
            self.asked.append(messages)
            for n, word in enumerate(self.answer.split()):
                chunk = AIMessageChunk(f" {word}" if n else word)
                yield ChatGenerationChunk(message=chunk)

        def bind_tools(self, tools, **kwargs):
            return self

    return lambda answer: Streaming(answer=answer, asked=[])


def test_a_stream_shows_and_keeps_as_an_invoke_does(people, ada, streaming):
    """Word by word to the reader, one turn to the memory."""
    model = streaming("To Lyon last week")
    agent = agent_of(model, PSMMiddleware(people))

    tokens = [
        token.text
        for token, _ in agent.stream(
            {"messages": [HumanMessage(WHERE)]},
            thread(),
            context=Ctx("ada"),
            stream_mode="messages",
        )
        if token.type == "AIMessageChunk" and token.text
    ]

    assert tokens == ["To", " Lyon", " last", " week"]
    assert LYON in model.asked[0][0].text
    assert said(ada) == [("user", WHERE), ("assistant", "To Lyon last week")]


def test_an_abandoned_stream_loses_nothing_that_was_said(people, streaming):
    """Whoever closes the window after one word has told what they told."""
    agent = agent_of(streaming("Welcome to Lyon"), PSMMiddleware(people))
    stream = agent.stream(
        {"messages": [HumanMessage(LYON)]},
        thread(),
        context=Ctx("ada"),
        stream_mode="messages",
    )

    next(token for token, _ in stream if token.text)
    stream.close()

    assert said(people.memory("ada")) == [("user", LYON)]
    run(agent, "Still there?")
    assert said(people.memory("ada"))[-2:] == [
        ("user", "Still there?"),
        ("assistant", "Welcome to Lyon"),
    ]


async def test_async_leads_to_the_same_place(people, ada, scripted, streaming):
    """ainvoke and astream, with a running loop, show and keep the same."""
    model = scripted("To Lyon.")
    agent = agent_of(model, PSMMiddleware(people))
    await agent.ainvoke(
        {"messages": [HumanMessage(WHERE)]}, thread(), context=Ctx("ada")
    )
    assert LYON in model.prompt()
    assert said(ada) == [("user", WHERE), ("assistant", "To Lyon.")]

    flowing = streaming("Since last week")
    agent = agent_of(flowing, PSMMiddleware(people))
    async for _ in agent.astream(
        {"messages": [HumanMessage("Since when?")]}, thread(), context=Ctx("ada")
    ):
        pass
    assert said(ada)[-2:] == [("user", "Since when?"), ("assistant", "Since last week")]


# ---------------------------------------------------------------- whose memory it is


def test_the_user_is_the_contexts_then_the_configs_then_the_constructors(
    people, scripted
):
    """The nearer to the run, the more it counts."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people, user="house"))

    run(agent, "I am Ada.", user="ada", config=thread("a", user_id="bob"))
    run(agent, "I am Bob.", user=None, config=thread("b", user_id="bob"))
    run(agent, "I am nobody.", user=None, config=thread("c"))
    agent.invoke({"messages": [HumanMessage("Nor am I.")]}, thread("d"))

    told = {
        u: [e.text for e in people.memory(u).entries() if e.role == "user"]
        for u in ("ada", "bob", "house")
    }
    assert told == {
        "ada": ["I am Ada."],
        "bob": ["I am Bob."],
        "house": ["I am nobody.", "Nor am I."],
    }


def test_a_context_may_be_a_plain_mapping(people, scripted):
    """A number is a user id too."""
    agent = create_agent(
        scripted("Ok."), middleware=[PSMMiddleware(people)], context_schema=dict
    )

    agent.invoke({"messages": [HumanMessage("I like chess.")]}, context={"user_id": 42})

    assert [e.text for e in people.memory("42").entries()] == ["I like chess.", "Ok."]


def test_a_run_that_names_nobody_is_refused(people, scripted):
    """No default is shared in silence: the error names the three ways."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people))

    with pytest.raises(UserError, match=r'context=.*"configurable".*user="ada"'):
        run(agent, WHERE, user=None)
    assert model.asked == []


def test_an_empty_name_is_nobodys(people, scripted):
    """It is refused, and doesn't fall back to whom the agent serves by default."""
    agent = agent_of(scripted("Ok."), PSMMiddleware(people, user="house"))

    with pytest.raises(UserError):
        run(agent, WHERE, user="")


def test_one_persons_memory_serves_nobody_else(scripted):
    """Given a Memory, it needs no user id, and refuses another's run."""
    with Memory("ada") as memory:
        agent = agent_of(scripted("Ok."), PSMMiddleware(memory))
        run(agent, LYON, user=None)

        with pytest.raises(UserError, match="bob's.*memory of ada"):
            run(agent, WHERE, user="bob")

        assert said(memory) == [("user", LYON), ("assistant", "Ok.")]


def test_an_open_memory_cant_be_told_how_to_be_opened(people):
    """home= and count_tokens= belong to whoever opens."""
    with pytest.raises(ValueError, match="People instead"):
        PSMMiddleware(people, home="elsewhere")


def test_a_thread_that_changes_hands_shows_nothing_of_the_first(people, ada, scripted):
    """What was shown to Ada in this thread is neither shown nor charged to Bob."""
    model = scripted("To Lyon.", "Ok.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, WHERE, user="ada")
    run(agent, "No, I moved to Paris.", user="bob")

    assert "<memories" not in model.prompt(1)
    assert lyon(ada).corrected == 0
    assert said(people.memory("bob")) == [
        ("user", "No, I moved to Paris."),
        ("assistant", "Ok."),
    ]
