"""PSMStore and people: whose a value is, where it lives, and how it ends."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

pytest.importorskip("langgraph")

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore, ListNamespacesOp, PutOp

from psm_core import People, Tier, Turn, hookimpl
from psm_core.errors import ConfigError, PluginError, StoreError, UserError
from psm_langgraph import PSMStore, psm_graph

ROOT = Path(__file__).parents[2]
ADA, BOB = ("memories", "ada"), ("memories", "bob")
LYON = {"content": "Ada moved to Lyon"}


@pytest.fixture
def people():
    with People() as people:
        yield people


@pytest.fixture
def store(people):
    return PSMStore(people)


def texts(memory):
    return [entry.text for entry in memory.entries()]


def keys(items):
    return [item.key for item in items]


# -------------------------------------------------------------------------- whose


def test_ada_never_finds_what_was_put_for_bob(store):
    """Each namespace is searched in its own person's memory, and nowhere else."""
    store.put(ADA, "k", {"content": "Ada moved to Lyon"})
    store.put(BOB, "k", {"content": "Bob moved to Oslo"})

    assert [i.value for i in store.search(ADA, query="moved to Oslo")] == [LYON]
    assert keys(store.search(BOB)) == ["k"]
    assert store.list_namespaces(prefix=ADA) == [ADA]


@pytest.mark.parametrize("prefix", [(), ("memories",), ("memories", "*")])
def test_nobody_looks_into_all_people_at_once(store, prefix):
    """A search or a list that could be several people's is refused."""
    store.put(ADA, "k", LYON)

    if "*" not in prefix:
        with pytest.raises(UserError, match="several people"):
            store.search(prefix)
    with pytest.raises(UserError, match="several people"):
        store.list_namespaces(prefix=prefix)
    with pytest.raises(UserError, match="several people"):
        store.batch([ListNamespacesOp()])


def test_a_namespace_that_names_nobody_is_refused(store, people):
    """No silent shared place: the error says how namespaces begin, and two ways out."""
    with pytest.raises(UserError, match=r"'docs'.*begin like .*shared="):
        store.put(("docs", "manual"), "k", {"n": 1})
    with pytest.raises(UserError):
        store.batch([PutOp(ADA, "k", LYON), PutOp(("docs",), "k", {"n": 1})])

    assert store.get(ADA, "k") is None


def test_shared_names_who_owns_the_rest(people):
    """shared="team": what names no person is the team's; people's stays theirs."""
    store = PSMStore(people, shared="team")

    store.put(("docs", "manual"), "k", {"content": "Restart the pump twice"})
    store.put(ADA, "k", LYON)

    assert keys(store.search(("docs",), query="restart the pump")) == ["k"]
    assert texts(people.memory("team")) == ["Restart the pump twice"]
    assert texts(people.memory("ada")) == ["Ada moved to Lyon"]


def test_a_wildcard_beside_the_person_is_still_theirs(people):
    """("*", "ada") is ada's, and never what is shared."""
    store = PSMStore(people, shared="team")
    store.put(("docs", "ada"), "k", {"n": 1})
    store.put(ADA, "k", LYON)

    assert store.list_namespaces(prefix=("*", "ada")) == [ADA]


@pytest.mark.parametrize(
    ("template", "space"),
    [
        (("{user_id}",), ("ada", "notes")),
        (("{user_id}", "memories"), ("ada", "memories")),
        (("*", "{user}"), ("anything", "ada", "deep", "er")),
    ],
)
def test_the_person_may_stand_anywhere(people, template, space):
    """namespace= says where; what follows the template is free."""
    store = PSMStore(people, namespace=template)

    store.put(space, "k", LYON)

    assert texts(people.memory("ada")) == ["Ada moved to Lyon"]


def test_a_template_names_exactly_one_person(people):
    """None or two is an error when the store is made."""
    for template in [("memories",), ("{org}", "{user}"), ()]:
        with pytest.raises(ConfigError, match="exactly one"):
            PSMStore(people, namespace=template)


def test_an_address_fits_into_a_label_when_it_is_quoted(people):
    """Labels take no dot; user_of= turns a quoted one back into the user id."""
    store = PSMStore(people, user_of=unquote)
    label = quote("ada@example.org", safe="@").replace(".", "%2E")

    store.put(("memories", label), "k", LYON)

    assert texts(people.memory("ada@example.org")) == ["Ada moved to Lyon"]


