"""What jetcore takes for granted about pluggy: changing a hook without breaking strangers' plugins stands on it."""

from __future__ import annotations

import pluggy
import pytest

spec = pluggy.HookspecMarker("facts")
impl = pluggy.HookimplMarker("facts")


class Specs:
    @spec
    def grow(self, old, new):
        """A hook that has got a second argument."""

    @spec(firstresult=True)
    def first(self):
        """A hook that one plugin answers."""


@pytest.fixture
def manager():
    made = pluggy.PluginManager("facts")
    made.add_hookspecs(Specs)
    return made


def test_old_implementation_need_not_know_a_new_argument(manager):
    """An implementation takes the arguments that it names, and no others."""

    class Old:
        @impl
        def grow(self, old):
            return old

    manager.register(Old())

    assert manager.hook.grow(old=1, new=2) == [1]


def test_argument_with_a_default_is_filled_where_it_is_known(manager):
    """An implementation for old and new versions alike writes ``new=None`` and gets the value where there is one."""

    class Both:
        @impl
        def grow(self, old, new=None, newer=None):
            return new, newer

    manager.register(Both())

    assert manager.hook.grow(old=1, new=2) == [(2, None)]


def test_last_registered_is_asked_first_but_for_trylast(manager):
    """Implementations are asked from the last registered to the first, those with ``trylast`` in the end."""

    def answering(answer, **options):
        class Plugin:
            @impl(**options)
            def first(self):
                return answer

            @impl(**options)
            def grow(self):
                return answer

        return Plugin()

    for plugin in [answering("a"), answering("b"), answering("c", trylast=True)]:
        manager.register(plugin)

    assert manager.hook.grow(old=0, new=0) == ["b", "a", "c"]
    assert [one.function() for one in reversed(manager.hook.grow.get_hookimpls())] == ["b", "a", "c"]
    assert manager.hook.first() == "b"


def test_an_exception_ends_the_round(manager):
    """After an implementation has raised nobody else is asked: hence one plugin at a time."""
    heard = []

    class Fails:
        @impl
        def grow(self):
            raise OSError

    class Listens:
        @impl
        def grow(self, old):
            heard.append(old)

    fails, listens = Fails(), Listens()
    manager.register(listens)
    manager.register(fails)

    with pytest.raises(OSError):
        manager.hook.grow(old=1, new=2)
    assert heard == []

    manager.subset_hook_caller("grow", [fails])(old=1, new=2)
    assert heard == [1]


def test_plugins_are_compared_by_value(manager):
    """Registering an equal object under another name is refused, so plugins need an identity of their own."""

    class Same:
        def __eq__(self, other):
            return True

        __hash__ = None

    manager.register(Same(), "one")

    with pytest.raises(ValueError, match="already registered"):
        manager.register(Same(), "two")
