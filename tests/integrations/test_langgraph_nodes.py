"""The nodes of memory: what the model sees, what is kept, and what is learned."""

import dataclasses
import operator
from typing import Annotated, TypedDict

import pytest

pytest.importorskip("langgraph")

from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from psm_core import People, Tier, Turn
from psm_core.errors import UserError
from psm_langgraph import (
    PSMState,
    psm_graph,
    recall_node,
    remember_node,
    turn_id,
    with_memories,
)


class ModelState(BaseModel):
    messages: Annotated[list, add_messages]
    psm: dict | None = None


@dataclasses.dataclass
class ObjectState:
    messages: Annotated[list, add_messages]
    psm: dict | None = None


LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"


@pytest.fixture
def people():
    with People() as people:
        yield people


@pytest.fixture
def ada(people):
    """Ada's memory, who told of Lyon in an earlier conversation."""
    memory = people.memory("ada")
    memory.remember(Turn(LYON, session="earlier"))
    return memory


def answering(*replies):
    """A model's node that answers as it is told, and notes what it was asked."""
    asked = []

    def model(state):
        asked.append(state["messages"])
        reply = replies[min(len(asked), len(replies)) - 1]
        if callable(reply):
            reply = reply(state["messages"])
        return {"messages": [AIMessage(reply) if isinstance(reply, str) else reply]}

    model.asked = asked
    return model


def on(thread="t1", user="ada"):
    return {"configurable": {"thread_id": thread, "user_id": user}}


def say(graph, words, config=None, **options):
    message = words if isinstance(words, HumanMessage) else HumanMessage(words)
    return graph.invoke({"messages": [message]}, config or on(), **options)


def texts(memory):
    return [entry.text for entry in memory.entries()]


def entry(memory, text):
    return next(e for e in memory.entries() if e.text == text)


# --------------------------------------------------------------- what the model sees


def test_memories_come_before_the_conversation(people, ada):
    """The model gets one fenced system message first; the run's output has none."""
    model = answering("To Lyon.")

    out = say(psm_graph(model, people).compile(), WHERE)

    first, asked = model.asked[0]
    assert isinstance(first, SystemMessage)
    assert first.text.startswith('<memories of="ada">')
    assert LYON in first.text
    assert asked.text == WHERE
    assert [m.text for m in out["messages"]] == [WHERE, "To Lyon."]
    assert set(out) == {"messages"}


def test_no_message_is_made_of_nothing(people):
    """A person who was never heard gets no empty fence."""
    model = answering("Hello.")

    say(psm_graph(model, people).compile(), "hello!", on(user="new"))

    assert [m.text for m in model.asked[0]] == ["hello!"]


def test_what_is_in_view_is_not_recalled(people):
    """A second turn of one thread isn't told what the first one said."""
    model = answering("Noted.", "To Lyon.")
    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())

    say(graph, LYON)
    say(graph, WHERE)

    assert [m.text for m in model.asked[1]] == [LYON, "Noted.", WHERE]


def test_limit_and_budget_reach_the_recall(people, ada):
    """limit=1 shows one memory; a budget that nothing fits into shows none."""
    ada.remember(Turn("I moved from Paris, by train.", session="earlier"))
    one, none = answering("Hm."), answering("Hm.")

    say(psm_graph(one, people, limit=1).compile(), WHERE)
    say(psm_graph(none, people, budget=1).compile(), WHERE, on("t2"))

    assert one.asked[0][0].text.count("\nada: ") == 1
    assert len(none.asked[0]) == 1


def test_tokens_are_counted_as_the_people_count_them(ada):
    """People(count_tokens=) decides what fits: here a token is a character."""
    tight, wide = answering("Hm."), answering("Hm.")
    with People(count_tokens=len) as people:
        say(psm_graph(tight, people, budget=60).compile(), WHERE)
        say(psm_graph(wide, people, budget=400).compile(), WHERE, on("t2"))

    assert len(tight.asked[0]) == 1
    assert LYON in wide.asked[0][0].text
    assert len(wide.asked[0][0].text) <= 400


