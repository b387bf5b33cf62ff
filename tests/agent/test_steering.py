"""What a person says to a run waits until the run takes it up."""

from __future__ import annotations

import asyncio
import threading

from leadline.agent.steering import AddQuestion, DropQuestion, PlanEdit, Steering
from leadline.budget import Limits


def test_edits_are_taken_once_and_in_order() -> None:
    steering = Steering()
    edits: list[PlanEdit] = [AddQuestion(text="Who built it?"), DropQuestion(node_id="q1")]
    for edit in edits:
        steering.edit(edit)
    assert steering.take_edits() == edits
    assert steering.take_edits() == []


def test_the_last_limits_count() -> None:
    steering = Steering()
    steering.set_limits(Limits(seconds=5))
    steering.set_limits(Limits(seconds=9))
    assert steering.take_limits() == Limits(seconds=9)
    assert steering.take_limits() is None


async def test_a_change_from_another_thread_is_noticed() -> None:
    steering = Steering()
    noticed = asyncio.ensure_future(steering.changed())
    await asyncio.sleep(0)
    assert not noticed.done()
    threading.Thread(target=steering.pause).start()
    await asyncio.wait_for(noticed, timeout=5)
    assert steering.paused
    steering.unpause()
    assert not steering.paused
