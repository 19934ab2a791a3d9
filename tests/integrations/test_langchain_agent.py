"""PSMMiddleware in create_agent: what the model is shown, and what is kept."""

import json
from dataclasses import dataclass

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    SummarizationMiddleware,
    before_model,
    dynamic_prompt,
    hook_config,
)
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
)
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command

from psm_core import People, Turn
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


# ------------------------------------------------------------------- what is shown


def test_what_was_said_elsewhere_is_in_the_system_message(people, ada, scripted):
    """The agent's own instructions come first, the fenced memories after them."""
    model = scripted("To Lyon.")
    agent = agent_of(model, PSMMiddleware(people), system_prompt="Be kind.")

    assert run(agent, WHERE) == "To Lyon."

    system, human = model.asked[0]
    assert isinstance(system, SystemMessage)
    assert system.text.startswith('Be kind.\n\n<memories of="ada">')
    assert f"ada: {LYON}" in system.text
    assert human.text == WHERE


def test_without_instructions_the_memories_are_the_system_message(
    people, ada, scripted
):
    """And where nothing is remembered there is no system message at all."""
    model = scripted("Hm.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, WHERE)
    run(agent, WHERE, user="bob", config=thread("t2"))

    assert model.asked[0][0].text.startswith("<memories")
    assert [m.type for m in model.asked[1]] == ["human"]


def test_the_request_is_never_changed(people, ada, scripted):
    """Whoever wraps us from outside finds their request as they made it."""
    seen = []

    class Outer(AgentMiddleware):
        def wrap_model_call(self, request, handler):
            response = handler(request)
            seen.append(request.system_message.text)
            return response

    agent = agent_of(
        scripted("Ok."), PSMMiddleware(people), Outer(), system_prompt="Hi."
    )
    run(agent, WHERE)

    assert seen == ["Hi."]


def test_blocks_of_a_system_message_are_kept_as_they_are(people, ada, scripted):
    """A provider's cache mark stays on its block; ours is one more at the end."""
    cached = {
        "type": "text",
        "text": "Be kind.",
        "cache_control": {"type": "ephemeral"},
    }
    model = scripted("Ok.")
    agent = agent_of(
        model, PSMMiddleware(people), system_prompt=SystemMessage([cached], id="s")
    )

    run(agent, WHERE)

    system = model.asked[0][0]
    assert system.content[0] == cached
    assert len(system.content) == 2
    assert system.id == "s"


@pytest.mark.parametrize("prompt", ["", SystemMessage([{"type": "text", "text": " "}])])
def test_instructions_without_words_leave_no_blank_block(people, ada, scripted, prompt):
    """A blank prompt is none: the memories alone are the system message."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people), system_prompt=prompt)

    run(agent, WHERE)

    assert model.asked[0][0].content.startswith('<memories of="ada">')


def test_blank_blocks_between_others_are_left_out(people, ada, scripted):
    """Those with words stay, in their order, with the memories after them."""
    blocks = ["Be kind.", {"type": "text", "text": ""}, {"type": "text", "text": "Go."}]
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people), system_prompt=SystemMessage(blocks))

    run(agent, WHERE)

    *before, memories = model.asked[0][0].content
    assert before == ["Be kind.", {"type": "text", "text": "Go."}]
    assert memories["text"].startswith("\n\n<memories")


def test_memories_stand_behind_a_prompt_that_is_made_anew_for_each_call(
    people, ada, scripted
):
    """Listed after a dynamic prompt they are added to it; before it, it replaces them."""

    @dynamic_prompt
    def prompt(request):
        return "Be kind."

    model = scripted("Ok.")
    memory = PSMMiddleware(people)
    for n, order in enumerate([[prompt, memory], [memory, prompt]]):
        agent = create_agent(model, middleware=order, context_schema=Ctx)
        run(agent, WHERE, config=thread(f"t{n}"))

    assert model.asked[0][0].text.startswith('Be kind.\n\n<memories of="ada">')
    assert model.asked[1][0].text == "Be kind."


def test_what_is_in_view_isnt_shown_twice(people, scripted):
    """The thread's own turns are in its messages, so they aren't among the memories."""
    model = scripted("Noted.", "To Lyon.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, LYON)
    run(agent, WHERE)

    assert "<memories" not in model.prompt(1)


def test_limit_and_budget_reach_the_recall(people, ada, scripted):
    """One memory at most, or none that fits."""
    ada.remember(Turn("I moved to Nice before that.", session="earlier"))
    for options, shown in [({"limit": 1}, 1), ({"budget": 1}, 0), ({}, 2)]:
        model = scripted("Ok.")
        agent = agent_of(model, PSMMiddleware(people, **options))
        run(agent, WHERE, config=thread(str(options)))
        assert model.prompt(0).count("ada: I moved to") == shown


def test_a_budget_is_counted_as_langchain_counts(scripted):
    """Four characters are a token, however long the word; count_tokens= says better."""
    wales = "I moved to Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch."
    with People() as others:
        others.memory("ada").remember(Turn(wales, session="earlier"))
    shown = {}
    for budget, count in [(50, None), (75, None), (75, len), (40, lambda text: 1)]:
        model = scripted("Ok.")
        with PSMMiddleware(budget=budget, count_tokens=count) as memory:
            run(agent_of(model, memory), WHERE)
        shown[budget, count is None] = wales in model.prompt()

    assert shown == {
        (50, True): False,
        (75, True): True,
        (75, False): False,
        (40, False): True,
    }


def test_what_was_forgotten_meanwhile_isnt_shown(people, ada, scripted):
    """Between two calls of the model in one turn, forgetting acts at once."""
    model = scripted(LOOK, "Done.")

    @tool
    def population(city: str) -> str:
        """How many people live in a city."""
        ada.forget(lyon(ada).id)
        return "522,000"

    agent = agent_of(model, PSMMiddleware(people), tools=[population])
    run(agent, WHERE)

    assert LYON in model.prompt(0)
    assert LYON not in model.prompt(1)


# -------------------------------------------------------------------- what is kept


def test_a_turn_is_remembered_once_for_all_its_steps(people, ada, scripted):
    """Two calls of the model and one of a tool are one question and one answer."""
    model = scripted(LOOK, "522,000.")
    agent = agent_of(model, PSMMiddleware(people), tools=[population])

    run(agent, "How many people live where I moved to?")

    assert LYON in model.prompt(0)
    assert LYON in model.prompt(1)
    assert said(ada) == [
        ("user", "How many people live where I moved to?"),
        ("assistant", "522,000."),
    ]
    assert lyon(ada).recalled == 1


def test_no_checkpoint_holds_what_was_recalled(people, ada, scripted):
    """The state keeps ids; the words of other conversations stay in the memory."""
    saver = InMemorySaver()
    agent = agent_of(
        scripted(LOOK, "Ok."),
        PSMMiddleware(people),
        tools=[population],
        checkpointer=saver,
    )

    result = agent.invoke(
        {"messages": [HumanMessage(WHERE)]}, thread(), context=Ctx("ada")
    )

    states = list(agent.get_state_history(thread()))
    assert len(states) > 4
    assert not [s for s in states if LYON in repr(s.values)]
    assert b"last week" not in repr([saver.storage, saver.blobs, saver.writes]).encode()
    note = states[0].values["psm_note"]
    assert note["memories"] == [lyon(ada).id]
    assert json.loads(json.dumps(note)) == note
    assert "psm_note" not in result


def test_an_interrupted_turn_goes_on_with_its_memories(people, ada, scripted):
    """After a human said yes, the second call of the model knows what the first knew."""
    model = scripted(LOOK, "522,000.")
    hitl = HumanInTheLoopMiddleware(interrupt_on={"population": True})
    agent = agent_of(model, PSMMiddleware(people), hitl, tools=[population])

    run(agent, WHERE)
    assert said(ada) == [("user", WHERE)]
    decide = Command(resume={"decisions": [{"type": "approve"}]})
    agent.invoke(decide, thread(), context=Ctx("ada"))

    assert LYON in model.prompt(1)
    assert said(ada) == [("user", WHERE), ("assistant", "522,000.")]
    assert lyon(ada).recalled == 1


def test_whoever_resumes_for_another_sees_nothing_of_them(people, ada, scripted):
    """An approver's run is the approver's: not a word of Ada's, and nothing is kept."""
    model = scripted(LOOK, "522,000.")
    hitl = HumanInTheLoopMiddleware(interrupt_on={"population": True})
    agent = agent_of(model, PSMMiddleware(people), hitl, tools=[population])

    run(agent, WHERE)
    decide = Command(resume={"decisions": [{"type": "approve"}]})
    agent.invoke(decide, thread(), context=Ctx("bob"))

    assert LYON not in model.prompt(1)
    assert people.memory("bob").entries() == []


def test_a_model_that_fails_is_asked_again_and_the_turn_counts_once(
    people, ada, scripted
):
    """Said again after an error, in the same thread, the words are there once."""
    model = scripted(RuntimeError("overloaded"), "To Lyon.")
    agent = agent_of(model, PSMMiddleware(people))

    with pytest.raises(RuntimeError, match="overloaded"):
        run(agent, WHERE)
    run(agent, WHERE)

    assert said(ada) == [("user", WHERE), ("assistant", "To Lyon.")]


def test_a_run_that_is_taken_up_again_hears_nothing_twice(people, ada, scripted):
    """invoke(None) goes on where the error was, with what was recalled before it."""
    model = scripted(RuntimeError("overloaded"), "To Lyon.")
    agent = agent_of(model, PSMMiddleware(people))

    with pytest.raises(RuntimeError):
        run(agent, WHERE)
    agent.invoke(None, thread(), context=Ctx("ada"))

    assert LYON in model.prompt(1)
    assert said(ada) == [("user", WHERE), ("assistant", "To Lyon.")]
    assert lyon(ada).recalled == 1


def test_an_answer_can_be_asked_for_again(people, ada, scripted):
    """A run without a new message shows what the last one showed, and recalls nothing."""
    model = scripted("To Lyon.", "To Lyon, last week.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, WHERE)
    agent.invoke({"messages": []}, thread(), context=Ctx("ada"))

    assert LYON in model.prompt(1)
    assert [text for role, text in said(ada)] == [
        WHERE,
        "To Lyon.",
        "To Lyon, last week.",
    ]
    assert lyon(ada).recalled == 1


def test_a_run_without_an_answer_is_fine(people, ada, scripted):
    """Another middleware may end a run before the model; what was said is kept.

    The answer that stands above it wasn't given to it, so it says nothing of what was
    shown for it.
    """

    class Closed(AgentMiddleware):
        @hook_config(can_jump_to=["end"])
        def before_model(self, state, runtime):
            asked = state["messages"][-1].text
            return {"jump_to": "end"} if asked == WHERE else None

    agent = agent_of(scripted("I like Lyon."), PSMMiddleware(people), Closed())
    run(agent, "Which city did I move to last week?")
    run(agent, WHERE)
    ada.consolidate()

    assert said(ada)[2:] == [("user", WHERE)]
    # It was of use to the first question, and had no chance to be to the second.
    assert (lyon(ada).recalled, lyon(ada).used) == (2, 1)


def test_a_message_of_memories_alone_is_no_turn(people, ada, scripted):
    """Somebody pastes what they saw in a prompt, and says nothing."""
    agent = agent_of(scripted("Ok."), PSMMiddleware(people))

    run(agent, ada.recall(WHERE).context)

    assert [e.text for e in ada.entries()] == [LYON]


def test_several_messages_in_a_row_are_one_question(people, ada, scripted):
    """Both are kept as turns of their own, and both are what is recalled for."""
    model = scripted("To Lyon.")
    agent = agent_of(model, PSMMiddleware(people))

    agent.invoke(
        {"messages": [HumanMessage("About my flat:"), HumanMessage(WHERE)]},
        thread(),
        context=Ctx("ada"),
    )

    assert said(ada)[:2] == [("user", "About my flat:"), ("user", WHERE)]
    assert LYON in model.prompt()


def test_a_message_with_a_name_is_said_by_that_name(people, scripted):
    """Two people at one keyboard are told apart."""
    agent = agent_of(scripted("Ok."), PSMMiddleware(people))

    run(agent, HumanMessage("I like chess.", name="Carla"))

    assert [e.speaker for e in people.memory("ada").entries()] == ["Carla", "assistant"]


def test_an_edited_message_is_another_turn(people, ada, scripted):
    """A message that is sent anew under its id has said something else.

    In this thread nobody said the first; other threads remember it.
    """
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people))

    run(agent, HumanMessage("I like chess.", id="m1"))
    run(agent, HumanMessage("I like go.", id="m1"))
    run(agent, "Do I like chess?")

    assert "I like chess." not in model.prompt()
    assert [text for role, text in said(ada) if role == "user"] == [
        "I like chess.",
        "I like go.",
        "Do I like chess?",
    ]


