"""A chat that remembers last week's: ConversationChain with memory=PSMMemory().

Runs offline, with scripted answers in place of a model:

    python examples/langchain_chat.py
"""

import tempfile
import warnings

from langchain_classic.chains import ConversationChain
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.callbacks import StdOutCallbackHandler
from langchain_core.language_models import FakeListChatModel

from psm_langchain import PSMMemory

# LangChain calls ConversationChain old; PSMMemory goes into an AgentExecutor as well.
warnings.simplefilter("ignore", LangChainDeprecationWarning)


class ShowPrompt(StdOutCallbackHandler):
    """Prints what the model is given, so that you see what memory put there."""

    def on_chat_model_start(self, serialized, messages, **kwargs):
        prompt = messages[0][-1].text.partition("Current conversation:\n")[2]
        print("\n".join(f"    | {line}" for line in prompt.splitlines()))


def chat(home, said, answers):
    """One conversation with Ada, from opening her memory to closing it."""
    # Your model goes here: ChatOllama(model="…"), ChatOpenAI(model="…"), …
    model = FakeListChatModel(responses=answers, callbacks=[ShowPrompt()])
    with PSMMemory(user="ada", home=home) as memory:
        chain = ConversationChain(llm=model, memory=memory)
        for words in said:
            print(f"Ada: {words}")
            print(f"AI:  {chain.invoke({'input': words})['response']}\n")


# In your own program leave home out: people live in ~/.psm then.
with tempfile.TemporaryDirectory() as home:
    print("--- last week\n")
    chat(
        home,
        ["Hi! I moved to Lyon last week.", "I'm allergic to peanuts, by the way."],
        ["Welcome to Lyon!", "Good to know."],
    )
    print("--- today: a new conversation, opened from the disk\n")
    chat(
        home,
        ["Recommend me a snack."],
        ["Crisps: you're allergic to peanuts."],
    )
