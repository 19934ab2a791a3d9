"""PSMMemory behind every classic consumer, through every door it has."""

import pytest

pytest.importorskip("langchain_classic")

from langchain_classic.agents import (
    AgentExecutor,
    create_react_agent,
    create_tool_calling_agent,
)
from langchain_classic.chains import (
    ConversationalRetrievalChain,
    ConversationChain,
    LLMChain,
)
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.prompts import (
    ChatPromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
)
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"
ANSWER = "To Lyon."

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{LangChainDeprecationWarning.__module__}.LangChainDeprecationWarning"
)


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return f"{city}: 522,000"


class Pages(BaseRetriever):
    """Finds one page for everything."""

    def _get_relevant_documents(self, query, *, run_manager):
        return [Document("Lyon lies on the Rhône.")]


# What each takes besides the person's words, and a way to make it.


def conversation(scripted, memory):
    model = scripted(ANSWER)
    return model, ConversationChain(llm=model, memory=memory), {"input": WHERE}


def llm_text(scripted, memory):
    model = scripted(ANSWER)
    prompt = PromptTemplate.from_template("{history}\n{style}\n{question}")
    inputs = {"question": WHERE, "style": "Be brief."}
    return model, LLMChain(llm=model, prompt=prompt, memory=memory), inputs


def llm_messages(scripted, memory):
    model = scripted(ANSWER)
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("history"), ("human", "{style}: {question}")]
    )
    inputs = {"question": WHERE, "style": "Be brief."}
    return model, LLMChain(llm=model, prompt=prompt, memory=memory), inputs


def react(scripted, memory):
    model = scripted(
        "Thought: look\nAction: population\nAction Input: Lyon",
        f"Thought: done\nFinal Answer: {ANSWER}",
    )
    prompt = PromptTemplate.from_template(
        "{history}\n{tools} {tool_names}\n{style}\n{input}\n{agent_scratchpad}"
    )
    agent = create_react_agent(model, [population], prompt)
    executor = AgentExecutor(
        agent=agent, tools=[population], memory=memory, return_intermediate_steps=True
    )
    return model, executor, {"input": WHERE, "style": "Be brief."}


def _calling(scripted, memory, *opening):
    call = {"name": "population", "args": {"city": "Lyon"}, "id": "c1"}
    model = scripted(AIMessage("", tool_calls=[call]), ANSWER)
    prompt = ChatPromptTemplate.from_messages(
        [*opening, ("human", "{input}"), MessagesPlaceholder("agent_scratchpad")]
    )
    agent = create_tool_calling_agent(model, [population], prompt)
    executor = AgentExecutor(agent=agent, tools=[population], memory=memory)
    return model, executor, {"input": WHERE, "style": "Be brief."}


def calling_text(scripted, memory):
    return _calling(scripted, memory, ("system", "{style}\n{history}"))


def calling_messages(scripted, memory):
    return _calling(
        scripted, memory, ("system", "{style}"), MessagesPlaceholder("history")
    )


def retrieval(scripted, memory):
    memory.memory_key = "chat_history"
    model = scripted(ANSWER)
    chain = ConversationalRetrievalChain.from_llm(
        model, Pages(), memory=memory, return_source_documents=True
    )
    return model, chain, {"question": WHERE}


CONSUMERS = [
    (conversation, False),
    (llm_text, False),
    (llm_messages, True),
    (react, False),
    (calling_text, False),
    (calling_messages, True),
    (retrieval, True),
]


async def ask(consumer, inputs, door):
    """One turn through one door, to its end."""
    match door:
        case "invoke":
            consumer.invoke(inputs)
        case "ainvoke":
            await consumer.ainvoke(inputs)
        case "stream":
            list(consumer.stream(inputs))
        case "astream":
            [part async for part in consumer.astream(inputs)]


@pytest.mark.parametrize("door", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize(
    ("make", "messages"), CONSUMERS, ids=[make.__name__ for make, _ in CONSUMERS]
)
async def test_every_consumer_shows_and_keeps_through_every_door(
    remembering, scripted, make, messages, door
):
    """Lyon is in the first prompt; the turn, and nothing else, is kept; then it goes on."""
    memory = remembering(return_messages=messages)
    model, consumer, inputs = make(scripted, memory)

    await ask(consumer, inputs, door)
    await ask(consumer, inputs, door)

    assert LYON in "\n".join(model.prompt(n) for n in range(len(model.asked)))
    assert [(t.role, t.text) for t in memory.psm.working(memory.session)] == [
        ("user", WHERE),
        ("assistant", ANSWER),
    ] * 2
    assert next(e for e in memory.psm.entries() if e.text == LYON).recalled == 2


@pytest.mark.parametrize("door", ["invoke", "ainvoke"])
async def test_a_correction_is_heard_in_every_chain(remembering, scripted, door):
    """Through both doors the next prompt is free of what was taken back."""
    memory = remembering()
    model = scripted(ANSWER, "Sorry.")
    chain = ConversationChain(llm=model, memory=memory)

    await ask(chain, {"input": WHERE}, door)
    await ask(chain, {"input": "No, I moved to Paris."}, door)

    assert LYON not in model.prompt(1)
    assert next(e for e in memory.psm.entries() if e.text == LYON).corrected == 1
