"""PSMChatMessageHistory: a session's messages, from the ledger and into it."""

import asyncio

import pytest

pytest.importorskip("langchain_core")

from langchain_core._api import LangChainDeprecationWarning
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableFieldSpec
from langchain_core.runnables.history import RunnableWithMessageHistory

from psm_core import Memory, People, Turn
from psm_core.errors import UserError
from psm_langchain import PSMChatMessageHistory

LYON = "I moved to Lyon last week."

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{LangChainDeprecationWarning.__module__}.LangChainDeprecationWarning"
)


@pytest.fixture
def people():
    with People() as opened:
        yield opened


@pytest.fixture
def history(people):
    return PSMChatMessageHistory("s1", user="ada", psm=people)


def texts(history):
    return [message.text for message in history.messages]


def test_messages_come_back_as_they_were_said(history):
    """In their order, each by who said it."""
    history.add_messages(
        [SystemMessage("Be kind."), HumanMessage(LYON), AIMessage("Ok.")]
    )

    assert history.messages == [
        SystemMessage("Be kind."),
        HumanMessage(LYON),
        AIMessage("Ok."),
    ]
    assert str(history) == f"System: Be kind.\nHuman: {LYON}\nAI: Ok."


def test_what_has_no_words_is_left_out(history):
    """Calls of tools and removals are no words; what tools give doesn't come back."""
    look = AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "c1"}])
    history.add_messages(
        [look, ToolMessage("42", tool_call_id="c1"), RemoveMessage(id="x")]
    )
    history.add_user_message(LYON)
    history.add_ai_message("Noted.")

    assert texts(history) == [LYON, "Noted."]


def test_said_twice_is_there_twice(history):
    """Also within one call; under one id, it is one message."""
    history.add_messages([HumanMessage("yes"), AIMessage("Sure?"), HumanMessage("yes")])
    history.add_messages([HumanMessage("yes", id="m1")])
    history.add_messages([HumanMessage("yes", id="m1")])

    assert texts(history) == ["yes", "Sure?", "yes", "yes"]


def test_the_gate_decides_what_surfaces_elsewhere(history):
    """All of it comes back here; small talk doesn't come up in a recall."""
    history.add_messages([HumanMessage("hello!"), HumanMessage(LYON)])

    tiers = {e.text: str(e.tier) for e in history.psm.entries()}
    assert tiers == {"hello!": "archival", LYON: "episodic"}
    assert texts(history) == ["hello!", LYON]


def test_a_session_goes_on_in_another_object(people, history):
    """What one wrote, another of the same session reads; other sessions don't."""
    history.add_user_message(LYON)

    assert texts(PSMChatMessageHistory("s1", user="ada", psm=people)) == [LYON]
    assert texts(PSMChatMessageHistory("s2", user="ada", psm=people)) == []
    assert texts(PSMChatMessageHistory("s1", user="bob", psm=people)) == []


def test_the_last_messages_come_back(history):
    """As many as the settings say, or as limit= does."""
    history.add_messages([HumanMessage(f"Number {n}.") for n in range(30)])

    assert texts(history) == [f"Number {n}." for n in range(10, 30)]
    history.limit = 2
    assert texts(history) == ["Number 28.", "Number 29."]


def test_clear_begins_anew_and_forgets_nothing(people, history):
    """It holds for every object of this session; the person's memory stays."""
    history.add_user_message(LYON)

    history.clear()
    again = PSMChatMessageHistory("s1", user="ada", psm=people)
    assert texts(again) == texts(history) == []

    again.add_user_message("I own a kayak.")
    assert texts(history) == ["I own a kayak."]
    assert LYON in people.memory("ada").recall("Where did I move to?").context
    assert (
        "new conversation"
        not in people.memory("ada").recall("new conversation").context
    )


def test_recalled_memories_arent_stored_as_said(people, history):
    """A fence that comes back in an answer is stripped."""
    history.add_user_message(LYON)
    shown = people.memory("ada").recall("Where did I move to?").context

    history.add_ai_message(f"You told me: {shown}")
    history.add_ai_message(shown)

    assert texts(history) == [LYON, "You told me:"]


async def test_async_leads_to_the_same_place(history):
    """Nothing of it holds up the loop."""
    await history.aadd_messages([HumanMessage(LYON)])
    assert [m.text for m in await history.aget_messages()] == [LYON]

    await history.aclear()

    assert await history.aget_messages() == []