def test_without_user_of_no_label_is_another_persons(people):
    """Nobody reads ada's memory under a label that only decodes to her."""
    PSMStore(people, namespace=("{u}",)).put(("%61da",), "k", LYON)

    assert texts(people.memory("ada")) == []


def test_who_only_looks_makes_nobody_a_folder(store, people):
    """Reading what was never written leaves no trace of the name."""
    assert store.get(ADA, "k") is None
    assert store.search(ADA, query="Lyon") == []
    assert store.list_namespaces(prefix=ADA) == []
    assert not [*(people.config.home / "people").glob("*/*")]


def test_an_encoder_of_ones_own_is_refused(people):
    """The memory has its encoder; index= takes fields, or False, alone."""
    with pytest.raises(ConfigError, match="dims, embed"):
        PSMStore(people, index={"dims": 3, "embed": len, "fields": ["x"]})
    store = PSMStore(people, index=False)
    store.put(ADA, "k", LYON)
    assert texts(people.memory("ada")) == []


# --------------------------------------------------------------- where it lives, and how


def test_a_value_lives_in_the_persons_memory(store, people):
    """What a tool wrote down surfaces in a conversation that never saw the store."""
    store.put(ADA, "k", LYON)
    asked = []

    def model(state):
        asked.append(state["messages"])
        return {"messages": [AIMessage("Hm.")]}

    psm_graph(model, people, user="ada").compile().invoke(
        {"messages": [HumanMessage("Where did Ada move to?")]}
    )

    assert "assistant: Ada moved to Lyon" in asked[0][0].text


def test_what_was_said_is_no_value(store, people):
    """A search of the store finds values, not the conversation beside them."""
    memory = people.memory("ada")
    memory.remember_many(
        [Turn(f"I moved to Lyon in year {n}.", session="chat") for n in range(40)]
    )
    store.put(ADA, "k", LYON)

    found = store.search(ADA, query="Who moved to Lyon?", limit=5)

    assert keys(found) == ["k"]
    assert [e.recalled for e in memory.entries() if e.session == "chat"] == [0] * 40


def test_only_what_a_page_shows_counts_as_shown(store, people):
    """limit=1 logs one showing, however many values would surface."""
    for n in range(5):
        store.put(ADA, f"k{n}", {"content": f"Ada moved to city number {n}"})

    store.search(ADA, query="moved to which city", limit=1)

    assert sum(e.recalled for e in people.memory("ada").entries()) == 1


@pytest.mark.parametrize("query", ["", "  ", "???"])
def test_a_query_without_a_word_asks_for_nothing(store, query):
    """Blank or marks alone, it leaves nothing out: what was written last comes first."""
    for n in range(3):
        store.put(ADA, f"k{n}", {"content": f"Ada moved {n} times"})

    found = store.search(ADA, query=query)

    assert [(i.key, i.score) for i in found] == [
        ("k2", None),
        ("k1", None),
        ("k0", None),
    ]


def test_a_long_value_is_one_value(store, people):
    """Its passages are found one by one; it comes back once, and whole."""
    chapter = " ".join(f"Sentence {n} tells of a red kayak." for n in range(300))
    store.put(ADA, "long", {"content": chapter})
    store.put(ADA, "short", {"content": "Ada owns a red kayak"})

    found = store.search(ADA, query="a red kayak", limit=10)

    assert sorted(keys(found)) == ["long", "short"]
    assert len(people.memory("ada").entries()) > 5
    store.delete(ADA, "long")
    assert texts(people.memory("ada")) == ["Ada owns a red kayak"]


def test_a_value_is_found_however_little_it_seems_worth(store, people):
    """What the gate sends to the archive is found in a search all the same."""
    store.put(ADA, "k", {"content": "Ok, ada"})

    assert [e.tier for e in people.memory("ada").entries()] == [Tier.ARCHIVAL]
    assert keys(store.search(ADA, query="Ok, ada")) == ["k"]


def test_first_put_and_last_put(people, clock):
    """created_at stays, updated_at moves; the last one written comes first."""
    store = PSMStore(people, clock=clock)
    store.put(ADA, "a", {"n": 1})
    clock.move(minutes=1)
    store.put(ADA, "b", {"n": 1})
    clock.move(minutes=1)
    store.put(ADA, "a", {"n": 2})

    item = store.get(ADA, "a")

    assert item.updated_at - item.created_at == timedelta(minutes=2)
    assert keys(store.search(ADA)) == ["a", "b"]