def test_what_was_forgotten_meanwhile_is_not_shown(people, ada):
    """The text is read when the model is asked, not when it was recalled."""
    model = answering("Hm.")
    graph = psm_graph(model, people).compile(
        checkpointer=InMemorySaver(), interrupt_before=["model"]
    )
    say(graph, WHERE)
    ada.forget(entry(ada, LYON).id)

    graph.invoke(None, on())

    assert [m.text for m in model.asked[0]] == [WHERE]


def test_the_state_holds_names_and_no_words(people, ada):
    """Checkpoints hold ids of memories; `psm` is neither input nor output."""
    saver = InMemorySaver()
    graph = psm_graph(answering("Hm."), people).compile(checkpointer=saver)

    say(graph, WHERE)

    kept = graph.get_state(on()).values["psm"]
    assert kept["shown"] == [entry(ada, LYON).id]
    fields = {"user", "session", "turn", "recall", "shown", "refuted", "left"}
    assert set(kept) == fields
    states = [repr(s) for s in graph.get_state_history(on())]
    assert not [s for s in states if "Lyon" in s or "<memories" in s]


WAYS_BACK = {
    "a dict": lambda said: {"messages": said},
    "Overwrite": lambda said: {"messages": Overwrite(said)},
    "Overwrite as a dict": lambda said: {"messages": {"__overwrite__": said}},
    "a command": lambda said: Command(update={"messages": said}),
    "pairs": lambda said: Command(update=[("messages", said)]),
    "commands": lambda said: [Command(update={"messages": Overwrite(said)})],
}


@pytest.mark.parametrize("way", WAYS_BACK)
def test_a_node_that_returns_all_it_was_given_writes_no_memory_down(people, ada, way):
    """However a model's node hands its messages back, no checkpoint has the memories."""

    def model(state):
        return WAYS_BACK[way]([*state["messages"], AIMessage("To Lyon.")])

    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    out = say(graph, WHERE)

    assert [m.text for m in out["messages"]] == [WHERE, "To Lyon."]
    assert not [s for s in graph.get_state_history(on()) if "<memories" in repr(s)]


def test_another_key_and_another_node_get_no_memory(people, ada):
    """What a model's node notes elsewhere, or sends on, is without the memories."""

    class State(PSMState):
        noted: Annotated[list, operator.add]

    def model(state):
        sent = Send("worker", {"messages": state["messages"]})
        return Command(update={"noted": state["messages"]}, goto=sent)

    def worker(state):
        return {"noted": state["messages"]}

    graph = StateGraph(State).add_node("recall", recall_node(people))
    graph.add_node("model", with_memories(model, people)).add_node("worker", worker)
    graph.add_edge(START, "recall").add_edge("recall", "model")
    out = say(graph.compile(), WHERE)

    assert [m.text for m in out["noted"]] == [WHERE, WHERE]


def test_a_state_object_is_handed_back_without_memories(people, ada):
    """A node that returns a dataclass or a model as it got it writes no memory down."""

    for schema in (ModelState, ObjectState):

        def model(state):
            state.messages.append(AIMessage("To Lyon."))
            return state

        graph = StateGraph(schema).add_node("recall", recall_node(people))
        graph.add_node("model", with_memories(model, people))
        graph.add_edge(START, "recall").add_edge("recall", "model")
        out = say(graph.compile(), WHERE, on(schema.__name__))

        assert [m.text for m in out["messages"]] == [WHERE, "To Lyon."]


def test_memories_that_an_older_release_let_into_a_state_leave_it(people, ada):
    """The next turn takes them out of the thread, and the model sees new ones only."""
    model = answering("To Lyon.")
    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    leaked = SystemMessage('<memories of="ada">the PIN</memories>', id="psm-memories")
    graph.update_state(on(), {"messages": [leaked]}, as_node="__start__")

    out = say(graph, WHERE)

    assert [m.text for m in out["messages"]] == [WHERE, "To Lyon."]
    assert [LYON in m.text for m in model.asked[0]] == [True, False]
    assert "the PIN" not in model.asked[0][0].text


