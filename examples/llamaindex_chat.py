"""A chat that remembers last week's: SimpleChatEngine with memory=PSMMemory().

Runs offline, with scripted answers in place of a model:

    python examples/llamaindex_chat.py
"""

import tempfile

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

from psm_llamaindex import PSMMemory


class Scripted(CustomLLM):
    """Says what we wrote down, and prints what it was given before."""

    answers: list[str]

    @property
    def metadata(self):
        return LLMMetadata()

    def complete(self, prompt, formatted=False, **kwargs):
        said = prompt.strip().removesuffix("assistant:").strip()
        print("\n".join(f"    | {line}" for line in said.splitlines()))
        return CompletionResponse(text=self.answers.pop(0))

    def stream_complete(self, prompt, formatted=False, **kwargs):
        yield self.complete(prompt)


def chat(home, said, answers):
    """One conversation with Ada, from opening her memory to closing it."""
    # Your model goes here: Ollama(model="…"), OpenAI(model="…"), …
    model = Scripted(answers=answers)
    with PSMMemory(user="ada", home=home) as memory:
        engine = SimpleChatEngine.from_defaults(llm=model, memory=memory)
        for words in said:
            print(f"Ada: {words}")
            print(f"AI:  {engine.chat(words)}\n")
        print("What it keeps:")
        for entry in memory.psm.entries():
            print(f"  {memory.psm.strength(entry):.2f}  {entry.speaker}: {entry.text}")
        print()


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
        ["Recommend me a snack; you know what I'm allergic to.", "No, to walnuts."],
        ["Crisps: you're allergic to peanuts.", "Walnuts, noted. Crisps still do."],
    )