def test_a_deleted_value_is_in_no_file(store, people):
    """delete() is forget(): no byte is left in the folder, while others look on even."""
    store.put(ADA, "k", {"content": "Ada's secret is Xylophonium"})
    (path,) = (people.config.home / "people").glob("*/*/items.sqlite")
    onlooker = sqlite3.connect(path)
    onlooker.execute("SELECT count(*) FROM item").fetchall()
    store.put(ADA, "k2", {"content": "Ada's other secret is Xylophonia"})
    store.put(ADA, "k2", {"content": "harmless"})
    store.delete(ADA, "k")

    files = [p for p in path.parent.rglob("*") if p.is_file()]

    assert {"items.sqlite", "items.sqlite-wal"} <= {p.name for p in files}
    assert not [p.name for p in files if b"Xylophon" in p.read_bytes()]
    onlooker.close()


@pytest.mark.parametrize(
    "look",
    [
        lambda store: store.get(ADA, "k"),
        lambda store: [i for i in store.search(ADA) if i.namespace == ADA],
        lambda store: ADA in store.list_namespaces(prefix=ADA),
    ],
)
def test_a_value_whose_words_are_forgotten_is_gone(store, people, look):
    """forget() of a value's memory takes the value along, and no other."""
    store.put((*ADA, "stays"), "k", {"content": "Ada owns a red kayak"})
    store.put(ADA, "k", {"content": "Ada's secret is Xylophonium"})
    (name,) = (e.id for e in people.memory("ada").entries() if "Xylo" in e.text)

    people.memory("ada").forget(name)

    assert not look(store)
    assert keys(store.search(ADA)) == ["k"]
    assert store.get((*ADA, "stays"), "k").value == {"content": "Ada owns a red kayak"}
    (path,) = (people.config.home / "people").glob("*/*/items.sqlite")
    files = [p for p in path.parent.rglob("*") if p.is_file()]
    assert not [p.name for p in files if b"Xylophon" in p.read_bytes()]


def test_a_value_whose_words_another_process_forgot_is_gone(store):
    """The ledger tells it, whoever said so, and a new value takes its place."""
    store.put(ADA, "k", LYON)
    with People() as others:
        memory = others.memory("ada")
        memory.forget(memory.entries()[0].id)

    assert store.get(ADA, "k") is None
    store.put(ADA, "k", LYON)
    assert store.get(ADA, "k").value == LYON


def test_half_a_character_in_a_key_is_refused_in_our_words(store, people):
    """A lone surrogate can't be written down; nothing is, and nothing is found."""
    with pytest.raises(StoreError, match="lone surrogate"):
        store.put(ADA, "a\ud800", LYON)
    with pytest.raises(StoreError, match="lone surrogate"):
        store.get(ADA, "a\ud800")

    assert store.search(ADA) == []
    assert texts(people.memory("ada")) == []


def test_erasing_the_person_erases_the_values(store, people):
    """The proof names the file, nothing is left, and the store goes on from nothing."""
    store.put(ADA, "k", LYON)

    proof = people.memory("ada").erase()

    assert "items.sqlite" in proof.files
    assert proof.left == ()
    assert store.get(ADA, "k") is None
    store.put(ADA, "k", {"n": 1})
    assert store.get(ADA, "k").value == {"n": 1}


def test_another_process_sees_the_same(store):
    """All of it is on disk when put() returns."""
    store.put(ADA, "k", LYON)

    with People() as others:
        there = PSMStore(others)
        assert there.get(ADA, "k").value == LYON
        assert keys(there.search(ADA, query="moved to Lyon")) == ["k"]


def test_a_redactor_that_fails_keeps_nothing():
    """Fail closed: neither the value nor its words are stored, the old one stays."""

    class Redactor:
        @hookimpl
        def psm_redact(self, text, user):
            if "4711" in text:
                raise RuntimeError("no")
            return text

    with People(plugins=[Redactor()]) as people:
        store = PSMStore(people)
        store.put(ADA, "k", LYON)
        with pytest.raises(PluginError):
            store.put(ADA, "k", {"content": "the number is 4711"})

        assert store.get(ADA, "k").value == LYON
        assert texts(people.memory("ada")) == ["Ada moved to Lyon"]
        assert keys(store.search(ADA, query="moved to Lyon")) == ["k"]


