"""PSMMemory: what goes into a prompt, what is kept of a turn, and what is learned."""

import pytest

pytest.importorskip("langchain_classic")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

LYON = "I moved to Lyon last week."


def history(memory, words="Where did I move to?"):
    return memory.load_memory_variables({"input": words})[memory.memory_key]


def texts(memory):
    return [entry.text for entry in memory.psm.entries()]


# ---------------------------------------------------------------- what comes back


def test_no_argument_is_needed(opened):
    """PSMMemory() remembers for the person "default" in the home of the settings."""
    memory = opened()

    memory.save_context({"input": LYON}, {"output": "Noted."})

    assert memory.user == "default"
    assert memory.memory_variables == ["history"]
    assert texts(memory) == [LYON, "Noted."]


def test_without_settings_the_home_is_in_the_persons_own(opened, monkeypatch, tmp_path):
    """Where nothing else is said, people live in ~/.psm."""
    monkeypatch.delenv("PSM_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    opened()

    assert (tmp_path / ".psm").is_dir()


def test_memories_come_before_the_recent_turns(ada):
    """As text: what is remembered, fenced, then the conversation with its prefixes."""
    ada.human_prefix = "Ada"
    ada.save_context({"input": "hello!"}, {"output": "Hi Ada."})

    fenced, talk = history(ada).split("</memories>")

    assert LYON in fenced
    assert talk.strip() == "Ada: hello!\nAI: Hi Ada."


def test_messages_for_a_placeholder(ada):
    """As messages: one system message with the memories, then the conversation."""
    ada.return_messages = True
    ada.save_context({"input": "hello!"}, {"output": "Hi Ada."})

    first, *talk = history(ada)

    assert isinstance(first, SystemMessage)
    assert LYON in first.text
    assert talk == [HumanMessage("hello!"), AIMessage("Hi Ada.")]


def test_no_message_is_made_of_nothing(opened):
    """A new person's prompt holds no empty system message, and no empty fence."""
    memory = opened(return_messages=True)
    assert history(memory) == []

    memory.return_messages = False
    assert history(memory) == ""


def test_looking_without_an_input_shows_the_conversation(ada):
    """load_memory_variables({}) is how LangChain users look: it recalls nothing."""
    ada.save_context({"input": "hello!"}, {"output": "Hi."})

    assert ada.load_memory_variables({}) == {"history": "Human: hello!\nAI: Hi."}


def test_looking_twice_changes_nothing(ada):
    """A second look at one turn says the same, and logs no second showing."""
    assert history(ada) == history(ada)

    entry = next(e for e in ada.psm.entries() if e.text == LYON)
    assert entry.recalled == 1


def test_limit_and_budget_reach_the_recall(ada):
    """A budget that no memory fits into leaves the prompt to the conversation."""
    ada.budget = 1

    assert history(ada) == ""


def test_tokens_are_counted_as_the_model_counts_them(opened):
    """count_tokens= decides what fits the budget."""
    memory = opened(count_tokens=len, budget=100)
    memory.save_context({"input": LYON}, {"output": "Noted."})
    memory.clear()
    assert history(memory) == ""

    memory.budget = 1000
    assert LYON in history(memory, "Where did I move?")


def test_a_session_goes_on_where_it_was_left(opened):
    """The same session= in a new object shows the turns of the old one."""
    opened(session="s1").save_context({"input": LYON}, {"output": "Noted."})

    again = opened(session="s1")

    assert history(again) == f"Human: {LYON}\nAI: Noted."


# -------------------------------------------------------------------- what goes in


@pytest.mark.parametrize(
    "inputs",
    [
        {"input": LYON},
        {"anything": LYON},
        {"question": LYON, "context": "from a retriever"},
        {"input": LYON, "history": "ours", "stop": ["\n"]},
        {"input": HumanMessage(LYON)},
        {"input": [{"type": "text", "text": LYON}, {"type": "image", "url": "x"}]},
        {"input": [SystemMessage("Be nice."), HumanMessage("hi"), HumanMessage(LYON)]},
    ],
)
def test_the_persons_words_are_found_among_the_inputs(opened, inputs):
    """The only input, a usual name, a message or the last message of the person."""
    memory = opened()

    memory.save_context(inputs, {"output": "Noted."})

    assert texts(memory) == [LYON, "Noted."]


@pytest.mark.parametrize(
    "outputs",
    [
        {"output": "Noted."},
        {"anything": "Noted."},
        {"output": "Noted.", "intermediate_steps": [("tool", "42")]},
        {"answer": "Noted.", "source_documents": []},
        {"output": [{"type": "text", "text": "Noted.", "index": 0}]},
        {"output": [HumanMessage(LYON), AIMessage("Hm."), AIMessage("Noted.")]},
        {"output": AIMessage([{"type": "text", "text": "Noted."}])},
    ],
)
def test_the_models_words_are_found_among_the_outputs(opened, outputs):
    """The only output, a usual name, a message or the last message of the model."""
    memory = opened()

    memory.save_context({"input": LYON}, outputs)

    assert texts(memory) == [LYON, "Noted."]


def test_keys_can_be_named(opened):
    """input_key and output_key win over every usual name."""
    memory = opened(input_key="said", output_key="reply")

    memory.save_context(
        {"input": "a template", "said": LYON}, {"output": "steps", "reply": "Noted."}
    )

    assert texts(memory) == [LYON, "Noted."]


def test_an_unclear_input_names_the_way_out(opened):
    """Several inputs of unusual names: the error names them, and input_key=."""
    with pytest.raises(ValueError, match=r"are a, b, .*PSMMemory\(input_key=\.\.\.\)"):
        opened().load_memory_variables({"a": "x", "b": "y"})
    with pytest.raises(ValueError, match=r"input_key='q' is none of them"):
        opened(input_key="q").load_memory_variables({"a": "x"})
    with pytest.raises(ValueError, match=r"PSMMemory\(output_key=\.\.\.\)"):
        opened().save_context({"input": "x"}, {"a": "x", "b": "y"})


def test_nothing_said_is_nothing_stored(opened):
    """Blank halves, None and a message that only calls a tool leave no turn."""
    memory = opened()

    memory.save_context({"input": LYON}, {"output": AIMessage("")})
    memory.save_context({"input": None}, {"output": " \n"})
    memory.save_context({}, {})

    assert texts(memory) == [LYON]


# --------------------------------------------------------------------- what it learns


def test_a_correction_weakens_what_the_answer_leaned_on(ada):
    """Lyon is charged with "no, I moved to Paris" before anything is recalled."""
    history(ada)
    ada.save_context({"input": "Where did I move to?"}, {"output": "To Lyon."})

    assert LYON not in history(ada, "No, I moved to Paris.")

    entry = next(e for e in ada.psm.entries() if e.text == LYON)
    assert (entry.corrected, entry.used) == (1, 0)


def test_what_an_answer_leaned_on_is_strengthened_by_the_next_sleep(ada):
    """Nobody calls learn(): the adapter does, and sleep applies it."""
    history(ada)
    ada.save_context({"input": "Where did I move to?"}, {"output": "To Lyon."})

    ada.psm.consolidate()

    assert [e.used for e in ada.psm.entries() if e.text == LYON] == [1]