def test_trimming_does_not_meet_the_message_of_memories(people, ada):
    """A node that removes all that it was shown removes what is in the state."""

    def model(state):
        gone = [RemoveMessage(m.id) for m in state["messages"]]
        return {"messages": [*gone, AIMessage("To Lyon.")]}

    out = say(psm_graph(model, people).compile(), WHERE)

    assert [m.text for m in out["messages"]] == ["To Lyon."]


class Plain(TypedDict):
    """A state that holds messages as the caller wrote them, without ids."""

    messages: list


def test_without_a_reducer_one_thread_remembers_what_it_said_before(people):
    """The first message of each run is another one, and none that was edited."""
    model = answering("Ok.")
    graph = psm_graph(model, people, state_schema=Plain).compile()

    for words in (LYON, WHERE):
        graph.invoke({"messages": [{"role": "user", "content": words}]}, on())

    assert f"ada: {LYON}" in model.asked[1][0].text
    assert WHERE not in model.asked[1][0].text


def test_the_node_gets_messages_whether_or_not_something_is_remembered(people):
    """Dicts that a caller wrote are messages by the time that the model is asked."""
    model = answering("Ok.")
    graph = psm_graph(model, people, state_schema=Plain).compile()

    graph.invoke({"messages": [{"role": "user", "content": LYON}]}, on())

    assert [type(m) for m in model.asked[0]] == [HumanMessage]


def test_a_model_node_gets_all_that_langgraph_gives_it(people, ada):
    """config, runtime and other keys of the state reach a wrapped node."""

    class State(MessagesState):
        mood: str

    def model(state: State, config, *, runtime: Runtime[dict]):
        thread = config["configurable"]["thread_id"]
        words = f"{state['mood']} {runtime.context['user_id']} {thread}"
        return {"messages": [AIMessage(words)], "mood": "calm"}

    graph = psm_graph(model, people, state_schema=State, context_schema=dict).compile()
    out = graph.invoke(
        {"messages": [HumanMessage(WHERE)], "mood": "gay"},
        {"configurable": {"thread_id": "t9"}},
        context={"user_id": "ada"},
    )

    assert out["messages"][-1].text == "gay ada t9"
    assert (set(out), out["mood"]) == ({"messages", "mood"}, "calm")


def test_states_that_are_models_or_dataclasses_can_be_wired_by_hand(people, ada):
    """with_memories takes a state of any kind that LangGraph has."""

    for schema in (ModelState, ObjectState):
        asked = []

        def model(state, asked=asked):
            asked.append(state.messages)
            return {"messages": [AIMessage("Hm.")]}

        graph = StateGraph(schema)
        graph.add_node("recall", recall_node(people))
        graph.add_node("model", with_memories(model, people))
        graph.add_edge(START, "recall").add_edge("recall", "model")
        say(graph.compile(), WHERE, on(schema.__name__))

        assert LYON in asked[0][0].text


def test_a_graph_without_recall_says_what_is_missing(people):
    """with_memories alone raises, and names the two things to add."""
    graph = StateGraph(MessagesState).add_node(
        "model", with_memories(answering("Hm."), people)
    )

    with pytest.raises(ValueError, match="add recall_node .*PSMState"):
        say(graph.add_edge(START, "model").compile(), WHERE)


def test_a_whole_graph_is_refused_as_the_models_node(people):
    """Its own checkpoints would hold what it is given."""
    inner = StateGraph(MessagesState).add_node("m", answering("Hm."))

    with pytest.raises(TypeError, match="wrap the node inside it"):
        psm_graph(inner.add_edge(START, "m").compile(), people)
    with pytest.raises(TypeError, match="no TypedDict"):
        psm_graph(answering("Hm."), people, state_schema=BaseModel)


# ------------------------------------------------------------------- what is kept


