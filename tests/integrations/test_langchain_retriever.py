"""PSMRetriever: memories as documents, held against LangChain's own suite too."""

import json

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import create_retriever_tool
from langchain_tests.integration_tests import RetrieversIntegrationTests

from psm_core import Feedback, Memory, People, Turn
from psm_core.errors import UserError
from psm_langchain import PSMRetriever

LYON = "I moved to Lyon last week."
WHERE = "Where did I move to?"


def as_user(name):
    return {"configurable": {"user_id": name}}


@pytest.fixture
def people():
    with People() as opened:
        opened.memory("ada").remember(Turn(LYON, session="earlier"))
        opened.memory("bob").remember(Turn("I moved to Oslo.", session="earlier"))
        yield opened


class TestAgainstLangChainsSuite(RetrieversIntegrationTests):
    """The number of documents can be set where it is made, and where it is asked."""

    @pytest.fixture(autouse=True)
    def _four_moves(self):
        with Memory("ada") as self.memory:
            for city in ("Lyon", "Nice", "Paris", "Brest"):
                self.memory.remember(Turn(f"I moved to {city} once."))
            yield

    @property
    def retriever_constructor(self):
        return PSMRetriever

    @property
    def retriever_constructor_params(self):
        return {"psm": self.memory}

    @property
    def retriever_query_example(self):
        return WHERE


def test_a_document_says_all_that_is_known(people):
    """Who said it, when and where, how strong it is and why it surfaced; in JSON."""
    (found,) = PSMRetriever(psm=people, user="ada").invoke(WHERE)

    known = json.loads(json.dumps(found.metadata))
    entry = people.memory("ada").entries()[0]
    assert found.page_content == LYON
    assert found.id == known["id"] == entry.id
    assert {k: known[k] for k in ("speaker", "tier", "kind", "session", "pinned")} == {
        "speaker": "ada",
        "tier": "episodic",
        "kind": "event",
        "session": "earlier",
        "pinned": False,
    }
    assert known["said_at"] == entry.said_at.isoformat()
    assert known["valid_until"] is None
    assert known["sources"] == [entry.id]
    assert 0 < known["score"] <= 1
    assert 0 < known["strength"] <= 1
    assert "retained" in known["explanation"]


def test_what_became_of_a_document_can_be_reported(people):
    """metadata["recall"] is what `Memory.learn` asks for."""
    memory = people.memory("ada")
    (found,) = PSMRetriever(psm=memory).invoke(WHERE)

    memory.learn(Feedback(found.metadata["recall"], corrected=[found.id]))

    assert memory.entry(found.id).corrected == 1


def test_nothing_that_fits_is_no_document(people):
    """A query that nothing answers isn't filled up with what doesn't."""
    assert PSMRetriever(psm=people, user="nobody").invoke(WHERE) == []
    assert PSMRetriever(psm=people, user="ada", budget=1).invoke(WHERE) == []


def test_the_run_says_whose_memory_it_is(people):
    """The config's user_id wins over user=; without either, the ways are named."""
    retriever = PSMRetriever(psm=people, user="ada")
    assert [d.page_content for d in retriever.invoke(WHERE)] == [LYON]
    assert [d.page_content for d in retriever.invoke(WHERE, as_user("bob"))] == [
        "I moved to Oslo."
    ]

    with pytest.raises(UserError, match=r'context=.*"configurable".*user="ada"'):
        PSMRetriever(psm=people).invoke(WHERE)


async def test_in_a_chain_each_run_is_its_own_persons(people):
    """A chain passes its config on; batch and ainvoke keep people apart."""
    chain = PSMRetriever(psm=people) | RunnableLambda(
        lambda found: found[0].page_content
    )
    told = [LYON, "I moved to Oslo."]

    assert chain.batch([WHERE, WHERE], [as_user("ada"), as_user("bob")]) == told
    assert await chain.abatch([WHERE, WHERE], [as_user("ada"), as_user("bob")]) == told
    assert (await chain.ainvoke(WHERE, as_user("bob"))) == "I moved to Oslo."


def test_as_a_tool_it_asks_about_the_agents_user(people, scripted):
    """The context of the agent around it wins over what it was made with."""
    asked = {"name": "recall", "args": {"query": WHERE}, "id": "c1"}
    recall = create_retriever_tool(
        PSMRetriever(psm=people, user="ada"), "recall", "Recall."
    )
    agent = create_agent(
        scripted(AIMessage("", tool_calls=[asked]), "Ok."),
        [recall],
        context_schema=dict,
    )

    result = agent.invoke(
        {"messages": [HumanMessage("hi")]}, context={"user_id": "bob"}
    )

    assert [m.text for m in result["messages"] if m.type == "tool"] == [
        "I moved to Oslo."
    ]


def test_its_fields_can_be_configured(people):
    """LangChain's configurable_fields makes copies, which share the open people."""
    retriever = PSMRetriever(psm=people).configurable_fields(
        user=ConfigurableField(id="whose"), k=ConfigurableField(id="k")
    )

    found = retriever.invoke(WHERE, {"configurable": {"whose": "bob", "k": 1}})

    assert [d.page_content for d in found] == ["I moved to Oslo."]


def test_copies_share_what_was_opened():
    """Configured anew for each run, it doesn't load its encoder anew."""
    retriever = PSMRetriever(user="ada")
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))

    copy, _ = configurable.prepare({"configurable": {"k": 1}})

    assert copy.psm is retriever.psm
    assert copy.psm is not None
    assert copy.k == 1
    retriever.close()


def test_without_an_open_memory_it_opens_the_home(people):
    """PSMRetriever(user=...) is enough, and closes what it opened."""
    retriever = PSMRetriever(user="ada", k=1)
    assert [d.page_content for d in retriever.invoke(WHERE)] == [LYON]
    retriever.close()


@pytest.mark.parametrize("wrong", [{"k": 0}, {"usr": "ada"}])
def test_wrong_fields_are_refused(wrong):
    """At least one document, and no misspelt field."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PSMRetriever(**wrong)