def test_a_value_that_is_no_json_is_refused(store, people):
    """TypeError, as from the other stores that write; nothing is kept of it."""
    with pytest.raises(TypeError):
        store.put(ADA, "k", {"when": datetime.now(UTC)})

    assert store.get(ADA, "k") is None
    store.put(ADA, "other", {"n": 1})
    assert texts(people.memory("ada")) == ["n: 1"]


# ----------------------------------------------------------------------------- TTL


@pytest.fixture
def timed(people, clock):
    return PSMStore(people, clock=clock)


def test_a_value_ends_after_its_time(timed, people, clock):
    """From then on no door shows it, and its words are forgotten."""
    timed.put(ADA, "k", LYON, ttl=10)
    timed.put(ADA, "stays", {"n": 1})
    clock.move(minutes=10)

    assert timed.get(ADA, "k") is None
    assert keys(timed.search(ADA)) == ["stays"]
    assert texts(people.memory("ada")) == ["n: 1"]


@pytest.mark.parametrize("read", ["get", "search", "query"])
def test_reading_puts_the_end_off(timed, clock, read):
    """The time counts from the last read, unless refresh_ttl=False says otherwise."""
    timed.put(ADA, "k", LYON, ttl=10)

    def look(**options):
        if read == "get":
            return timed.get(ADA, "k", **options)
        query = "moved to Lyon" if read == "query" else None
        return timed.search(ADA, query=query, **options)

    for _ in range(3):
        clock.move(minutes=9)
        assert look()
    clock.move(minutes=9)
    assert look(refresh_ttl=False)
    clock.move(minutes=1)
    assert not look()


def test_the_ttl_of_a_store(people, clock):
    """default_ttl holds for every put; refresh_on_read=False for every read."""
    ttl = {"default_ttl": 10, "refresh_on_read": False}
    store = PSMStore(people, clock=clock, ttl=ttl)
    store.put(ADA, "k", LYON)
    store.put(ADA, "forever", {"n": 1}, ttl=None)
    clock.move(minutes=9)
    assert store.get(ADA, "k")
    clock.move(minutes=1)

    assert keys(store.search(ADA)) == ["forever"]


def test_a_put_sets_the_time_anew(timed, clock):
    """Put again without a time, it stays."""
    timed.put(ADA, "k", LYON, ttl=1)
    timed.put(ADA, "k", LYON)
    clock.move(days=1)

    assert timed.get(ADA, "k").value == LYON


def test_a_sweep_goes_through_all_people(timed, people, clock):
    """sweep_ttl() forgets what nobody asks for, and says how much."""
    timed.put(ADA, "k", LYON, ttl=1)
    timed.put(BOB, "k", {"content": "Bob moved to Oslo"}, ttl=1)
    timed.put(BOB, "k2", {"n": 1}, ttl=5)
    people.memory("cem").remember(Turn("I have no store."))
    clock.move(minutes=1)

    assert (timed.sweep_ttl(), timed.sweep_ttl()) == (2, 0)
    assert texts(people.memory("ada")) == []
    assert texts(people.memory("bob")) == ["n: 1"]


# ------------------------------------------------------------------ graphs and langmem


def test_nodes_get_the_store_of_their_graph(store):
    """store= of any graph: nodes read and write it by injection."""

    def node(state, *, store: BaseStore):
        store.put(ADA, "k", {"content": state["messages"][-1].text})
        return {"messages": [AIMessage(store.search(ADA)[0].value["content"])]}

    graph = StateGraph(MessagesState).add_node("n", node).add_edge(START, "n")
    out = graph.compile(store=store).invoke({"messages": [HumanMessage("tea")]})

    assert out["messages"][-1].text == "tea"


@pytest.fixture
def tools(store):
    langmem = pytest.importorskip("langmem")
    space = ("memories", "{user_id}")
    return (
        langmem.create_manage_memory_tool(space, store=store),
        langmem.create_search_memory_tool(space, store=store),
    )


def on(user="ada"):
    return {"configurable": {"user_id": user}}