def test_both_halves_are_remembered_by_message_id(people):
    """Each message is one turn of the thread, under the id that turn_id tells."""
    graph = psm_graph(answering("Welcome!"), people).compile()

    out = say(graph, LYON)

    memory = people.memory("ada")
    turns = memory.working("t1")
    assert [(t.role, t.text) for t in turns] == [
        ("user", LYON),
        ("assistant", "Welcome!"),
    ]
    assert [t.id for t in turns] == [turn_id(m, "t1") for m in out["messages"]]


def test_all_that_was_said_since_the_last_answer_is_one_cue(people):
    """Two messages in a row are two turns and are recalled for together."""
    model = answering("Ok.")
    messages = [HumanMessage("I own a kayak."), HumanMessage("It is red.")]

    psm_graph(model, people).compile().invoke({"messages": messages}, on())

    assert texts(people.memory("ada")) == ["I own a kayak.", "It is red.", "Ok."]


def test_pictures_and_silence_are_no_turns(people):
    """Left out are messages without words, and with nothing but pasted memories."""
    picture = HumanMessage([{"type": "image", "url": "https://x.org/i.png"}])
    graph = psm_graph(answering(AIMessage("")), people).compile()

    say(graph, picture)
    say(graph, HumanMessage([{"type": "text", "text": LYON}]), on("t2"))
    graph.invoke({"messages": [SystemMessage("Be kind.")]}, on("t3"))
    say(graph, '<memories of="ada">pasted</memories>', on("t4"))

    assert texts(people.memory("ada")) == [LYON]


def test_one_id_in_two_threads_or_with_new_words_is_two_turns(people):
    """Clients that count their messages 1, 2, 3 collide with nobody."""
    graph = psm_graph(answering("Ok."), people).compile()

    said = [("a", LYON), ("b", LYON), ("a", "I own a bike.")]
    for thread, words in said:
        say(graph, HumanMessage(words, id="1"), on(thread))

    told = [e for e in people.memory("ada").entries() if e.role == "user"]
    assert [(e.session, e.text) for e in told] == said


def test_the_persons_words_are_safe_before_the_model_speaks(people):
    """A stream that is left after its first step has lost nothing they said."""
    model = answering("Never read.")
    graph = psm_graph(model, people).compile()

    for _ in graph.stream({"messages": [HumanMessage(LYON)]}, on()):
        break

    assert texts(people.memory("ada")) == [LYON]
    assert model.asked == []


def test_a_model_that_fails_and_is_asked_again_counts_once(people, ada):
    """After a fault, invoke(None) goes on; nothing is said, shown or kept twice."""
    faults = [RuntimeError("overloaded")]

    def model(state):
        if faults:
            raise faults.pop()
        return {"messages": [AIMessage("To Lyon.")]}

    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError, match="overloaded"):
        say(graph, WHERE)
    graph.invoke(None, on())

    assert texts(ada) == [LYON, WHERE, "To Lyon."]
    assert entry(ada, LYON).recalled == 1


def test_recalling_again_for_one_message_does_nothing(people, ada):
    """A graph that comes back to its recall node shows what it showed, and logs it once."""
    recall = recall_node(people)
    state = {"messages": [HumanMessage(WHERE, id="m1")]}
    first = recall.invoke(state, on())

    assert recall.invoke(state | first, on()) == first
    assert entry(ada, LYON).recalled == 1


