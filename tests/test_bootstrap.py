"""Where jetcore finds its things."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetcore.bootstrap import Bootstrap
from jetcore.errors import SettingsError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JETCORE_HOME", "JETCORE_DATABASE_URL", "JETCORE_MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_everything_lies_in_the_home_directory(tmp_path: Path) -> None:
    """With a home alone, the database and the master key are files in it."""
    found = Bootstrap.find(home=tmp_path)

    assert found.database_url == f"sqlite:///{tmp_path}/state.db"
    assert found.master_key_file == tmp_path / "master.key"


def test_the_home_is_the_folder_of_the_sqlite_file(tmp_path: Path) -> None:
    """The URL of a SQLite file is enough to find the master key beside it."""
    found = Bootstrap.find(url=f"sqlite:///{tmp_path}/state.db")

    assert found.home == tmp_path
    assert found.master_key_file == tmp_path / "master.key"


def test_the_environment_moves_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JETCORE_HOME is used when the call names no home."""
    monkeypatch.setenv("JETCORE_HOME", str(tmp_path))

    assert Bootstrap.find().home == tmp_path


def test_what_is_saved_is_found_again(tmp_path: Path) -> None:
    """Another database and key file survive in jetcore.toml, which only its owner can read."""
    odd = 'postgresql://jet:p"a\\ss@db/jetcore'
    Bootstrap(home=tmp_path, database_url=odd, master_key_file=Path("/etc/jetcore/key")).save()

    found = Bootstrap.find(home=tmp_path)

    assert (found.database_url, found.master_key_file) == (odd, Path("/etc/jetcore/key"))
    assert (tmp_path / "jetcore.toml").stat().st_mode & 0o777 == 0o600


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JETCORE_ variable overrides the same key of jetcore.toml."""
    (tmp_path / "jetcore.toml").write_text('database_url = "sqlite:////from/file.db"\n')
    monkeypatch.setenv("JETCORE_DATABASE_URL", "sqlite:////from/environment.db")

    assert Bootstrap.find(home=tmp_path).database_url == "sqlite:////from/environment.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('databse_url = "x"\n', "unknown key 'databse_url'", id="misspelt key"),
        pytest.param("database_url = 5\n", "database_url must be a text", id="wrong type"),
        pytest.param("database_url = \n", "not valid TOML", id="not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong with jetcore.toml is said together with its path."""
    (tmp_path / "jetcore.toml").write_text(text)

    with pytest.raises(SettingsError) as error:
        Bootstrap.find(home=tmp_path)

    assert said in str(error.value)
    assert str(tmp_path / "jetcore.toml") in str(error.value)


def test_a_password_in_the_url_is_not_in_the_repr(tmp_path: Path) -> None:
    """The value can be logged without giving the database's password away."""
    assert "geheim" not in repr(Bootstrap.find(url="postgresql://u:geheim@h/d", home=tmp_path))
