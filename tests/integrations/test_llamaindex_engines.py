"""PSMMemory where LlamaIndex users put it: in chat engines, agents and workflows."""

import asyncio
import warnings

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.agent.workflow import (
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
)
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    CondenseQuestionChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.workflow import Context
from pydantic import BaseModel

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"
TURNS = [("user", WHERE), ("assistant", "To Lyon.")]


class Pages(BaseRetriever):
    """Finds the same page whatever is asked."""

    def _retrieve(self, query_bundle):
        return [NodeWithScore(node=TextNode(text="Lyon lies on the Rhône."), score=1)]


class Answering(CustomQueryEngine):
    """A query engine that knows one answer."""

    def custom_query(self, query_str):
        return "To Lyon."


def simple(model, memory):
    return SimpleChatEngine.from_defaults(llm=model, memory=memory)


def context(model, memory):
    return ContextChatEngine.from_defaults(Pages(), llm=model, memory=memory)


def condense_plus(model, memory):
    return CondensePlusContextChatEngine.from_defaults(
        Pages(), llm=model, memory=memory
    )


def heard(memory):
    """The turns of this conversation, as they are stored."""
    return [(t.role, t.text) for t in memory.psm.working(memory.session_id)]


def entry_of(memory, text):
    return next(e for e in memory.psm.entries() if e.text == text)


# ------------------------------------------------------------------------ chat engines


async def chat(engine, words):
    return str(await asyncio.to_thread(engine.chat, words))


async def chat_in_the_loop(engine, words):
    return str(engine.chat(words))


async def achat(engine, words):
    return str(await engine.achat(words))


async def stream(engine, words):
    def read():
        return "".join(engine.stream_chat(words).response_gen)

    return (await asyncio.to_thread(read)).strip()


async def astream(engine, words):
    response = await engine.astream_chat(words)
    return "".join([token async for token in response.async_response_gen()]).strip()


@pytest.mark.parametrize("make", [simple, context, condense_plus])
@pytest.mark.parametrize("say", [chat, chat_in_the_loop, achat, stream, astream])
async def test_each_engine_through_each_door(llama_ada, llama_model, make, say):
    """The memory is in the prompt; the turn is heard once, and learned from."""
    memory, model = llama_ada(), llama_model("To Lyon.")
    engine = make(model, memory)

    assert await say(engine, WHERE) == "To Lyon."

    assert LYON in model.prompt()
    assert heard(memory) == TURNS
    assert entry_of(memory, LYON).recalled == 1
    memory.psm.consolidate()
    assert entry_of(memory, LYON).used == 1


@pytest.mark.parametrize("make", [simple, context, condense_plus])
def test_the_second_turn_follows_the_first(llama_ada, llama_model, make):
    """The chat goes on with LlamaIndex's messages, and with what is recalled anew."""
    memory, model = llama_ada(), llama_model("To Lyon.")
    engine = make(model, memory)
    engine.chat(WHERE)
    model.replies[:] = ["You're welcome."]

    engine.chat("Thanks!")

    assert WHERE in model.prompt()
    assert [text for _, text in heard(memory)] == [
        WHERE,
        "To Lyon.",
        "Thanks!",
        "You're welcome.",
    ]


@pytest.mark.parametrize("say", [chat, achat])
async def test_condense_question_engine(llama_ada, llama_model, say):
    """The condensing model sees the memories; what it made up is said by nobody."""
    memory, model = llama_ada(), llama_model("Where does Ada live?")
    engine = CondenseQuestionChatEngine.from_defaults(
        Answering(), llm=model, memory=memory
    )

    await say(engine, WHERE)

    assert LYON in model.prompt()
    assert heard(memory) == TURNS


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stream_that_is_left_keeps_what_the_person_said(llama_memory, llama_model):
    """The model breaks off in the middle: the person's half is there, once."""
    memory = llama_memory()
    engine = simple(llama_model(RuntimeError("overloaded"), "Noted."), memory)

    with pytest.raises(RuntimeError, match="overloaded"):
        list(engine.stream_chat(LYON).response_gen)
    assert heard(memory) == [("user", LYON)]

    engine.chat(LYON)
    assert heard(memory) == [("user", LYON), ("assistant", "Noted.")]


def test_a_correction_in_a_chat(llama_ada, llama_model):
    """What is taken back isn't shown again, and its memory is weakened."""
    memory, model = llama_ada(), llama_model("To Lyon.", "Sorry! Noted.", "To Paris.")
    engine = simple(model, memory)
    engine.chat(WHERE)
    engine.chat("No, I moved to Paris.")

    engine.reset()
    engine.chat("So where did I move to?")

    assert entry_of(memory, LYON).corrected == 1
    assert "I moved to Paris." in model.prompt()


def test_an_engine_that_is_reset_keeps_the_person(llama_ada, llama_model):
    """engine.reset() is "new chat": messages go, memories stay."""
    memory, model = llama_ada(), llama_model("Noted.")
    engine = simple(model, memory)
    engine.chat("I own a kayak.")

    engine.reset()
    engine.chat("Do I own a kayak?")

    assert engine.chat_history[0].content == "Do I own a kayak?"
    assert "ada: I own a kayak." in model.prompt()


# ------------------------------------------------------------------------------ agents


def population(city: str) -> str:
    """How many people live in a city."""
    return f"{city}: 522,000"


CALL = {"tool_name": "population", "tool_kwargs": {"city": "Lyon"}}
ACT = 'Thought: look\nAction: population\nAction Input: {"city": "Lyon"}'


