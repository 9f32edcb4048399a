"""Whether a plugin, or a type that it hands over, is what the contract asks for; said in the words of its author.

pluggy checks names of arguments only, and mypy does not compare an implementation with its specification at all: a hook
whose annotations are wrong would be found out in the middle of a night's backups.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any, Union

import attrs
import pluggy

from jetcore import hookspecs
from jetcore.errors import JetcoreError, PluginError
from jetcore.hookspecs import PROJECT

#: What a plugin can be for; the name of its entry point begins with one of these.
KINDS = ("panel", "dump", "destination", "notify", "hook")

_NAME = re.compile(rf"(?:{'|'.join(KINDS)})_[a-z0-9]+(?:_[a-z0-9]+)*")
_TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def check_name(name: str) -> None:
    """Check the name of a plugin's entry point.

    :raises PluginError: It is not of the form ``<kind>_<product>``.
    """
    if not _NAME.fullmatch(name):
        raise PluginError(f"its name must be KIND_PRODUCT in lower case; the kinds are {', '.join(KINDS)}")


def check_hooks(plugin: object) -> tuple[str, ...]:
    """Compare the hook implementations of *plugin*, a module or an instance, with the specifications.

    :returns: Names of the hooks that it implements.
    :raises PluginError: An implementation has an unknown name, or wrong arguments or annotations.
    """
    manager = pluggy.PluginManager(PROJECT)
    hooks = []
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if _specification(attribute) and callable(inspect.getattr_static(plugin, attribute)):
                raise PluginError(f"{attribute} is not marked with @jetcore.hookimpl")
            continue
        hook = options["specname"] or attribute
        specification = _specification(hook)
        if specification is None:
            if options["optionalhook"]:
                continue
            raise PluginError(f"{hook} is not a hook of jetcore")
        if options["wrapper"] or options["hookwrapper"]:
            raise PluginError(f"{hook} is a wrapper; a plugin answers for itself and not around the others")
        _check_signature(hook, getattr(plugin, attribute), specification)
        hooks.append(hook)
    return tuple(hooks)


def fault_of_type(offered: Any, base: type[Any]) -> str:
    """Return what is wrong with *offered* as a type of the interface *base*; empty when nothing is."""
    if not (isinstance(offered, type) and issubclass(offered, base)):
        return f"{described(offered)} is not a type of {base.__name__}"
    shown = offered.__qualname__
    missing = sorted(getattr(offered, "__abstractmethods__", ()))
    if missing:
        return f"{shown} does not implement {', '.join(missing)}"
    name = getattr(offered, "name", None)
    if not (isinstance(name, str) and _TYPE_NAME.fullmatch(name)):
        return f"{shown}.name must be a word in lower case, not {name!r}"
    section = getattr(offered, "Settings", None)
    if section is not None and not (isinstance(section, type) and attrs.has(section)):
        return f"{shown}.Settings is not an attrs class"
    return ""


def described(value: object) -> str:
    """Name a wrong value by its type; the value itself could hold anything."""
    return value.__qualname__ if isinstance(value, type) else f"a {type(value).__qualname__}"


def reason_of(error: BaseException) -> str:
    """Say in one piece what an error of foreign code was."""
    if isinstance(error, JetcoreError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _specification(hook: str) -> Callable[..., Any] | None:
    found: Callable[..., Any] | None = getattr(hookspecs, hook, None) if hook.startswith(f"{PROJECT}_") else None
    return found


def _check_signature(hook: str, implementation: Callable[..., Any], specification: Callable[..., Any]) -> None:
    known = inspect.signature(specification).parameters
    for parameter in inspect.signature(implementation).parameters.values():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise PluginError(f"{hook}: the argument {parameter} must be an ordinary one")
        # An argument with a default may belong to a later jetcore.
        if parameter.name not in known and parameter.default is parameter.empty:
            raise PluginError(f"{hook} has no argument {parameter.name!r}; it has {', '.join(known) or 'none'}")
    try:
        given = typing.get_type_hints(implementation)
    except Exception as error:
        raise PluginError(f"the annotations of {hook} cannot be evaluated: {reason_of(error)}") from error
    for name, expected in typing.get_type_hints(specification).items():
        if name not in given:
            continue
        annotation = given[name]
        # Any hook may answer None for "nothing from me".
        right = _covers(expected | None, annotation) if name == "return" else _covers(annotation, expected)
        if not right:
            what = "returns" if name == "return" else f"takes {name!r} as"
            raise PluginError(f"{hook} {what} {_shown(annotation)} where it should be {_shown(expected)}")


def _covers(wide: Any, narrow: Any) -> bool:
    """Say whether every value of the annotation *narrow* is one of *wide*, as far as hook signatures need it."""
    if wide is Any or narrow is Any or wide == narrow:
        return True
    if _is_union(narrow):
        return all(_covers(wide, member) for member in typing.get_args(narrow))
    if _is_union(wide):
        return any(_covers(member, narrow) for member in typing.get_args(wide))
    wide_class, narrow_class = typing.get_origin(wide) or wide, typing.get_origin(narrow) or narrow
    if not (isinstance(wide_class, type) and isinstance(narrow_class, type) and issubclass(narrow_class, wide_class)):
        return False
    wide_items, narrow_items = typing.get_args(wide), typing.get_args(narrow)
    if not wide_items or not narrow_items:
        return True
    if narrow_class is tuple:  # tuple[X, Y] is a sequence of X and Y alike
        return all(_covers(wide_items[0], item) for item in narrow_items if item is not ...)
    return len(wide_items) == len(narrow_items) and all(map(_covers, wide_items, narrow_items))


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in {Union, types.UnionType}


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
