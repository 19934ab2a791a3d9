"""The contract of a LangGraph store: one suite, held against three of them."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langgraph.store.sqlite")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from psm_core import People
from psm_langgraph import PSMStore

NS = ("memories", "ada")
DIET = ("memories", "ada", "diet")
TRIP = ("memories", "ada", "trips", "2026")


def embed(texts):
    """Words for vectors, so that all three stores rank by the same thing."""
    rows = []
    for text in texts:
        row = [0.0] * 256
        for word in text.lower().replace('"', " ").split():
            row[zlib.crc32(word.strip(".,:{}").encode()) % 256] += 1.0
        rows.append(row)
    return rows


def opened(kind, fields=None):
    """A store of this kind, and what closes it."""
    if kind == "psm":
        people = People()
        index = None if fields is None else {"fields": fields}
        return PSMStore(people, index=index), people.close
    if kind == "memory":
        index = {"dims": 256, "embed": embed, "fields": fields or ["$"]}
        return InMemoryStore(index=index), lambda: None
    # Not every Python's SQLite loads the extension that its vectors need.
    context = SqliteStore.from_conn_string(":memory:")
    store = context.__enter__()
    store.setup()
    return store, lambda: context.__exit__(None, None, None)


@pytest.fixture(params=["memory", "sqlite", "psm"])
def kind(request):
    return request.param


@pytest.fixture
def store(kind):
    """All three, for what needs no meaning."""
    store, close = opened(kind)
    yield store
    close()


@pytest.fixture(params=["memory", "psm"])
def ranking(request):
    """Those that rank by meaning."""
    store, close = opened(request.param)
    yield store
    close()


def keys(items):
    return [item.key for item in items]


# ------------------------------------------------------------------- get, put, delete


def test_what_was_put_is_got(store):
    """A value comes back with its key, its namespace and when it was put."""
    start = datetime.now(UTC) - timedelta(seconds=1)

    store.put(NS, "k", {"content": "Ada likes tea"})
    item = store.get(NS, "k")

    assert (item.key, item.namespace) == ("k", NS)
    assert item.value == {"content": "Ada likes tea"}
    assert (
        start
        <= item.created_at.replace(tzinfo=UTC)
        <= item.updated_at.replace(tzinfo=UTC)
    )


VALUES = [
    {"a": 1, "b": 2.5, "c": True, "d": None, "e": "", "f": [], "g": {}},
    {"deep": {"list": [{"x": [1, [2, [3]]]}], "n": -(2**53)}},
    {
        "text": "Zürich 東京 \U0001f600 \"quoted\" \\back\\ <memories of='x'>y</memories>"
    },
    {"odd keys": 1, "": 2, "a.b": 3, "$gt": 4, "ключ": 5},
    {"lines": "  one\n\ttwo  \r\n", "zero": 0, "false": False, "e": 1e-300},
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_exactly(store, value):
    """Types, order, space, marks and nesting are as they were."""
    store.put(NS, "k", value)

    found = store.get(NS, "k").value

    assert found == value
    assert repr(found) == repr(value)


def test_nothing_is_none(store):
    """A key that isn't there is None; deleting it is no error."""
    assert store.get(NS, "k") is None
    store.delete(NS, "k")
    assert store.search(NS) == []


def test_a_second_put_replaces_the_first(store):
    """One key holds one value; the old one is found no more."""
    store.put(NS, "k", {"content": "Ada lives in Lyon"})
    store.put(NS, "k", {"content": "Ada owns a kayak"})

    assert store.get(NS, "k").value == {"content": "Ada owns a kayak"}
    assert len(store.search(NS)) == 1


def test_what_was_replaced_is_found_no_more(ranking):
    """A query for the old words brings the new value, or nothing."""
    ranking.put(NS, "k", {"content": "Ada lives in Lyon"})
    ranking.put(NS, "k", {"content": "Ada owns a kayak"})

    found = ranking.search(NS, query="Ada lives in Lyon")

    assert [item.value for item in found] == [{"content": "Ada owns a kayak"}]


def test_a_deleted_value_is_gone(store):
    """Neither get nor search finds it, and other values stay."""
    store.put(NS, "k", {"content": "Ada lives in Lyon"})
    store.put(DIET, "k", {"content": "Ada likes tea"})

    store.delete(NS, "k")

    assert store.get(NS, "k") is None
    assert [i.namespace for i in store.search(NS)] == [DIET]


def test_what_was_deleted_is_found_no_more(ranking):
    """Not by its own words either."""
    ranking.put(NS, "k", {"content": "Ada lives in Lyon"})
    ranking.delete(NS, "k")

    assert ranking.search(NS, query="Ada lives in Lyon") == []


def test_one_key_in_two_namespaces_is_two_values(store):
    """Keys are unique within their namespace, not below it."""
    store.put(NS, "k", {"n": 1})
    store.put(DIET, "k", {"n": 2})

    assert store.get(NS, "k").value == {"n": 1}
    assert store.get(DIET, "k").value == {"n": 2}


def test_a_key_may_be_a_number(store):
    """Whatever it is, a key is its text."""
    store.put(NS, 7, {"n": 1})

    assert store.get(NS, "7").value == {"n": 1}