def test_remember_alone_needs_no_recall(people):
    """A graph that only listens has one node of ours."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", answering("Noted."))
    graph.add_node("remember", remember_node(people))
    graph.add_edge(START, "model").add_edge("model", "remember")

    say(graph.compile(), LYON)

    assert texts(people.memory("ada")) == [LYON, "Noted."]


def test_fifty_turns_of_an_echo_make_no_memory_of_memories(people, ada):
    """A model that repeats its prompt, and a person who pastes it back."""

    def echo(messages):
        return "You said: " + "\n".join(m.text for m in messages)

    model = answering(echo)
    graph = psm_graph(model, people, limit=3).compile()
    pasted = ""
    for n in range(50):
        say(graph, f"{pasted} {n}: did I move to Lyon?", on(f"t{n}"))
        pasted = model.asked[-1][0].text

    stored = texts(ada)
    assert "<memories" in pasted
    assert len(stored) == 1 + 2 * 50
    assert not [text for text in stored if "<memories" in text or "Notes from" in text]
    assert [text for text in stored if LYON in text] == [LYON]


def with_critic(people, model, critique):
    """A graph whose critic has the model answer once more, in a human message."""

    def again(state):
        answers = [m for m in state["messages"] if isinstance(m, AIMessage)]
        return "critic" if len(answers) % 2 else "remember"

    graph = StateGraph(PSMState).add_node("recall", recall_node(people))
    graph.add_node("model", with_memories(model, people))
    graph.add_node("critic", lambda state: {"messages": [critique]})
    graph.add_node("remember", remember_node(people))
    graph.add_edge(START, "recall").add_edge("recall", "model")
    graph.add_conditional_edges("model", again, ["critic", "remember"])
    return graph.add_edge("critic", "model").compile(checkpointer=InMemorySaver())


SHORTER = "Make it shorter."


@pytest.mark.parametrize("name", ["critic", None])
def test_what_a_node_says_is_not_put_into_the_persons_mouth(people, ada, name):
    """A critic's human message hides no memory from the model, and isn't kept."""
    model = answering("You moved to Lyon.", "To Lyon.")

    say(with_critic(people, model, HumanMessage(SHORTER, name=name)), WHERE)

    assert [LYON in asked[0].text for asked in model.asked] == [True, True]
    assert texts(ada) == [LYON, WHERE, "To Lyon."]
    ada.consolidate()
    assert entry(ada, LYON).used == 1


def test_an_answer_that_a_critic_asked_for_can_be_taken_back(people, ada):
    """The correction finds the memories behind it, though a node spoke in between."""
    model = answering("You moved to Lyon.", "To Lyon.", "Sorry!", "Noted.")
    graph = with_critic(people, model, HumanMessage(SHORTER))

    say(graph, WHERE)
    say(graph, "No, I moved to Paris.")

    assert entry(ada, LYON).corrected == 1
    assert SHORTER not in texts(ada)


def test_workers_that_report_in_human_messages_are_not_the_person(people, ada):
    """A supervisor's workers speak before any answer; what they say isn't kept."""

    def model(state):
        report = HumanMessage("The weather is fine.", name="researcher")
        return {"messages": [report, AIMessage("To Lyon.")]}

    say(psm_graph(model, people).compile(), WHERE)

    assert texts(ada) == [LYON, WHERE, "To Lyon."]


def test_a_turn_that_nothing_was_recalled_for_is_kept_all_the_same(people):
    """A graph may skip its recall node: what follows an answer is the person's."""
    graph = StateGraph(PSMState).add_node("recall", recall_node(people))
    graph.add_node("model", answering("Ok.", "Noted."))
    graph.add_node("remember", remember_node(people))
    graph.add_conditional_edges(
        START,
        lambda state: "recall" if len(state["messages"]) == 1 else "model",
        ["recall", "model"],
    )
    graph.add_edge("recall", "model").add_edge("model", "remember")
    graph = graph.compile(checkpointer=InMemorySaver())

    say(graph, "I own a kayak.")
    say(graph, LYON)

    assert texts(people.memory("ada")) == ["I own a kayak.", "Ok.", LYON, "Noted."]


def test_a_person_who_is_named_has_said_it_under_that_name(people):
    """HumanMessage(name="bob") is kept as Bob's words, as in LangChain's agents."""
    graph = psm_graph(answering("Ok."), people).compile()

    say(graph, HumanMessage("I live in Oslo.", name="bob"))

    told = [(e.speaker, e.role) for e in people.memory("ada").entries()]
    assert told == [("bob", "user"), ("assistant", "assistant")]


# ------------------------------------------------------------------ what is learned


def test_what_the_answer_leaned_on_is_used(people, ada):
    """Nobody calls learn(): the node does, and a sleep applies it."""
    say(psm_graph(answering("To Lyon."), people).compile(), WHERE)

    ada.consolidate()

    assert entry(ada, LYON).used == 1


