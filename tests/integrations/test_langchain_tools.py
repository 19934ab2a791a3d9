"""The four tools: what a model sees of them, what they do, and what they tell it."""

import asyncio

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from langgraph.checkpoint.memory import InMemorySaver

from psm_core import Memory, People, Turn
from psm_core.errors import UserError
from psm_langchain import PSMMiddleware, memory_tools

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"


@pytest.fixture
def people():
    with People() as opened:
        yield opened


@pytest.fixture
def ada(people):
    memory = people.memory("ada")
    memory.remember(Turn(LYON, session="earlier"))
    return memory


def named(tools):
    return {tool.name: tool for tool in tools}


def call(tool, **args):
    return {"name": tool, "args": args, "id": f"c-{tool}"}


def calls(*made):
    return AIMessage("", tool_calls=list(made))


def run(model, tools, *middleware, user="ada", words="hi", saver=None):
    """What an agent's tools tell its model, one after the other."""
    agent = create_agent(
        model, tools, middleware=middleware, context_schema=dict, checkpointer=saver
    )
    result = agent.invoke(
        {"messages": [HumanMessage(words)]},
        {"configurable": {"thread_id": "t1"}},
        context={"user_id": user},
    )
    return [m for m in result["messages"] if m.type == "tool"]


# ----------------------------------------------------- held against LangChain's suites


class _EachTool:
    @pytest.fixture(
        autouse=True,
        params=[
            ("search_memory", {"query": WHERE, "limit": 3}),
            ("save_memory", {"content": "Ada lives in Lyon."}),
            ("correct_memory", {"memory_id": "m1", "content": "Ada lives in Nice."}),
            ("forget_memory", {"memory_id": "m1"}),
        ],
        ids=lambda case: case[0],
    )
    def _one_tool(self, request):
        name, self._args = request.param
        with Memory("ada") as memory:
            memory.remember(Turn(LYON, id="m1"))
            self._tool = named(memory_tools(memory))[name]
            yield

    @property
    def tool_constructor(self):
        return self._tool

    @property
    def tool_invoke_params_example(self):
        return self._args


class TestAgainstLangChainsUnitSuite(_EachTool, ToolsUnitTests):
    """Each has a name, a schema, and takes what its schema says."""


class TestAgainstLangChainsIntegrationSuite(_EachTool, ToolsIntegrationTests):
    """Each can be called with a tool call and with a dict, sync and async."""


# -------------------------------------------------------------------- what a model sees


def test_the_model_sees_arguments_and_nobody_elses_name(people):
    """User, session and runtime are no arguments, so no model can name another user."""
    seen = {
        tool.name: list(tool.tool_call_schema.model_json_schema()["properties"])
        for tool in memory_tools(people)
    }

    assert seen == {
        "search_memory": ["query", "limit"],
        "save_memory": ["content"],
        "correct_memory": ["memory_id", "content"],
        "forget_memory": ["memory_id"],
    }
    assert all(
        tool.description and "  " not in tool.description
        for tool in memory_tools(people)
    )


def test_a_search_gives_fenced_memories_with_their_ids(people, ada, scripted):
    """As data, and with the id that the other tools ask for."""
    model = scripted(calls(call("search_memory", query=WHERE)), "To Lyon.")

    (told,) = run(model, memory_tools(people))

    entry = ada.entries()[0]
    assert told.content.startswith('<memories of="ada">\nNotes from memory')
    assert f"({entry.id}) ada: {LYON}" in told.content
    assert told.artifact["memories"] == [entry.id]


def test_a_search_leaves_out_what_is_in_view(people, ada, scripted):
    """The question itself, which the middleware has just remembered, is no answer."""
    model = scripted(calls(call("search_memory", query=WHERE)), "To Lyon.")

    (told,) = run(model, memory_tools(people), PSMMiddleware(people), words=WHERE)

    assert LYON in told.content
    assert WHERE not in told.content


def test_a_search_that_finds_nothing_says_so(people, scripted):
    """An empty answer would be read as a failure."""
    model = scripted(calls(call("search_memory", query=WHERE)), "Hm.")

    (told,) = run(model, memory_tools(people))

    assert told.content == "Nothing is remembered about that."


def test_what_is_saved_is_the_models_words_and_stays(people, scripted):
    """It isn't put in the person's mouth, and doesn't fade."""
    model = scripted(calls(call("save_memory", content="Ada prefers trains.")), "Ok.")

    (told,) = run(model, memory_tools(people))

    (entry,) = people.memory("ada").entries()
    assert told.content == f"Saved as {entry.id}."
    assert (entry.text, entry.speaker, entry.role) == (
        "Ada prefers trains.",
        "assistant",
        "assistant",
    )
    assert entry.pinned


def test_what_the_gate_turns_away_is_said_to_be(people, scripted):
    """Saved twice is kept once, and the model is told why."""
    save = memory_tools(people, user="ada")[1]
    save.invoke({"content": "Ada prefers trains."})

    told = save.invoke({"content": "Ada prefers trains."})

    assert told.startswith("Not kept, since it is word for word what was said before")
    assert [e.pinned for e in people.memory("ada").entries()] == [True, False]


