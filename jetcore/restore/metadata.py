"""Owner, mode, extended attributes and times of what was restored, in the one order that keeps them all.

``chown`` clears setuid bits and file capabilities, ``chmod`` rewrites the mask of an ACL, and every write touches the
times. So: owner, mode, ACLs and other attributes, times.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping

import attrs

from jetcore.errors import RestoreError
from jetcore.repository.tree import Node
from jetcore.restore.report import Tally

ACCESS_ACL = b"system.posix_acl_access"
DEFAULT_ACL = b"system.posix_acl_default"

# To chown(2) it means "leave the owner", which here is root.
_NOBODY_AT_ALL = 2**32 - 1

#: Where an entry lies below the target, or what finds that out when it has to be told.
Where = bytes | Callable[[], bytes]

#: Errors after which nothing more can be written at all.
_FATAL = {errno.ENOSPC: "no space is left there", errno.EDQUOT: "its quota is used up", errno.EROFS: "it is read-only"}


@attrs.frozen(kw_only=True)
class Policy:
    """What a restore point may put back, and to whom it is given; the defaults are those for a hosting account."""

    #: Number in the restore point to number on this server; what is not in it keeps its number.
    uids: Mapping[int, int] = attrs.field(factory=dict)
    gids: Mapping[int, int] = attrs.field(factory=dict)
    #: The user who gets what belongs to anybody not in :attr:`uids`; None keeps their numbers.
    other_uid: int | None = None
    #: The same for groups.
    other_gid: int | None = None
    #: Keep setuid and setgid bits of files, file capabilities and ``trusted`` attributes.
    keep_privileges: bool = False
    #: Make device nodes.
    allow_devices: bool = False

    def owner(self, node: Node) -> tuple[int, int]:
        """Return uid and gid for *node*.

        :raises ValueError: They are numbers that no user or group can have.
        """
        uid = self.uids.get(node.uid)
        gid = self.gids.get(node.gid)
        if uid is None:
            uid = node.uid if self.other_uid is None else self.other_uid
        if gid is None:
            gid = node.gid if self.other_gid is None else self.other_gid
        if not (0 <= uid < _NOBODY_AT_ALL and 0 <= gid < _NOBODY_AT_ALL):
            raise ValueError(f"uid {uid} or gid {gid} cannot exist")
        return uid, gid


def check_fatal(error: OSError, target: str) -> None:
    """Raise if *error* says that the target takes nothing more.

    :raises RestoreError: No space, no quota, or no right to write at all.
    """
    reason = _FATAL.get(error.errno or 0)
    if reason:
        raise RestoreError(
            f"cannot write to {target}: {reason}", hint="what was restored so far is whole; the rest is missing"
        ) from error


class Metadata:
    """Applies nodes' metadata under a policy, and tallies what the policy or the target does not take."""

    def __init__(self, policy: Policy, tally: Tally) -> None:
        self._policy = policy
        self._tally = tally

    def apply(self, entry: int | bytes, node: Node, path: Where) -> None:
        """Give *entry* the metadata of *node*.

        :param entry: A descriptor; or, for what cannot be opened, the ``/proc/self/fd`` path of an ``O_PATH`` one.
        :param path: Where the entry lies below the target, or what gives it: for the tally, if that has to know.
        """
        owned = self._own(entry, node, path)
        if node.type != "symlink":
            os.chmod(entry, self._mode(node, path, owned=owned))
        if node.xattrs:
            self._set_xattrs(entry, node, path)
        os.utime(entry, ns=(node.mtime_ns, node.mtime_ns))

    def forget_acls(self, entry: int | bytes, node: Node) -> None:
        """Remove the ACLs that *entry* inherited from its directory, where *node* has none.

        To be called before :meth:`apply`, which gives the mode that an inherited mask changed.
        """
        wanted = {name for name, _ in node.xattrs}
        for name in (ACCESS_ACL, DEFAULT_ACL):
            if name not in wanted:
                _remove_xattr(entry, name)

    def forget_xattrs(self, directory: int, node: Node) -> None:
        """Remove from an existing *directory* the ACLs and user attributes that *node* does not have."""
        wanted = {name for name, _ in node.xattrs}
        try:
            present = os.listxattr(directory)
        except OSError:
            return
        for name in map(os.fsencode, present):
            if name not in wanted and (name.startswith(b"user.") or name in (ACCESS_ACL, DEFAULT_ACL)):
                _remove_xattr(directory, name)

    def _own(self, entry: int | bytes, node: Node, path: Where) -> bool:
        uid, gid = self._policy.owner(node)
        try:
            os.chown(entry, uid, gid)
        except OSError as error:
            # EPERM without root, EINVAL for an owner that the user namespace does not know.
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            present = os.stat(entry)
            if (present.st_uid, present.st_gid) != (uid, gid):
                self._tally.loss(_told(path), f"its owner could not be set: {error.strerror}")
                return False
        return True

    def _mode(self, node: Node, path: Where, *, owned: bool) -> int:
        mode = node.mode & 0o7777
        dangerous = mode & (stat.S_ISUID | stat.S_ISGID)
        if not dangerous or (owned and (node.type == "dir" or self._policy.keep_privileges)):
            return mode
        self._tally.note(_told(path), "setuid and setgid bits were left out")
        return mode & ~dangerous

    def _set_xattrs(self, entry: int | bytes, node: Node, path: Where) -> None:
        for name, value in node.xattrs:
            if not self._policy.keep_privileges and _is_privileged(name):
                self._tally.note(_told(path), f"the attribute {_namespace(name)} was left out")
                continue
            try:
                os.setxattr(entry, name, value)
            except OSError as error:
                self._tally.loss(_told(path), f"its {_namespace(name)} attribute could not be set: {error.strerror}")


def _told(where: Where) -> bytes:
    return where if isinstance(where, bytes) else where()


def _is_privileged(name: bytes) -> bool:
    return name.startswith(b"trusted.") or (name.startswith(b"security.") and name != b"security.selinux")


def _namespace(name: bytes) -> str:
    """Return what to call *name*: all of it, but for the many names that users choose themselves only their kind."""
    kind, _, _ = name.partition(b".")
    known = (b"system", b"security")
    return (name if kind in known else kind).decode("utf-8", "backslashreplace")


def _remove_xattr(entry: int | bytes, name: bytes) -> None:
    try:
        os.removexattr(entry, name)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