def test_a_correction_is_learned_before_anything_is_recalled(people, ada):
    """ "No, I moved to Paris" weakens Lyon at once, and hides it in this thread."""
    model = answering("To Lyon.", "Sorry!", "To Paris.")
    graph = psm_graph(model, people).compile(checkpointer=InMemorySaver())

    say(graph, WHERE)
    say(graph, "No, I moved to Paris.")
    say(graph, "So where did I move to last week?")

    lyon = entry(ada, LYON)
    assert (lyon.corrected, lyon.used) == (1, 0)
    assert not [m for asked in model.asked[1:] for m in asked if LYON in m.text]


def test_a_correction_that_is_run_again_counts_once(people, ada):
    """A recall that was cut off before its checkpoint corrects nothing twice."""
    graph = psm_graph(answering("To Lyon.", "Sorry!"), people).compile(
        checkpointer=InMemorySaver()
    )
    say(graph, WHERE)
    before = graph.get_state(on())
    said = HumanMessage("No, I moved to Paris.", id="m2")
    state = before.values | {"messages": [*before.values["messages"], said]}

    for _ in range(2):
        recall_node(people, user="ada").invoke(state, on())

    assert entry(ada, LYON).corrected == 1
    assert texts(ada).count("No, I moved to Paris.") == 1


# ----------------------------------------------------------------- whose memory it is


def test_a_run_without_a_person_names_all_ways_to_give_one(people):
    """No person is guessed: the error names context, config and argument."""
    graph = psm_graph(answering("Hm."), people).compile()
    ways = r"context=\{\"user_id\".*\"configurable\": \{\"user_id\".*user=\"ada\""

    with pytest.raises(UserError, match=ways):
        graph.invoke(
            {"messages": [HumanMessage(LYON)]}, {"configurable": {"thread_id": "t"}}
        )
    assert not [*(people.config.home / "people").glob("*/*")]


def test_context_wins_over_config_and_config_over_the_argument(people):
    """Each is asked in turn; a context may be an object or a dict."""

    @dataclasses.dataclass
    class Context:
        user_id: str

    graph = psm_graph(answering("Hm."), people, user="cem").compile()
    said = {"messages": [HumanMessage(LYON)]}

    graph.invoke(said, on(user="bob"), context=Context("ada"))
    graph.invoke(said, on(user="bob"), context={"user_id": "dag"})
    graph.invoke(said, on(user="bob"))
    graph.invoke(said, {"configurable": {"thread_id": "t1"}})

    for user in ("ada", "bob", "cem", "dag"):
        assert texts(people.memory(user)) == [LYON, "Hm."]


def test_an_empty_user_id_is_nobody(people, ada):
    """It is refused, wherever it stands, and never falls through to another person."""
    graph = psm_graph(answering("Hm."), people, user="ada").compile()
    said = {"messages": [HumanMessage(WHERE)]}

    with pytest.raises(UserError, match="a user id is empty"):
        graph.invoke(said, on(user=""))
    with pytest.raises(UserError, match="a user id is empty"):
        graph.invoke(said, on(user="ada"), context={"user_id": ""})
    assert texts(ada) == [LYON]


def test_a_user_id_may_be_the_number_zero(people):
    """A row's number is an id like any other, as in LangChain's agents."""
    graph = psm_graph(answering("Hm."), people, user="ada").compile()

    say(graph, LYON, on(user=0))

    assert texts(people.memory("0")) == [LYON, "Hm."]
    assert texts(people.memory("ada")) == []


def test_ada_never_sees_what_bob_said(people, ada):
    """One graph serves both, on one thread id even, and no word passes."""
    model = answering("Hm.")
    graph = psm_graph(model, people).compile()

    say(graph, "I moved to Oslo.", on(user="bob"))
    say(graph, "Which city did I move to?", on("t2", user="bob"))
    say(graph, "Which city did I move to?", on("t2", user="ada"))

    assert "Oslo" in model.asked[1][0].text
    assert "Lyon" not in model.asked[1][0].text
    assert "Lyon" in model.asked[2][0].text
    assert "Oslo" not in model.asked[2][0].text


