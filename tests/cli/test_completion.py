"""What the shells that are installed complete, each with the script that it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leadline.cli.main import run
from leadline.locations import locations
from leadline.settings import Settings
from leadline.tools.corpus_manifest import MANIFEST_FILE

from ..kept_runs import keep_run

_BASH = """
source ./script
offer() {
    read -ra COMP_WORDS <<< "$1"
    [[ $1 == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _leadline_completion leadline
    printf '%s\\n' "${COMPREPLY[@]}"
}
"""
# Its two ways of offering words work inside of its line editor alone.
_ZSH = """
compdef() { }
compadd() { print -rl -- "${(@P)@[-1]}" }
_describe() { local -a offered=("${(@P)3}"); print -rl -- "${(@)offered%%:*}" }
source ./script
offer() {
    local -a words=("${(@s: :)1}")
    local CURRENT=$#words
    _leadline_completion
}
"""
_FISH = """
source ./script
function offer
    complete -C $argv[1] | string split --fields 1 \\t
end
"""
_PREPARED = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def offered(shell: str, lines: list[str], folder: Path) -> list[list[str]]:
    """What Tab at the end of each line offers, in alphabetical order."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = ["leadline", "completion", shell]
    folder.joinpath("script").write_bytes(subprocess.check_output(script, env=environment))
    programme = _PREPARED[shell] + "\n".join(f'offer "{line}"; echo =' for line in lines)
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *options, "-c", programme],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [sorted(block.split()) for block in done.stdout.split("=\n")[:-1]]


@pytest.mark.parametrize("shell", _PREPARED)
def test_a_shell_completes(shell: str, tmp_path: Path) -> None:
    run_id = keep_run("When was the harbour opened, and by whom?").path.name
    wanted = {
        "leadline re": ["read", "reader"],
        "leadline eval run ho": ["hop"],
        "leadline What? --no-c": ["--no-clarify"],
        "leadline eval run nothing --": ["--help"],
        f"leadline runs show {run_id[:4]}": [run_id],
    }
    found = offered(shell, list(wanted), tmp_path)
    assert dict(zip(wanted, found, strict=True)) == wanted


@pytest.fixture
def complete(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Completer:
    return Completer(capsys, monkeypatch)


class Completer:
    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, words: str, incomplete: str = "") -> list[str]:
        """Lines as click's script for fish reads them: kind, comma, value, tab, description."""
        self._monkeypatch.setenv("_LEADLINE_COMPLETE", "fish_complete")
        self._monkeypatch.setenv("COMP_WORDS", f"leadline {words} {incomplete}")
        self._monkeypatch.setenv("COMP_CWORD", incomplete)
        with pytest.raises(SystemExit):
            run([])
        return self._capsys.readouterr().out.splitlines()


def test_runs_are_offered_newest_first_with_their_titles(complete: Completer) -> None:
    keep_run("When?").rename("The harbour")
    damaged = keep_run("Who?")
    damaged.path.joinpath("run.json").write_text("{")
    lines = complete("runs show")
    assert lines[0] == "plain,last"
    titles = {line.partition("\t")[2] for line in lines[1:]}
    assert titles == {"The harbour", "damaged"}
    ids = [line.partition("\t")[0] for line in lines[1:]]
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize("words", ["models pull", "What? --reader", "reader heads", "table -m"])
def test_models_are_offered(complete: Completer, words: str) -> None:
    assert [line.partition("\t")[0] for line in complete(words, "all-mini")] == [
        "plain,all-minilm-l6-v2"
    ]
    assert complete(words, "./all-mini") == ["file,./all-mini"]


@pytest.mark.parametrize("words", ["corpus search", "What? --corpus", "corpus rm"])
def test_corpora_are_offered_or_folders(complete: Completer, words: str) -> None:
    corpus = locations().corpora / "harbour"
    corpus.mkdir(parents=True)
    corpus.joinpath(MANIFEST_FILE).write_text("{}")
    assert complete(words, "har") == ["plain,harbour"]
    assert complete(words, "./har") == ["dir,./har"]
    assert complete(words, "docs") == ["dir,docs"]


def test_settings_and_files_are_offered(complete: Completer) -> None:
    assert complete("config set", "mod") == ["plain,model"]
    assert len(complete("config show")) == len(Settings.model_fields)
    assert complete("read", "REA") == ["file,REA"]
