"""Keys one after the other, however fast they come.

Textual hands a key to the widget that has the focus when the key arrives, and looks a binding up
only once the key has gone from there up to the application. Of several keys in one piece (a slow
line, a programme that types) those behind a tab would go to the widget that is being left, and
those behind a key that opens a screen to the screen below. Here a key waits until the one before
has been handled.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import ClassVar

from textual import events, on
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

_LAPS = 2
"""What a widget says on a key ("submitted") stands behind the first marker, before the second."""
_LOOK_SECONDS = 0.02
_Input = events.InputEvent | events.Paste


class _Marker(Message):
    """Goes the way of a key, behind it: from the focused widget up to the application."""


class KeyOrderApp(App[None], inherit_bindings=False):
    """An application that takes keys, pasted text and clicks one at a time, in their order.

    A key that comes alone is handed on at once.
    """

    KEY_SECONDS: ClassVar[float] = 3.0
    """How long a key is waited for at most. Then all that wait are handed on, so that a widget that
    hangs keeps nobody from quitting."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[_Input] = deque()
        self._marker: _Marker | None = None
        """On its way behind the last key; None once that is handled."""
        self._target: MessagePump = self
        """Where the marker set out."""
        self._laps = 0
        self._patient_until = 0.0
        self._looking = False

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, _Input) and not event.is_forwarded and self._waits(event):
            self._waiting.append(event)
            await self._hand_on()
        else:
            await super().on_event(event)

    def _waits(self, event: _Input) -> bool:
        """Whether an event has to take its turn: the mouse only where keys do already."""
        return _moves_on(event) or self._marker is not None

    async def _hand_on(self) -> None:
        """Hand on what waits, up to the first key that has to be waited for."""
        overdue = self._marker is not None and monotonic() > self._patient_until
        while self._waiting and (self._marker is None or overdue):
            event = self._waiting.popleft()
            await super().on_event(event)
            if _moves_on(event) or isinstance(event, events.MouseDown):
                self._patient_until, self._laps = monotonic() + self.KEY_SECONDS, 0
                self._send_marker()
        if self._waiting and not self._looking:
            self._looking = True
            self.set_timer(_LOOK_SECONDS, self._look)

    def _send_marker(self) -> None:
        self._marker, self._target = _Marker(), self._has_focus()
        self._target.post_message(self._marker)

    def _has_focus(self) -> MessagePump:
        return self.focused or self.screen if self.screen_stack else self

    @on(_Marker)
    async def _came_up(self, marker: _Marker) -> None:
        if marker is not self._marker:
            return
        self._laps += 1
        if self._laps < _LAPS or self._target is not self._has_focus():
            # A screen that is opened takes markers only once it is there.
            self._send_marker()
            return
        self._marker = None
        await self._hand_on()

    async def _look(self) -> None:
        """A marker is lost where its widget is removed: send another from where the focus is."""
        self._looking = False
        if self._marker is not None and self._target is not self._has_focus():
            self._send_marker()
        await self._hand_on()


def _moves_on(event: _Input) -> bool:
    return isinstance(event, (events.Key, events.Paste))
