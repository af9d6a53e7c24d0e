"""Tasks in an event loop whose end is seen, as `isotherm.tasks` does it for threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from isotherm.backoff import Backoff
    from isotherm.tasks import Tasks


async def keep_running(
    tasks: Tasks, name: str, run: Callable[[], Awaitable[None]], again: Backoff
) -> None:
    """Run a task until this one is cancelled; where it ends by itself, say so and begin it again.

    Args:
        tasks: knows which have ended, for log, metric and health.
        name: of the task.
        run: begins it; it should go on until it is cancelled.
        again: the delays before it is begun again.
    """
    while True:
        error: Exception | None = None
        try:
            await run()
        except Exception as raised:  # noqa: BLE001 whatever it is, it is said below
            error = raised
        tasks.ended(name, error, again=True)
        await asyncio.sleep(again.next())
        tasks.began_again(name)