def test_whose_history_it_is_must_be_said(people):
    """Unless one person's memory is given."""
    with pytest.raises(UserError, match='user="ada"'):
        PSMChatMessageHistory("s1", psm=people)
    with Memory("cem") as memory:
        PSMChatMessageHistory("s1", psm=memory).add_user_message(LYON)
        assert memory.working("s1")[0].text == LYON
        with pytest.raises(UserError, match="memory of cem"):
            PSMChatMessageHistory("s1", user="ada", psm=memory)


def test_without_an_open_memory_it_opens_the_home():
    """Name, session and a folder are enough."""
    history = PSMChatMessageHistory("s1", user="ada")
    history.add_user_message(LYON)
    history.close()

    with Memory("ada") as memory:
        assert [t.text for t in memory.working("s1")] == [LYON]


# ----------------------------------------------------- behind RunnableWithMessageHistory


def chat(model, people):
    """A chain whose config says whose history it is, and which."""
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("history"), ("human", "{input}")]
    )

    def history_of(user_id, session_id):
        return PSMChatMessageHistory(session_id, user=user_id, psm=people)

    return RunnableWithMessageHistory(
        prompt | model,
        history_of,
        input_messages_key="input",
        history_messages_key="history",
        history_factory_config=[
            ConfigurableFieldSpec(id="user_id", annotation=str),
            ConfigurableFieldSpec(id="session_id", annotation=str),
        ],
    )


def where(user, session="s1"):
    return {"configurable": {"user_id": user, "session_id": session}}


def test_a_runnable_keeps_each_persons_sessions_apart(people, scripted):
    """Ada's next turn shows her last one; Bob's, under the same session, nothing."""
    model = scripted("Noted.", "To Lyon.", "I don't know.")
    chain = chat(model, people)

    chain.invoke({"input": LYON}, where("ada"))
    chain.invoke({"input": "Where did I move to?"}, where("ada"))
    chain.invoke({"input": "Where did I move to?"}, where("bob"))

    assert [m.text for m in model.asked[1]] == [LYON, "Noted.", "Where did I move to?"]
    assert [m.text for m in model.asked[2]] == ["Where did I move to?"]
    assert [t.text for t in people.memory("ada").working("s1")] == [
        LYON,
        "Noted.",
        "Where did I move to?",
        "To Lyon.",
    ]


async def test_a_runnable_streams_and_waits_for_nobody(people, scripted):
    """astream stores the turn when it ends; two people at once don't mix."""
    chain = chat(scripted("Noted."), people)

    async def tell(user):
        async for _ in chain.astream({"input": f"I am {user}."}, where(user)):
            pass

    await asyncio.gather(*(tell(user) for user in ("ada", "bob", "cem")))

    for user in ("ada", "bob", "cem"):
        assert [t.text for t in people.memory(user).working("s1")] == [
            f"I am {user}.",
            "Noted.",
        ]


async def test_an_answer_that_came_in_chunks_is_kept_whole(people):
    """Streamed word by word, it is one message of the model's, sync and async."""
    answers = iter([AIMessage("Welcome to Lyon!"), AIMessage("To Lyon.")])
    chain = chat(GenericFakeChatModel(messages=answers), people)

    parts = list(chain.stream({"input": LYON}, where("ada")))
    async for _ in chain.astream({"input": "Where did I move to?"}, where("ada")):
        pass

    assert len(parts) > 1
    assert PSMChatMessageHistory("s1", user="ada", psm=people).messages == [
        HumanMessage(LYON),
        AIMessage("Welcome to Lyon!"),
        HumanMessage("Where did I move to?"),
        AIMessage("To Lyon."),
    ]


def test_clearing_holds_for_the_next_run(people, scripted):
    """A "new chat" button clears an object that is thrown away afterwards."""
    model = scripted("Noted.", "Hm.")
    chain = chat(model, people)
    chain.invoke({"input": LYON}, where("ada"))

    PSMChatMessageHistory("s1", user="ada", psm=people).clear()
    chain.invoke({"input": "Where did I move to?"}, where("ada"))

    assert [m.text for m in model.asked[1]] == ["Where did I move to?"]


def test_what_another_adapter_heard_is_in_view(people, history):
    """A session is one conversation, whoever wrote it down."""
    people.memory("ada").remember(Turn(LYON, session="s1"))

    assert texts(history) == [LYON]