@pytest.mark.parametrize("streaming", [True, False])
async def test_function_agent(llama_ada, llama_model, streaming):
    """The tool loop asks memory again and again; it recalls and hears once."""
    memory, model = llama_ada(), llama_model(CALL, "522,000 live in Lyon.")
    agent = FunctionAgent(
        tools=[population], llm=model, system_prompt="Be kind.", streaming=streaming
    )

    result = await agent.run("How many live where I moved to?", memory=memory)

    assert str(result) == "522,000 live in Lyon."
    assert LYON in model.prompt(0)
    assert LYON in model.prompt(1)
    assert heard(memory) == [
        ("user", "How many live where I moved to?"),
        ("assistant", "522,000 live in Lyon."),
    ]
    assert entry_of(memory, LYON).recalled == 1
    assert [m.role.value for m in memory.get_all()] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]


async def test_react_agent(llama_ada, llama_model):
    """Its thoughts, and what its tools said, are heard from nobody."""
    memory = llama_ada()
    model = llama_model(ACT, "Thought: done\nAnswer: 522,000 live in Lyon.")
    agent = ReActAgent(tools=[population], llm=model)

    result = await agent.run(WHERE, memory=memory)

    assert str(result).strip() == "522,000 live in Lyon."
    assert LYON in model.prompt(0)
    assert heard(memory) == [("user", WHERE), ("assistant", "522,000 live in Lyon.")]
    assert entry_of(memory, LYON).recalled == 1


async def test_code_act_agent(llama_ada, llama_model):
    """The program it wrote, and what that printed, are heard from nobody."""
    memory = llama_ada()
    model = llama_model("<execute>print(2 + 2)</execute>", "It is 4.")
    agent = CodeActAgent(code_execute_fn=lambda code: "4", llm=model)

    await agent.run(WHERE, memory=memory)

    assert LYON in model.prompt(0)
    assert "Result of executing" in memory.get_all()[2].content
    assert heard(memory) == [("user", WHERE), ("assistant", "It is 4.")]


async def test_agents_that_hand_over(llama_ada, llama_model):
    """In an AgentWorkflow one agent hands over to another: it is one exchange."""
    handing = {
        "tool_name": "handoff",
        "tool_kwargs": {"to_agent": "counter", "reason": "numbers"},
    }
    memory, model = llama_ada(), llama_model(handing, CALL, "522,000 live in Lyon.")
    front = FunctionAgent(
        name="front", description="Talks.", llm=model, can_handoff_to=["counter"]
    )
    counter = FunctionAgent(
        name="counter", description="Counts.", llm=model, tools=[population]
    )
    workflow = AgentWorkflow(agents=[front, counter], root_agent="front")

    await workflow.run(WHERE, memory=memory)

    assert LYON in model.prompt(0)
    assert LYON in model.prompt(1)
    assert heard(memory) == [("user", WHERE), ("assistant", "522,000 live in Lyon.")]
    assert entry_of(memory, LYON).recalled == 1


async def test_a_history_instead_of_a_message(llama_ada, llama_model):
    """agent.run(chat_history=[...]): its last words are recalled for, and heard."""
    from llama_index.core.llms import ChatMessage

    memory, model = llama_ada(), llama_model("To Lyon.")
    history = [
        ChatMessage(role="user", content="hello!"),
        ChatMessage(role="assistant", content="Hi."),
        ChatMessage(role="user", content=WHERE),
    ]

    await FunctionAgent(llm=model).run(chat_history=history, memory=memory)

    assert LYON in model.prompt()
    assert heard(memory) == TURNS


async def test_structured_output_sees_the_memories(llama_ada, llama_model):
    """output_cls= is filled after the answer, from what the answer was made of."""

    class Home(BaseModel):
        city: str

    told = []

    def fill(messages):
        told.extend(messages)
        return Home(city="Lyon").model_dump()

    memory = llama_ada()
    agent = FunctionAgent(llm=llama_model("Done."), structured_output_fn=fill)

    await agent.run(WHERE, memory=memory)

    assert [LYON in m.content for m in told] == [True, False]
    assert told[-1].content == "Done."


async def test_a_context_does_not_carry_memory(llama_ada, llama_model):
    """ctx.to_dict() leaves every LlamaIndex memory out: give it again."""
    memory, model = llama_ada(), llama_model("To Lyon.", "You're welcome.")
    agent = FunctionAgent(llm=model)
    ctx = Context(agent)
    await agent.run(WHERE, ctx=ctx, memory=memory)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = ctx.to_dict()
    assert "Lyon" not in str(saved.get("state"))
    await agent.run("Thanks!", ctx=Context.from_dict(agent, saved), memory=memory)

    assert [text for _, text in heard(memory)][-2:] == ["Thanks!", "You're welcome."]


# ------------------------------------------------------------------------------ echoes


def test_fifty_turns_of_an_echo_make_no_memory_of_memories(llama_ada, llama_model):
    """A model that answers with its whole prompt, and a person who pastes it back."""
    memory = llama_ada(limit=3)
    model = llama_model(lambda prompt: f"You said: {prompt}")
    engine = simple(model, memory)

    for n in range(50):
        fenced = memory.get(input=WHERE)[0].content
        engine.chat(f"{fenced} {n}: did I move to Lyon?")
        assert "Notes from memory" in model.prompt()
        assert "<memories" not in "".join(m.content for m in engine.chat_history)
        engine.reset()

    stored = [e.text for e in memory.psm.entries()]
    assert len(stored) == 1 + 2 * 50
    assert not [text for text in stored if "<memories" in text or "Notes from" in text]
    assert [text for text in stored if LYON in text] == [LYON]
    assert max(map(len, stored)) < 100