def test_langmems_tools_run_on_it(store, people, tools):
    """Create, search, update and delete, each person for themselves."""
    manage, search = tools
    said = manage.invoke({"content": "Ada moved to Lyon", "action": "create"}, on())
    manage.invoke({"content": "Bob moved to Oslo"}, on("bob"))
    name = said.rpartition(" ")[2]

    (found,) = json.loads(search.invoke({"query": "Who moved where?"}, on()))
    assert (found["key"], found["value"]) == (name, LYON)
    assert found["score"] > 0

    manage.invoke({"content": "Ada moved on", "action": "update", "id": name}, on())
    assert texts(people.memory("ada")) == ["Ada moved on"]
    manage.invoke({"action": "delete", "id": name}, on())
    assert json.loads(search.invoke({"query": "moved"}, on())) == []
    assert texts(people.memory("bob")) == ["Bob moved to Oslo"]


async def test_langmems_tools_run_async(people, tools):
    """The same through ainvoke."""
    manage, search = tools
    await manage.ainvoke({"content": "Ada moved to Lyon"}, on())

    (found,) = json.loads(await search.ainvoke({"query": "moved to Lyon"}, on()))

    assert found["value"] == LYON


def test_an_agent_uses_the_tools(store, people, scripted):
    """create_agent(store=): what the model writes down is in the person's memory."""
    agents = pytest.importorskip("langchain.agents")
    langmem = pytest.importorskip("langmem")
    call = {"name": "manage_memory", "args": {"content": "Ada moved"}, "id": "c1"}
    agent = agents.create_agent(
        scripted(AIMessage("", tool_calls=[call]), "Noted."),
        [langmem.create_manage_memory_tool(("memories", "{user_id}"))],
        store=store,
    )

    agent.invoke({"messages": [HumanMessage("I moved!")]}, on())

    assert texts(people.memory("ada")) == ["Ada moved"]


# ------------------------------------------------------------------- crowds and kills


def test_eight_threads_put_for_twenty_people(store, people):
    """160 puts at once: each value is there, once, under its own person."""
    faults = []

    def put(thread):
        try:
            for n in range(20):
                value = {"content": f"u{n:02} moved to town {thread}"}
                store.put(("memories", f"u{n:02}"), str(thread), value)
                store.put(("memories", f"u{n:02}"), "same", value)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=put, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    for n in range(20):
        space = ("memories", f"u{n:02}")
        items = store.search(space, limit=20)
        assert sorted(keys(items)) == [*"01234567", "same"]
        told = texts(people.memory(f"u{n:02}"))
        assert sorted(told) == sorted(i.value["content"] for i in items)


async def test_a_hundred_tasks_share_one_loop(store):
    """aput and asearch of 20 people in 100 tasks: nobody finds another's."""

    async def task(n):
        space = ("memories", f"u{n % 20:02}")
        await store.aput(space, str(n), {"content": f"u{n % 20:02} moved {n} times"})
        return space, await store.asearch(space, query="who moved?", limit=20)

    found = await asyncio.gather(*(task(n) for n in range(100)))

    assert all(i.namespace == space for space, items in found for i in items)
    for n in range(20):
        assert len(await store.asearch(("memories", f"u{n:02}"), limit=20)) == 5


_PROGRAM = """
import os, signal, sys
from psm_core import People
from psm_core.memory import Memory
from psm_langgraph import PSMStore
from psm_langgraph.items import Items

store = PSMStore(People())
store.put(("memories", "ada"), "k", {"content": "Ada moved to Lyon"})
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def after(act):
    def killed(*args, **named):
        act(*args, **named)
        die()
    return killed
match sys.argv[1]:
    case "before the words":
        Memory.remember_many = die
    case "after the words":
        Memory.remember_many = after(Memory.remember_many)
    case "before the old is forgotten":
        Memory.forget = die
    case "after the old is forgotten":
        Memory.forget = after(Memory.forget)
store.put(("memories", "ada"), "k", {"content": "Ada moved to Paris"})
"""


@pytest.mark.parametrize(
    ("where", "stands"),
    [
        ("before the words", "Ada moved to Lyon"),
        ("after the words", "Ada moved to Lyon"),
        ("before the old is forgotten", "Ada moved to Paris"),
        ("after the old is forgotten", "Ada moved to Paris"),
    ],
)
def test_a_kill_during_a_put_leaves_the_old_value_or_the_new_one(where, stands):
    """kill -9 at four places: value and words agree, and no third thing is left."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langgraph")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), where],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

    with People() as people:
        store = PSMStore(people)
        found = store.search(ADA, query="Where did Ada move to?")

        assert [i.value["content"] for i in found] == [stands]
        assert store.get(ADA, "k").value == {"content": stands}
        assert texts(people.memory("ada")) == [stands]