def test_a_history_that_the_client_keeps_is_heard_once(people, scripted):
    """Without a checkpointer the whole conversation comes each time; its end is new."""
    agent = agent_of(
        scripted("Noted.", "To Lyon."), PSMMiddleware(people), checkpointer=None
    )
    first = [HumanMessage(LYON, id="h1")]

    told = agent.invoke({"messages": first}, context=Ctx("ada"))["messages"]
    agent.invoke(
        {"messages": [*told, HumanMessage(WHERE, id="h2")]}, context=Ctx("ada")
    )

    assert said(people.memory("ada"), "from h1") == [
        ("user", LYON),
        ("assistant", "Noted."),
        ("user", WHERE),
        ("assistant", "To Lyon."),
    ]


def test_without_a_checkpointer_a_correction_charges_nothing(people, ada, scripted):
    """Nothing knows what was shown; what the person says is remembered all the same."""
    agent = agent_of(
        scripted("To Lyon.", "Noted."), PSMMiddleware(people), checkpointer=None
    )

    asked = [HumanMessage(WHERE, id="h1")]
    told = agent.invoke({"messages": asked}, context=Ctx("ada"))["messages"]
    no = HumanMessage("No, I moved to Paris.", id="h2")
    agent.invoke({"messages": [*told, no]}, context=Ctx("ada"))

    assert lyon(ada).corrected == 0
    assert said(ada, "from h1")[2] == ("user", "No, I moved to Paris.")