# ---------------------------------------------------------------------------- search


def test_a_prefix_finds_all_below_it_and_nothing_beside_it(store):
    """Labels are whole: "ada" is no prefix of "adam"."""
    for space in (NS, DIET, TRIP):
        store.put(space, "k", {"n": 1})
    store.put(("memories", "ada", "dieting"), "k", {"n": 1})

    assert {i.namespace for i in store.search(NS)} == {
        NS,
        DIET,
        TRIP,
        ("memories", "ada", "dieting"),
    }
    assert {i.namespace for i in store.search(DIET)} == {DIET}
    assert {i.namespace for i in store.search(TRIP[:3])} == {TRIP}


def test_pages_are_all_of_it_once(store):
    """limit and offset cut what is found into pages."""
    for n in range(7):
        store.put(NS, f"k{n}", {"n": n})

    pages = [store.search(NS, limit=3, offset=at) for at in (0, 3, 6, 9)]

    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert len({item.key for page in pages for item in page}) == 7


def put_four(store):
    store.put(NS, "tea", {"kind": "food", "n": 1, "good": True, "t": "Ada likes tea"})
    store.put(NS, "nuts", {"kind": "food", "n": 2, "good": False, "t": "Ada eats nuts"})
    store.put(NS, "lyon", {"kind": "place", "n": 3, "t": "Ada lives in Lyon"})
    store.put(NS, "mia", {"kind": "family", "n": 4, "t": "Ada has a sister, Mia"})


FILTERS = [
    ({"kind": "food"}, {"tea", "nuts"}),
    ({"kind": "food", "n": 2}, {"nuts"}),
    ({"n": {"$eq": 1}}, {"tea"}),
    ({"n": {"$ne": 1}}, {"nuts", "lyon", "mia"}),
    ({"n": {"$gt": 2}}, {"lyon", "mia"}),
    ({"n": {"$gte": 2}}, {"nuts", "lyon", "mia"}),
    ({"n": {"$lt": 2}}, {"tea"}),
    ({"n": {"$lte": 2.5}}, {"tea", "nuts"}),
    ({"n": {"$gt": 1, "$lt": 4}}, {"nuts", "lyon"}),
    ({"kind": "none"}, set()),
    ({"good": True}, {"tea"}),
]


@pytest.mark.parametrize(("wanted", "expected"), FILTERS)
def test_filters(store, wanted, expected):
    """Equality and each operator, alone and together."""
    put_four(store)

    assert set(keys(store.search(NS, filter=wanted))) == expected


@pytest.mark.parametrize(("wanted", "expected"), FILTERS)
def test_filters_with_a_query(ranking, wanted, expected):
    """A query ranks what passes the filter, and nothing else."""
    put_four(ranking)

    found = ranking.search(NS, query="Ada: tea, nuts, Lyon, Mia", filter=wanted)

    assert set(keys(found)) == expected


def test_an_unknown_operator_is_refused(store):
    """A filter that can't be kept is an error, not an empty answer."""
    store.put(NS, "k", {"n": 1})

    with pytest.raises(ValueError, match=r"\$near"):
        store.search(NS, filter={"n": {"$near": 1}})


def test_a_query_ranks_by_meaning_and_scores(ranking):
    """Best first, with a score that falls; without a query there is none."""
    ranking.put(NS, "lyon", {"content": "Ada lives in Lyon near the river"})
    ranking.put(NS, "tea", {"content": "Ada likes green tea in the morning"})
    ranking.put(NS, "kayak", {"content": "Ada owns a red kayak"})

    found = ranking.search(NS, query="a red kayak", limit=2)

    assert found[0].key == "kayak"
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(score, float) for score in scores)
    assert {item.score for item in ranking.search(NS)} == {None}


def test_limit_and_offset_of_a_query(ranking):
    """A page of a ranked answer is that part of the whole."""
    for n in range(6):
        words = " ".join(["kayak"] * (n + 1))
        ranking.put(NS, f"k{n}", {"content": f"{words} number {n} is here"})

    whole = keys(ranking.search(NS, query="kayak number", limit=6))

    assert len(whole) == 6
    assert (
        keys(ranking.search(NS, query="kayak number", limit=2, offset=0)) == whole[:2]
    )


def test_index_false_hides_a_value_from_meaning_only(ranking):
    """It is got and listed, and never scored."""
    ranking.put(NS, "k", {"content": "Ada lives in Lyon"}, index=False)

    assert ranking.get(NS, "k").value == {"content": "Ada lives in Lyon"}
    assert keys(ranking.search(NS)) == ["k"]
    assert [i for i in ranking.search(NS, query="lives in Lyon") if i.score] == []


def test_fields_of_one_put(ranking):
    """index=[...] names what is found by meaning; the rest isn't."""
    value = {"title": "Ada owns a kayak", "body": {"text": "She lives in Lyon"}}
    other = {"title": "Bread", "body": {"text": "Flour, water and salt"}}
    ranking.put(NS, "k", value, index=["body.text"])
    ranking.put(NS, "other", other, index=["body.text"])

    assert keys(ranking.search(NS, query="She lives in Lyon", limit=1)) == ["k"]