def test_recalled_text_is_stripped_from_what_is_saved(people, ada):
    """A model that saves what it was shown saves nothing of it."""
    tools = named(memory_tools(people, user="ada"))
    shown = tools["search_memory"].invoke({"query": WHERE})

    tools["save_memory"].invoke({"content": f"Ada prefers trains. {shown}"})
    told = tools["save_memory"].invoke({"content": shown})

    assert [e.text for e in ada.entries()] == [LYON, "Ada prefers trains."]
    assert told.startswith("This can't be remembered: the text of a turn is empty")


def test_a_correction_charges_the_search_that_showed_it(people, ada, scripted):
    """The wrong one surfaces no more, what is right does, and the journal knows."""
    entry = ada.entries()[0]
    model = scripted(
        calls(call("search_memory", query=WHERE)),
        calls(
            call("correct_memory", memory_id=entry.id, content="Ada moved to Paris.")
        ),
        calls(call("search_memory", query=WHERE)),
        "Noted.",
    )

    _, corrected, again = run(model, memory_tools(people))

    assert corrected.content.startswith(f"Corrected: {entry.id} surfaces no more, ")
    assert "Paris" in again.content
    assert LYON not in again.content
    assert ada.entry(entry.id).corrected == 1


def test_a_correction_can_be_taken_back(people, ada):
    """Nothing is deleted by it."""
    entry = ada.entries()[0]
    correct = named(memory_tools(ada))["correct_memory"]

    correct.invoke({"memory_id": entry.id, "content": "Ada moved to Paris."})
    assert LYON not in ada.recall(WHERE).context
    ada.expire(entry.id, None)

    assert LYON in ada.recall(WHERE).context


def test_forgetting_is_for_good(people, ada, scripted):
    """The memory is gone from everywhere."""
    entry = ada.entries()[0]
    model = scripted(calls(call("forget_memory", memory_id=entry.id)), "Gone.")

    (told,) = run(model, memory_tools(people))

    assert told.content == f"Forgotten: {entry.id}."
    assert ada.entries() == []


@pytest.mark.parametrize("tool", ["correct_memory", "forget_memory"])
def test_an_id_that_isnt_there_is_told_with_the_way_out(people, ada, scripted, tool):
    """The model can mend it; nothing was changed, and the run goes on."""
    args = {"memory_id": "m-no", "content": "Ada moved to Paris."}
    if tool == "forget_memory":
        del args["content"]
    model = scripted(calls(call(tool, **args)), "Sorry.")

    (told,) = run(model, memory_tools(people))

    assert told.status == "error"
    assert told.content.startswith("There is no memory of this id. Call search_memory")
    assert [e.text for e in ada.entries()] == [LYON]


def test_arguments_out_of_range_are_told(people, scripted):
    """A limit of 0 is explained, and the model may try again."""
    model = scripted(calls(call("search_memory", query=WHERE, limit=0)), "Sorry.")

    (told,) = run(model, memory_tools(people))

    assert told.status == "error"
    assert "limit: Input should be greater than or equal to 1" in told.content


# ------------------------------------------------------------------ whose memory it is


def test_bob_never_finds_what_ada_said(people, ada, scripted):
    """One set of tools serves all; each run sees its own person."""
    tools = memory_tools(people)
    for user, found in [("ada", True), ("bob", False)]:
        model = scripted(calls(call("search_memory", query=WHERE)), "Ok.")
        (told,) = run(model, tools, user=user)
        assert (LYON in told.content) is found

    model = scripted(calls(call("forget_memory", memory_id=ada.entries()[0].id)), "Ok.")
    (told,) = run(model, tools, user="bob")
    assert told.status == "error"
    assert [e.text for e in ada.entries()] == [LYON]


def test_a_missing_user_is_the_developers_affair(people, scripted):
    """No model could mend it, so it is raised, and names the three ways."""
    search = memory_tools(people)[0]
    model = scripted(calls(call("search_memory", query=WHERE)), "Sorry.")

    with pytest.raises(UserError):
        run(model, [search], user=None)

    with pytest.raises(UserError, match=r'context=.*"configurable".*user="ada"'):
        search.invoke({"query": WHERE})


async def test_outside_of_an_agent_the_config_says_who(people, ada):
    """In a chain of one's own, sync and async."""
    search = memory_tools(people)[0]
    config = {"configurable": {"user_id": "ada"}}

    assert LYON in search.invoke({"query": WHERE}, config)
    assert LYON in await search.ainvoke({"query": WHERE}, config)
    both = await asyncio.gather(
        search.ainvoke({"query": WHERE}, config),
        search.ainvoke({"query": WHERE}, {"configurable": {"user_id": "bob"}}),
    )
    assert [LYON in told for told in both] == [True, False]


async def test_async_agents_call_them_too(people, ada, scripted):
    """ainvoke leads to the same place, with what was saved in the thread's session."""
    model = scripted(calls(call("save_memory", content="Ada prefers trains.")), "Ok.")
    agent = create_agent(
        model, memory_tools(people), context_schema=dict, checkpointer=InMemorySaver()
    )

    await agent.ainvoke(
        {"messages": [HumanMessage("hi")]},
        {"configurable": {"thread_id": "t9"}},
        context={"user_id": "ada"},
    )

    assert [t.text for t in ada.working("t9")] == ["Ada prefers trains."]
