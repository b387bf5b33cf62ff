"""The names that programmes import, and what importing them costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import leadline
from leadline import AsyncLeadline, Leadline, errors
from leadline.sdk.options import RunOptions, SyncRunOptions


def test_names_are_few_sorted_and_there() -> None:
    assert len(leadline.__all__) <= 25
    assert leadline.__all__ == sorted(leadline.__all__)
    assert set(leadline._MODULES) == {*leadline.__all__} - {"__version__"}
    for name in leadline.__all__:
        assert getattr(leadline, name) is not None
    assert set(leadline.__all__) <= set(dir(leadline))


def test_what_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Leedline'"):
        leadline.__getattr__("Leedline")


def test_the_errors_drawn_are_the_ones_that_there_are() -> None:
    assert errors.__doc__ is not None
    assert leadline.__doc__ is not None
    every = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.LeadlineError)
    }
    drawn = {word for word in errors.__doc__.split() if word in every}
    assert drawn == every
    direct = {kind.__name__ for kind in errors.LeadlineError.__subclasses__()}
    assert {word for word in leadline.__doc__.split() if word in direct} == direct


def test_every_public_name_is_documented() -> None:
    for name in leadline.__all__:
        value = getattr(leadline, name)
        if isinstance(value, type):
            assert value.__doc__, name
            for attribute, member in vars(value).items():
                if not attribute.startswith("_") and callable(member):
                    assert inspect.getdoc(member), f"{name}.{attribute}"


SOURCE = Path(leadline.__file__).parents[1]

BLOCKING = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}


def test_what_is_awaited_can_be_called() -> None:
    def methods(client: type) -> set[str]:
        return {name for name in vars(client) if not name.startswith("_") or name in BLOCKING}

    expected = {BLOCKING.get(name, name) for name in methods(AsyncLeadline)}
    blocking = methods(Leadline) | {"__enter__", "__exit__"} & set(vars(Leadline))
    assert blocking == expected
    for name in expected - {"settings"}:
        original = next(
            other for other in vars(AsyncLeadline) if BLOCKING.get(other, other) == name
        )
        awaited = inspect.signature(getattr(AsyncLeadline, original)).parameters
        assert list(inspect.signature(getattr(Leadline, name)).parameters) == list(awaited), name
    init = inspect.signature(AsyncLeadline.__init__).parameters
    assert list(inspect.signature(Leadline.__init__).parameters.values()) == list(init.values())
    assert RunOptions.__annotations__.keys() == SyncRunOptions.__annotations__.keys()


def modules_after(code: str) -> int:
    program = f"import sys\n{code}\nprint(len(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stderr.split()[-1])


def test_importing_and_helping_load_few_modules() -> None:
    bare = modules_after("")
    assert modules_after("import leadline") - bare < 30
    help_ = "from leadline.cli.main import run; run(['--help'])"
    assert modules_after(help_) - bare < 220


USERS_PROGRAMME = """
from leadline import (
    AsyncLeadline, Citation, Clarification, Event, Leadline, LeadlineError, Limits, Report, Steering
)
from leadline.agent.steering import AddQuestion


def ask(clarification: Clarification) -> str | None:
    return clarification.choices[0] if clarification.choices else None


def show(event: Event) -> None:
    if event.kind == "search.finished":
        print(event.source, event.found)


def sources(question: str) -> list[Citation]:
    steering = Steering()
    steering.edit(AddQuestion(text="And since when?"))
    with Leadline(corpora=["docs"], model="m", seconds=60, on_event=show) as lead:
        try:
            report: Report = lead.run(
                question, limits=Limits(seconds=10), clarify=ask, steering=steering
            )
        except LeadlineError as error:
            print(error.problem, error.remedy)
            return []
        with lead.stream(question) as events:
            for event in events:
                show(event)
            print(events.report.to_dict())
    return [citation for claim in report.claims for citation in claim.citations]


async def tables(query: str) -> str:
    async with AsyncLeadline(reader="none") as lead:
        report = await lead.table(query, columns=["a", "b"], keys=["a"])
        async for event in lead.stream(query):
            show(event)
        return report.to_csv()
"""


def test_a_programme_that_uses_it_is_type_checked(tmp_path: Path) -> None:
    programme = tmp_path / "programme.py"

    def checked(source: str) -> subprocess.CompletedProcess[str]:
        programme.write_text(source)
        return subprocess.run(
            [
                *(sys.executable, "-m", "mypy", "--strict", "--config-file", ""),
                # What is wrong inside the package is for its own check to find.
                *("--follow-imports", "silent", str(programme)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(SOURCE), "MYPY_CACHE_DIR": str(tmp_path)},
        )

    good = checked(USERS_PROGRAMME)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = checked(USERS_PROGRAMME.replace('keys=["a"]', "keys=7"))
    assert 'incompatible type "int"' in bad.stdout