def test_a_summary_is_nobodys_words(people, ada, scripted):
    """Where LangChain shortens the thread, five turns are five turns, and no more."""
    model = scripted(*[f"Answer {n}." for n in range(5)], "To Lyon.")
    short = SummarizationMiddleware(
        model=scripted("We spoke of Lyon."),
        trigger=("messages", 3),
        keep=("messages", 1),
    )
    agent = agent_of(model, PSMMiddleware(people), short)

    for n in range(5):
        run(agent, f"Question number {n}?")
    run(agent, WHERE)
    ada.consolidate()

    assert "We spoke of Lyon." in model.prompt()
    assert said(ada)[:10] == [
        turn
        for n in range(5)
        for turn in [("user", f"Question number {n}?"), ("assistant", f"Answer {n}.")]
    ]
    assert said(ada)[10:] == [("user", WHERE), ("assistant", "To Lyon.")]
    # The word is the answer's own, though the summary has it.
    assert lyon(ada).used == 1


@before_model
def trim(state, runtime):
    """Keeps the first message and the last three, as LangChain's guide does."""
    first, *rest = state["messages"]
    if len(rest) <= 3:
        return None
    return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), first, *rest[-3:]]}


def test_what_was_trimmed_out_of_the_middle_may_be_recalled(people, scripted):
    """The first message and the last ones stay in view; the rest isn't lost."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people), trim)

    for words in ["Hello there.", "I own a kayak.", "I like tea.", "It's late."]:
        run(agent, words)
    run(agent, "Which boat do I own, a kayak?")

    system, first, *_ = model.asked[-1]
    assert "ada: I own a kayak." in system.text
    assert first.text == "Hello there."
    assert len(model.asked[-1]) == 5


def test_what_a_fork_left_isnt_recalled_when_the_fork_is_trimmed(people, scripted):
    """Trimmed turns of this branch come back, those of the other one don't."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people), trim)
    run(agent, "Hello there.")
    fork = agent.get_state(thread()).config
    run(agent, "I own a blue kayak.")

    run(agent, "I own a red canoe.", config=fork)
    for words in ["I like tea.", "It's late."]:
        run(agent, words)
    run(agent, "Which boat do I own, a canoe or a kayak?")

    system = model.asked[-1][0]
    assert "ada: I own a red canoe." in system.text
    assert "blue kayak" not in system.text


