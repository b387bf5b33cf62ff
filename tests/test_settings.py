from __future__ import annotations

import stat
from pathlib import Path

import pytest

from leadline.errors import ConfigError
from leadline.setting_files import user_file
from leadline.setting_origins import DEFAULT, MASK, SettingValue, setting_values
from leadline.setting_writing import write_setting
from leadline.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder to work in."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def user(text: str, *, mode: int = 0o600) -> Path:
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text(text)
    user_file().chmod(mode)
    return user_file()


def value_of(name: str, **typed: object) -> SettingValue:
    [value] = [value for value in setting_values(**typed) if value.name == name]
    return value


def test_typed_wins_over_environment_over_project_over_user_over_default(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (value_of("model").value, value_of("model").origin) == ("qwen2.5-coder-1.5b", DEFAULT)
    steps: list[tuple[str, str]] = []
    user('model = "users"')
    steps.append((load_settings().model, value_of("model").origin))
    (project / "leadline.toml").write_text('model = "projects"')
    steps.append((load_settings().model, value_of("model").origin))
    monkeypatch.setenv("LEADLINE_MODEL", "environments")
    steps.append((load_settings().model, value_of("model").origin))
    typed = value_of("model", model="typed")
    assert steps == [
        ("users", str(user_file())),
        ("projects", "leadline.toml"),
        ("environments", "LEADLINE_MODEL"),
    ]
    assert typed.origin == "what was typed"
    assert typed.overridden == ("LEADLINE_MODEL", "leadline.toml", str(user_file()))


def test_a_project_may_keep_its_settings_in_pyproject(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.leadline]\nreader = "none"\n[tool.other]\nx=1')
    assert load_settings().reader == "none"
    assert value_of("reader").origin == "pyproject.toml"
    (project / "leadline.toml").write_text('model = "m"')
    assert load_settings().reader != "none"


def test_an_unknown_key_in_a_file_is_named_with_the_nearest(project: Path) -> None:
    (project / "leadline.toml").write_text('modle = "x"')
    with pytest.raises(ConfigError, match=r"'modle', which stands in leadline.toml.*'model'"):
        load_settings()


def test_an_unknown_variable_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_REEDER", "none")
    with pytest.raises(ConfigError, match=r"LEADLINE_REEDER.*LEADLINE_READER"):
        load_settings()


@pytest.mark.parametrize(
    "variable", ["LEADLINE_KERNELS", "LEADLINE_BRAVE_KEY", "LEADLINE_TEST_HOME", "LEADLINE_CI"]
)
def test_other_variables_are_left_alone(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "torch")
    load_settings()


def test_an_unknown_argument_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'endpiont'.*'endpoint'"):
        load_settings(endpiont="http://127.0.0.1")


def test_a_value_that_cannot_be_used_is_named_with_its_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user("seconds = -1")
    with pytest.raises(ConfigError, match=r"'seconds' cannot be used.*settings.toml"):
        load_settings()
    monkeypatch.setenv("LEADLINE_SECONDS", "soon")
    with pytest.raises(ConfigError, match="change it in LEADLINE_SECONDS or"):
        load_settings()


def test_lists_and_tables_are_parted_by_commas_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", "ddgs, wikipedia")
    monkeypatch.setenv("LEADLINE_ALLOW_HOSTS", '["127.0.0.1:80"]')
    monkeypatch.setenv("LEADLINE_SEARCH_URLS", "brave=http://a/?q=1,exa=http://b")
    settings = load_settings()
    assert settings.search_backends == ("ddgs", "wikipedia")
    assert settings.allow_hosts == ("127.0.0.1:80",)
    assert settings.search_urls == {"brave": "http://a/?q=1", "exa": "http://b"}


def test_a_secret_is_masked_and_refused_where_others_can_read_it() -> None:
    user('endpoint_key = "s3cret"', mode=0o644)
    with pytest.raises(ConfigError, match="chmod 600") as raised:
        load_settings()
    assert "s3cret" not in str(raised.value)
    user_file().chmod(0o600)
    assert value_of("endpoint_key").value == MASK
    assert "s3cret" not in repr(setting_values())


def test_writing_keeps_comments_and_the_rest_of_the_file() -> None:
    user('# mine\nmodel = "old"  # for now\n\nreader = "none"\n')
    assert write_setting("model", "new") == user_file()
    assert user_file().read_text() == '# mine\nmodel = "new"  # for now\n\nreader = "none"\n'
    assert stat.S_IMODE(user_file().stat().st_mode) == 0o600


def test_writing_takes_text_as_the_environment_would() -> None:
    write_setting("seconds", "90")
    write_setting("offline", "true")
    write_setting("search_backends", "ddgs,arxiv")
    write_setting("search_urls.brave", "http://127.0.0.1:1")
    write_setting("search_urls.exa", "http://127.0.0.1:2")
    settings = load_settings()
    assert (settings.seconds, settings.offline) == (90.0, True)
    assert settings.search_backends == ("ddgs", "arxiv")
    assert settings.search_urls == {"brave": "http://127.0.0.1:1", "exa": "http://127.0.0.1:2"}
    write_setting("search_urls.brave", None)
    assert load_settings().search_urls == {"exa": "http://127.0.0.1:2"}


def test_a_setting_can_be_taken_out_and_that_twice() -> None:
    write_setting("model", "x")
    write_setting("model", None)
    write_setting("model", None)
    assert value_of("model").origin == DEFAULT


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("seconds", "soon", "'seconds' cannot be set so"),
        ("context_tokens", "7", "greater than or equal to 1024"),
        ("modle", "x", "did you mean 'model'"),
        ("model.a", "x", "'model' cannot be set so"),
        ("search_urls", "brave", "name=value"),
    ],
)
def test_what_cannot_be_used_is_not_written(name: str, value: str, match: str) -> None:
    before = user("reader = 'none'\n").read_text()
    with pytest.raises(ConfigError, match=match):
        write_setting(name, value)
    assert user_file().read_text() == before


def test_a_damaged_file_is_not_overwritten() -> None:
    user("model = \n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        write_setting("model", "x")
    assert user_file().read_text() == "model = \n"


def test_a_link_to_a_file_kept_elsewhere_stays_one(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("")
    user_file().parent.mkdir(parents=True)
    user_file().symlink_to(kept)
    write_setting("model", "x")
    assert user_file().is_symlink()
    assert 'model = "x"' in kept.read_text()


def test_every_setting_is_described() -> None:
    assert [value.name for value in setting_values() if not value.description] == []
    assert set(Settings.model_json_schema()["properties"]) == set(Settings.model_fields)
