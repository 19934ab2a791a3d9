"""`PSMMiddleware`: memories of many people in `create_agent`. It only translates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
)
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import SystemMessage
from langgraph.config import get_config
from langgraph.runtime import Runtime

from psm_core import showing
from psm_core.memory import Memory
from psm_core.people import People
from psm_langchain import notes, turns
from psm_langchain.notes import Note
from psm_langchain.whose import CountTokens, Whose, named

Request = ModelRequest[Any]
Response = ModelResponse[Any]


class PSMState(AgentState[Any]):
    """An agent's state, and beside it what memory needs of the turn."""

    psm_note: NotRequired[Annotated[Note, PrivateStateAttr]]


class PSMMiddleware(AgentMiddleware[PSMState, Any, Any]):
    """What a person said in all their conversations, for any agent of `create_agent`.

    Before a turn it hears the person, and recalls; each time the model is asked, it
    adds what was recalled to the system message; after the turn it remembers the
    answer and learns which memories it leaned on.  When the person takes the answer
    back ("no, I moved"), the memories behind it are weakened before anything is
    recalled.

    One object serves many people, threads and processes.  Who it is about is asked of
    each run: the ``user_id`` of its context, then that of its config's
    ``configurable``, then *user*.  The conversation is the config's ``thread_id``.

    Args:
        psm: `psm_core.People`, or one person's open `Memory`; stays yours to close.
            None opens people in *home*.
        user: Whose memory it is where a run doesn't say.
        home: The folder with the people's folders; None means as the settings say.
        limit: Most memories in a prompt; None means as the settings say.
        budget: Most tokens of memories in a prompt; None means as the settings say.
        count_tokens: What a text costs the model, for *budget*; by default as
            LangChain's own middleware guesses it.

    Raises:
        ConfigError: A setting is unknown or out of range.
        ValueError: *psm* is open already, so *home* and *count_tokens* come too late.

    Example:
        >>> import tempfile
        >>> memory = PSMMiddleware(home=tempfile.mkdtemp(), user="ada")
        >>> memory.name
        'PSMMiddleware'
        >>> memory.close()
    """

    state_schema = PSMState

    def __init__(
        self,
        psm: People | Memory | None = None,
        *,
        user: str | None = None,
        home: str | Path | None = None,
        limit: int | None = None,
        budget: int | None = None,
        count_tokens: CountTokens | None = None,
    ) -> None:
        super().__init__()
        self.limit = limit
        self.budget = budget
        self._whose = Whose(
            psm, user=user, home=home, count_tokens=count_tokens, asks="PSMMiddleware"
        )

    @property
    def psm(self) -> People | Memory:
        """The open people, or the one open memory."""
        return self._whose.psm

    # ------------------------------------------------------- what LangChain calls

    def before_agent(
        self, state: PSMState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """Hear what the person said, and recall.

        It is on disk when this returns, so that no answer that breaks off can lose it.
        Run again for the same message, it does nothing.

        Args:
            state: The conversation, and what was shown in the turn before.
            runtime: Of the run.

        Returns:
            What is shown in this turn, by names alone.

        Raises:
            UserError: The run doesn't say whose memory it is about.
        """
        memory = self._memory(runtime)
        note = notes.last(state, memory)
        before, said = turns.split(state["messages"])
        if not said or (note and notes.is_of(note, said)):
            return None
        session = turns.session_of(get_config(), state["messages"])
        refuted = notes.refuted(memory, note, before, turns.cue(said)) if note else []
        memory.remember_many([turns.as_turn(message, session) for message in said])
        seen = turns.in_view(state["messages"], session)
        left = showing.left_behind(
            memory,
            session,
            seen,
            turns.message_of,
            heard=turns.in_view(said, session),
            # A note in an old checkpoint doesn't say.
            earlier=note.get("left") if note else None,
        )
        found = showing.show(
            memory,
            turns.cue(said),
            without=seen | left,
            refuted=refuted,
            limit=self.limit,
            budget=self.budget,
        )
        answer = turns.last_answer(before)
        made = Note(
            of=memory.user,
            session=session,
            turn=turns.turn_id(said[-1], session),
            recall=found.recall,
            memories=list(found.memories),
            refuted=refuted,
            left=sorted(left),
            before=turns.turn_id(answer, session) if answer else "",
            answer="",
        )
        return {"psm_note": made}

    def wrap_model_call(
        self, request: Request, handler: Callable[[Request], Response]
    ) -> Response:
        """Ask the model with what was recalled, which no checkpoint holds.

        It is read anew each time, so what was forgotten in the meantime isn't shown.
        """
        return handler(self._with_memories(request))

    def after_agent(
        self, state: PSMState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """Remember the answer, and learn which memories it leaned on.

        Run again for the same answer, it does nothing.

        Args:
            state: The conversation, and what was shown in this turn.
            runtime: Of the run.

        Returns:
            Which answer it was; None where there was none.

        Raises:
            UserError: The run doesn't say whose memory it is about.
        """
        memory = self._memory(runtime)
        note = notes.last(state, memory)
        answer = turns.last_answer(state["messages"])
        if note is None or answer is None:
            return None
        turn = turns.as_turn(answer, note["session"])
        if turn.id in (note["before"], note["answer"]):
            return None
        memory.remember(turn)
        asked = notes.asked(note, state["messages"])
        showing.answered(memory, notes.shown(note), asked, turn.text)
        return {"psm_note": note | {"answer": turn.id}}

    async def abefore_agent(
        self, state: PSMState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """`before_agent` in a worker thread; the loop goes on."""
        return await asyncio.to_thread(self.before_agent, state, runtime)

    async def awrap_model_call(
        self, request: Request, handler: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """`wrap_model_call`, whose reading is done in a worker thread."""
        return await handler(await asyncio.to_thread(self._with_memories, request))

    async def aafter_agent(
        self, state: PSMState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """`after_agent` in a worker thread; the loop goes on."""
        return await asyncio.to_thread(self.after_agent, state, runtime)

    def close(self) -> None:
        """Let go of files and locks.  What was given as *psm* stays open."""
        self._whose.close()

    def __enter__(self) -> PSMMiddleware:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------- pieces

    def _memory(self, runtime: Runtime[Any]) -> Memory:
        return self._whose.memory(*named(runtime.context, get_config()))

    def _with_memories(self, request: Request) -> Request:
        memory = self._memory(request.runtime)
        note = notes.last(request.state, memory)
        context = showing.context(memory, notes.shown(note)) if note else ""
        if not context:
            return request
        return request.override(system_message=_with(request.system_message, context))


def _with(system: SystemMessage | None, context: str) -> SystemMessage:
    """*system* and then *context*, so that what a provider has cached stays cached."""
    if system is None:
        return SystemMessage(context)
    content: Any = system.content
    blocks = content if isinstance(content, list) else [_block(content)]
    # Some providers refuse a block without words.
    said = [block for block in blocks if not _blank(block)]
    added = [*said, _block(f"\n\n{context}")] if said else context
    return system.model_copy(update={"content": added})


def _blank(block: Any) -> bool:
    text = block.get("text", block) if isinstance(block, dict) else block
    return not str(text).strip()


def _block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
