"""Every key of the application by the id of what it does, and other keys in their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

_PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """Something a key does somewhere."""

    id: str
    """``sessions.delete``; the setting ``keymap`` names it so."""
    keys: str
    """The key by default, or several parted by commas."""
    description: str
    where: str
    """The screen or the widget that has it."""
    everywhere: bool
    """Whether it holds on all screens."""


def key_bindings() -> list[KeyBinding]:
    """All that can be remapped, by id."""
    found: dict[str, KeyBinding] = {}
    for kind in _own_classes(DOMNode):
        for binding in vars(kind).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                group = vars(kind).get("BINDING_GROUP_TITLE") or kind.__name__
                found[binding.id] = KeyBinding(
                    binding.id,
                    binding.key,
                    binding.description or binding.action.replace("_", " "),
                    group,
                    issubclass(kind, App),
                )
    return sorted(found.values(), key=lambda each: (not each.everywhere, each.id))


def usable_keymap(keymap: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The entries of ``keymap`` that can be used, and what is wrong with the others, a line each.

    An entry is refused if its id is nobody's, if it names no key, or if its key does something
    else in the same place already.
    """
    known = {binding.id: binding for binding in key_bindings()}
    usable: dict[str, str] = {}
    problems: list[str] = []
    for id_, keys in keymap.items():
        if id_ not in known:
            near = difflib.get_close_matches(id_, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"there is no action {id_!r}{hint}")
        elif not _keys(keys):
            problems.append(f"{id_} is given no key")
        else:
            usable[id_] = ",".join(_keys(keys))
    for id_ in list(usable):
        others = conflicts_of(known[id_], usable[id_], usable)
        if others:
            problems.append(f"{id_} and {', '.join(others)} have the same key {usable[id_]!r}")
            del usable[id_]
    return usable, problems


def conflicts_of(binding: KeyBinding, keys: str, keymap: Mapping[str, str]) -> list[str]:
    """Ids of what the keys do already where ``binding`` holds."""
    wanted = set(_keys(keys))
    return [
        other.id
        for other in key_bindings()
        if other.id != binding.id
        and (other.where == binding.where or other.everywhere or binding.everywhere)
        and wanted & set(_keys(keymap.get(other.id, other.keys)))
    ]


def _keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def _own_classes(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    """The application's classes below ``kind``, whichever module has them."""
    for below in kind.__subclasses__():
        if below.__module__.startswith(_PACKAGE):
            yield below
        yield from _own_classes(below)


def bindings_in_force(screen: Screen[object]) -> dict[str, list[tuple[str, str]]]:
    """What keys do on ``screen`` at the moment: for each place the keys and their meaning.

    The screen's own come first, then those that work everywhere, then those of what has the focus.
    """
    found: dict[DOMNode, dict[str, list[str]]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        meaning = ": ".join(filter(None, (binding.description, active.tooltip)))
        if meaning:
            shown = screen.app.get_key_display(binding)
            found.setdefault(active.node, {}).setdefault(meaning, []).append(shown)
    places = sorted(found, key=lambda node: (node is not screen, node is not screen.app))
    return {
        _title(node): [(" ".join(keys), meaning) for meaning, keys in found[node].items()]
        for node in places
    }


def _title(node: DOMNode) -> str:
    if isinstance(node, App):
        return "Everywhere"
    return node.BINDING_GROUP_TITLE or type(node).__name__