def test_a_fork_that_is_answered_anew_still_hasnt_heard_what_it_left(people, scripted):
    """Its message is stored behind the other branch, and stands in for none of it."""
    model = scripted("Ok.")
    agent = agent_of(model, PSMMiddleware(people))
    run(agent, "Hello there.")
    fork = agent.get_state(thread()).config
    run(agent, "I own a blue kayak.")
    run(agent, "Do I own a kayak?", config=fork)
    heard = next(
        state
        for state in agent.get_state_history(thread())
        if state.next == ("PSMMiddleware.before_agent",)
    )

    agent.invoke(None, heard.config, context=Ctx("ada"))

    assert len(model.asked) == 4
    assert "blue kayak" not in model.prompt()


def test_an_answer_is_kept_where_a_summary_took_its_question(people, ada, scripted):
    """A long row of tool calls may push the question out of the thread."""
    model = scripted(LOOK, LOOK.model_copy(), "To Lyon.")
    short = SummarizationMiddleware(
        model=scripted("A summary."), trigger=("messages", 3), keep=("messages", 2)
    )
    agent = agent_of(model, PSMMiddleware(people), short, tools=[population])

    run(agent, WHERE)

    assert WHERE not in [m.text for m in model.asked[-1]]
    assert said(ada) == [("user", WHERE), ("assistant", "To Lyon.")]


def test_fifty_turns_of_an_echo_make_no_memory_of_memories(people, ada, scripted):
    """A model that answers with its whole prompt, and a person who pastes it back."""
    model = scripted(lambda prompt: f"You said: {prompt}")
    agent = agent_of(model, PSMMiddleware(people, limit=3))

    pasted = ""
    for n in range(50):
        run(agent, f"{pasted} {n}: did I move to Lyon?", config=thread(f"t{n}"))
        pasted = model.asked[-1][0].text.partition("</memories>")[0] + "</memories>"

    stored = [e.text for e in ada.entries()]
    assert len(stored) == 1 + 2 * 50
    assert not [text for text in stored if "<memories" in text or "Notes from" in text]
    assert [text for text in stored if LYON in text] == [LYON]
    assert max(map(len, stored)) < 100