@pytest.mark.parametrize("kind", ["memory", "psm"])
def test_fields_of_a_store(kind):
    """index={"fields": [...]} does the same for every put; lists count each."""
    store, close = opened(kind, ["notes[*].text"])
    store.put(NS, "a", {"notes": [{"text": "red kayak"}, {"text": "green tea"}]})
    store.put(NS, "b", {"notes": [{"text": "brown bread"}], "x": "green tea"})

    assert keys(store.search(NS, query="green tea", limit=1)) == ["a"]
    close()


# ------------------------------------------------------------------------ namespaces


@pytest.fixture
def spaces(store):
    for space in (NS, DIET, TRIP, ("memories", "ada", "trips", "2025")):
        store.put(space, "k", {"n": 1})
    return store


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [NS, DIET, ("memories", "ada", "trips", "2025"), TRIP]),
        ({"max_depth": 3}, [NS, DIET, ("memories", "ada", "trips")]),
        ({"max_depth": 2}, [NS]),
        ({"suffix": ("2026",)}, [TRIP]),
        ({"suffix": ("*", "2026")}, [TRIP]),
        ({"limit": 2}, [NS, DIET]),
        ({"limit": 2, "offset": 1}, [DIET, ("memories", "ada", "trips", "2025")]),
    ],
)
def test_namespaces_are_listed(spaces, wanted, expected):
    """By prefix, suffix, wildcard and depth, in order and in pages."""
    found = spaces.list_namespaces(prefix=NS, **wanted)

    assert sorted(found) == sorted(expected)


def test_a_wildcard_in_a_prefix(spaces):
    """ "*" stands for any one label."""
    found = spaces.list_namespaces(prefix=("memories", "ada", "*", "2026"))

    assert found == [TRIP]


@pytest.mark.parametrize("space", [(), ("",), ("a.b",), (1,), ("langgraph", "x")])
def test_namespaces_that_langgraph_refuses(store, space):
    """The base class's own rules hold."""
    with pytest.raises(InvalidNamespaceError):
        store.put(space, "k", {"n": 1})


# --------------------------------------------------------------------------- batches


def test_a_batch_answers_in_order_from_what_was_there_before(store):
    """Reads see the store as it was; of two puts on one key the last one stands."""
    store.put(NS, "old", {"n": 0})

    results = store.batch(
        [
            PutOp(NS, "new", {"n": 1}),
            GetOp(NS, "new"),
            GetOp(NS, "old"),
            SearchOp(NS),
            PutOp(NS, "new", {"n": 2}),
            PutOp(NS, "old", None),
            ListNamespacesOp((MatchCondition("prefix", NS),)),
        ]
    )

    assert results[0] is results[4] is results[5] is None
    assert results[2].value == {"n": 0}
    assert results[6] == [NS]
    assert store.get(NS, "new").value == {"n": 2}
    assert store.get(NS, "old") is None


@pytest.mark.parametrize("kind", ["memory", "psm"])
async def test_each_method_has_an_async_twin_that_does_the_same(kind):
    """aput, aget, asearch, alist_namespaces, adelete and abatch."""
    store, close = opened(kind)

    await store.aput(NS, "k", {"content": "Ada owns a red kayak"})
    assert (await store.aget(NS, "k")).value == {"content": "Ada owns a red kayak"}
    assert keys(await store.asearch(NS, query="red kayak")) == ["k"]
    assert await store.alist_namespaces(prefix=NS) == [NS]
    assert keys((await store.abatch([SearchOp(NS)]))[0]) == ["k"]
    await store.adelete(NS, "k")
    assert await store.aget(NS, "k") is None
    close()


# ------------------------------------------------------------------- the three alike

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc$.", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with People(home=tmp_path_factory.mktemp("both"), encoder="hash") as people:
        yield InMemoryStore(), PSMStore(people, index=False)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    puts=st.lists(
        st.tuples(
            st.sampled_from([NS, DIET, TRIP]),
            st.sampled_from("abc"),
            st.none() | st.dictionaries(st.text("xyz", max_size=2), JSON, max_size=3),
        ),
        max_size=6,
    ),
    wanted=st.none() | st.dictionaries(st.sampled_from("xyz"), JSON, max_size=1),
)
def test_whatever_is_put_it_answers_as_in_memory_store_does(both, puts, wanted):
    """Any JSON under any key: the same items, values and namespaces in both."""
    if any("$" in str(v) for v in (wanted or {}).values()):
        wanted = None
    for store in both:
        for space in (NS, DIET, TRIP):
            for key in "abc":
                store.delete(space, key)
        for space, key, value in puts:
            if value is None:
                store.delete(space, key)
            else:
                store.put(space, key, value)

    for passing in (None, wanted):
        one, other = (
            {
                (i.namespace, i.key): repr(i.value)
                for i in store.search(NS, filter=passing, limit=50)
            }
            for store in both
        )
        assert one == other
    there = {item.namespace for item in both[0].search(NS, limit=50)}
    assert set(both[1].list_namespaces(prefix=NS)) == there
