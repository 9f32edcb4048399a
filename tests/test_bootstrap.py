"""Where jetcore finds its things."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jetcore import bootstrap
from jetcore.bootstrap import Bootstrap
from jetcore.errors import SettingsError


@pytest.fixture(autouse=True)
def system_file(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a system's file that does not exist yet, in an environment that says nothing."""
    for name in [name for name in os.environ if name.startswith("JETCORE_")]:
        monkeypatch.delenv(name)
    path = tmp_path_factory.mktemp("etc") / "jetcore.toml"
    monkeypatch.setattr(bootstrap, "SYSTEM_FILE", path)
    return path


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
    odd = 'postgresql://jet:p"a\\ss😀@db/jetcore'
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


def test_the_system_file_says_where_everything_is(tmp_path: Path, system_file: Path) -> None:
    """Without any word in the call or the environment, root's jetcore is the one that the system's file describes."""
    system_file.write_text(f'home = "{tmp_path}"\nmaster_key_file = "/etc/jetcore/key"\nlisten = "[::]:3035"\n')

    assert Bootstrap.find() == Bootstrap.find(home=tmp_path)
    assert Bootstrap.find() == Bootstrap(
        home=tmp_path,
        database_url=f"sqlite:///{tmp_path}/state.db",
        master_key_file=Path("/etc/jetcore/key"),
        listen="[::]:3035",
    )


def test_the_system_file_is_about_one_home_only(tmp_path: Path, system_file: Path) -> None:
    """Who names another home gets nothing of the system's database and key."""
    system_file.write_text('database_url = "postgresql://db/jetcore"\n')

    assert Bootstrap.find().home == bootstrap.SYSTEM_HOME
    assert Bootstrap.find().database_url == "postgresql://db/jetcore"
    assert Bootstrap.find(home=tmp_path).database_url == f"sqlite:///{tmp_path}/state.db"


def test_the_system_file_wins_over_that_of_the_home(tmp_path: Path, system_file: Path) -> None:
    """What the administrator wrote counts more than what an earlier set-up noted, and is not noted again."""
    system_file.write_text(f'home = "{tmp_path}"\nlisten = "127.0.0.1:1"\n')
    (tmp_path / "jetcore.toml").write_text('listen = "127.0.0.1:2"\nmaster_key_file = "/k"\n')

    found = Bootstrap.find()
    assert (found.listen, found.master_key_file) == ("127.0.0.1:1", Path("/k"))

    found.save()
    assert (tmp_path / "jetcore.toml").read_text() == 'master_key_file = "/k"\n'


@pytest.mark.parametrize("name", ["JETCORE_DATABSE_URL", "JETCORE_", "JETCORE_LISTN"])
def test_a_misspelt_variable_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A JETCORE_ variable that means nothing is an error with those that do, also where the call says everything."""
    monkeypatch.setenv(name, "x")

    with pytest.raises(SettingsError, match=f"unknown environment variable '{name}'.*there are JETCORE_HOME"):
        Bootstrap.find(home=tmp_path)


@pytest.mark.parametrize("listen", ["3035", "localhost", "localhost:0", "localhost:65536", "::1:3035", "a b:1", ":1"])
def test_an_address_has_host_and_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    """What nobody can listen on is refused."""
    monkeypatch.setenv("JETCORE_LISTEN", listen)

    with pytest.raises(SettingsError, match="is no address to listen on"):
        Bootstrap.find(home=tmp_path)


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_others_can_write_is_not_read(tmp_path: Path, mode: int) -> None:
    """Nobody but root chooses the database and the key."""
    (tmp_path / "jetcore.toml").write_text("")
    (tmp_path / "jetcore.toml").chmod(mode)

    with pytest.raises(SettingsError, match="not safe from other users"):
        Bootstrap.find(home=tmp_path)


def test_the_nearest_key_is_offered(tmp_path: Path) -> None:
    """A key of the file that is misspelt is named with the one that was meant."""
    (tmp_path / "jetcore.toml").write_text('databse_url = "x"\n')

    with pytest.raises(SettingsError, match="did you mean database_url"):
        Bootstrap.find(home=tmp_path)