def test_nobody_answers_for_what_another_was_shown(people):
    """Bob goes on in a thread of Ada's: her showing is none of his."""
    for user in ("ada", "bob"):
        people.memory(user).remember(Turn(LYON, id="told-to-both", session="earlier"))
    graph = psm_graph(answering("To Lyon.", "Sorry!"), people).compile(
        checkpointer=InMemorySaver()
    )
    say(graph, WHERE, on("shared", "ada"))

    say(graph, "No, I moved to Paris.", on("shared", "bob"))

    for user in ("ada", "bob"):
        assert people.memory(user).entry("told-to-both").corrected == 0


def test_without_a_thread_the_first_message_stands_for_the_conversation(people):
    """The session is named as LangChain's agents and tools name it."""
    graph = psm_graph(answering("Hm."), people, user="ada").compile()

    graph.invoke({"messages": [HumanMessage(LYON, id="m1")]})

    assert [t.text for t in people.memory("ada").working("from m1")] == [LYON, "Hm."]
    assert people.memory("ada").counts()[Tier.SEMANTIC] == 0


def test_without_a_thread_a_session_outlives_its_first_message(people):
    """A node that trims the conversation begins no other one within the run."""

    def model(state):
        gone = RemoveMessage(state["messages"][0].id)
        return {"messages": [gone, AIMessage("Hm.")]}

    graph = psm_graph(model, people, user="ada").compile()
    said = [HumanMessage("hello!", id="m1"), AIMessage("Hi."), HumanMessage(LYON)]
    graph.invoke({"messages": said})

    assert [t.text for t in people.memory("ada").working("from m1")] == [LYON, "Hm."]


def test_a_tool_of_langchain_finds_nothing_that_is_in_view(people, scripted):
    """Without a thread, too, search_memory knows the current message as the nodes do."""
    langchain = pytest.importorskip("psm_langchain")
    pytest.importorskip("langchain")
    call = {"name": "search_memory", "args": {"query": LYON}, "id": "c1"}
    chat = scripted(AIMessage("", tool_calls=[call]), "Hm.")
    graph = psm_graph(
        lambda state: {"messages": [chat.invoke(state["messages"])]},
        people,
        tools=langchain.memory_tools(people),
        user="ada",
    ).compile()

    out = graph.invoke(
        {"messages": [HumanMessage(LYON)]}, {"configurable": {"user_id": "ada"}}
    )

    assert [m.text for m in out["messages"]][2] == "Nothing is remembered about that."


def test_psm_state_is_messages_and_one_private_key():
    """What a state of one's own inherits."""
    assert set(PSMState.__annotations__) == {"messages", "psm"}


def test_what_was_trimmed_out_of_the_middle_may_be_recalled(people):
    """A node keeps the first message and the last few: what lay between comes back."""
    allergic = "I'm allergic to peanuts."

    def trim(state):
        told = state["messages"]
        gone = RemoveMessage(id=REMOVE_ALL_MESSAGES)
        return {"messages": [gone, told[0], *told[-3:]]} if len(told) > 4 else {}

    model = answering("Noted.")
    graph = (
        StateGraph(PSMState)
        .add_node("trim", trim)
        .add_node("recall", recall_node(people))
        .add_node("model", with_memories(model, people))
        .add_node("remember", remember_node(people))
        .add_edge(START, "trim")
        .add_edge("trim", "recall")
        .add_edge("recall", "model")
        .add_edge("model", "remember")
        .compile(checkpointer=InMemorySaver())
    )

    for words in ("Hi there.", allergic, "I own a kayak.", "I like tea."):
        say(graph, words)
    say(graph, "Am I allergic to peanuts?")

    assert allergic in model.asked[-1][0].text
    assert allergic not in [message.text for message in model.asked[-1][1:]]
