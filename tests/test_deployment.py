"""What the container files, SECURITY.md and the changelog say is there, is there."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from leadline.cli.main import leadline
from leadline.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).parent.parent
PAGES = ("CHANGELOG.md", "SECURITY.md", "Dockerfile", "compose.yaml")
OTHER_VARIABLES = ("LEADLINE_HOME", "LEADLINE_KERNELS", "LEADLINE_API_KEY")
"""Variables that are no setting's."""


def command_at(words: Sequence[str]) -> click.Command:
    """The command that the first of ``words`` lead to; a missing one is named."""
    found: click.Command = leadline
    with click.Context(leadline) as context:
        for word in words:
            if not isinstance(found, click.Group) or not re.fullmatch("[a-z-]+", word):
                break
            below = found.get_command(context, word)
            assert below is not None, " ".join(words)
            found = below
    return found


def service(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_extras_and_variables_that_are_named_exist(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    for command in re.findall(r"`leadline ([a-z][^`]*)`", text):
        # `runs list|show` names two
        for words in itertools.product(*(word.split("|") for word in command.split())):
            known = {name for each in command_at(words).params for name in each.opts}
            for option in re.findall(r"--[a-z-]+", command):
                assert option in known, command
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r"leadline\[(\w+)\]", text)) <= set(extras["optional-dependencies"])
    for name in re.findall(r"LEADLINE_\w+", text):
        setting = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        assert setting in Settings.model_fields or name in OTHER_VARIABLES, name


def test_the_image_installs_extras_that_exist_and_opens_the_port_that_is_served() -> None:
    text = (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [extras] = re.findall(r"'\.\[([\w,]+)\]'", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    [port] = [each for each in command_at(["api"]).params if each.name == "port"]
    assert re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE) == [str(port.default)]
    [volume] = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    assert f"LEADLINE_HOME={volume}" in text


def test_the_composed_service_gets_a_command_line_and_settings_that_are_right() -> None:
    composed = service("leadline")
    name, *arguments = composed["command"]
    command = command_at([name])
    context = command.make_context(name, list(arguments))
    assert composed["ports"] == ["127.0.0.1:{0}:{0}".format(context.params["port"])]
    # Beyond loopback a key is demanded; without one the file refuses to be used.
    assert ":?" in composed["environment"]["LEADLINE_API_KEY"]
    settings = {
        key.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for key, value in composed["environment"].items()
        if key not in OTHER_VARIABLES
    }
    assert settings.keys() <= Settings.model_fields.keys()
    Settings(**settings)
    assert set(composed["depends_on"]) <= set(
        yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    )


def test_nothing_of_what_is_composed_is_reachable_from_elsewhere() -> None:
    for name in ("leadline", "searxng", "vllm"):
        for port in service(name).get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
