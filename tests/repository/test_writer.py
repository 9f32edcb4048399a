"""Writing into a repository, in one process and in two."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.errors import DestinationError, DestinationFullError, RepositoryError, RepositoryLockedError
from jetcore.repository import BlobType, Repository, Snapshot, encode_tree
from jetcore.repository import writer as writer_module
from jetcore.repository.forked import ForkedSealer
from jetcore.repository.pack import read_header
from jetcore.repository.sealer import InlineSealer
from jetcore.testing.memory import MemoryDestination

FILES = {b"one": b"1" * 1000, b"two": b"2" * 1000}
LARGE = [random.Random(number).randbytes(300_000 + number) + bytes(200_000) for number in range(60)]


@pytest.fixture(params=["inline", "forked"])
def way(request, monkeypatch):
    """Both ways to seal, from the first byte on."""
    forked = request.param == "forked"
    monkeypatch.setattr(writer_module, "can_fork", lambda files: forked)
    monkeypatch.setattr(writer_module, "FORK_BYTES", 1)
    return ForkedSealer if forked else InlineSealer


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def object_names(destination, folder=""):
    return [info.name for info in destination.list(f"repo/{folder}")]


def child_processes():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_round_trip(way, local, repository, save, contents):
    """What was saved can be read, by the same and by another instance."""
    files = {b"%d" % number: data for number, data in enumerate(LARGE)}
    with repository.writer() as writer:
        snapshot = save(writer, files)
        assert isinstance(writer._sealer, way)

    other = Repository.open(local, "repo/", keys=repository.keys)
    for reader in (repository, other):
        assert contents(reader, reader.snapshot(snapshot)) == files
    assert child_processes() == []


def test_packs_are_whole(way, local, repository):
    """Packs are named by their SHA-256, about 16 MiB, of one type each, and their headers list what the index lists."""
    with repository.writer() as writer:
        for data in LARGE:
            writer.save_data(data)
        writer.save_tree(encode_tree([]))
        writer.flush()

    listed = set()
    packs = list(local.list("repo/data/"))
    for info in packs:
        blobs = read_header(local.get(info.name), repository.crypter)
        assert len({blob.type for blob in blobs}) == 1
        listed |= {(blob.type, blob.id) for blob in blobs}
        for blob in blobs:
            assert repository._locate(blob.id, blob.type)[1:] == blob[2:]
    assert listed == set(repository.stored_index.index)
    assert len(listed) == len(LARGE) + 1
    assert max(info.bytes for info in packs) < 18 << 20
    assert len(packs) == 3


def test_counters(way, local, repository):
    """The counters tell new blobs and what they take at the destination."""
    with repository.writer() as writer:
        for data in (*LARGE, LARGE[0]):
            writer.save_data(data)
        writer.save_tree(encode_tree([]))
        writer.flush()

    assert (writer.added_blobs, writer.added_data_blobs, writer.added_tree_blobs) == (61, 60, 1)
    assert writer.added_plain_bytes == sum(map(len, LARGE)) + len(encode_tree([]))
    stored = sum(info.bytes for folder in ("data/", "index/") for info in local.list(f"repo/{folder}"))
    assert writer.added_bytes == stored


def test_nothing_is_stored_twice(way, local, repository, save):
    """What the repository has is not stored again, in the same run, the next one, or under another name."""
    with repository.writer() as writer:
        save(writer, FILES)
    before = set(object_names(local))
    with Repository.open(local, "repo/", keys=repository.keys).writer() as writer:
        save(writer, {b"one": FILES[b"one"], b"two": FILES[b"two"]})
        assert writer.has_blob(writer.save_data(b"1" * 1000))
        assert (writer.added_blobs, writer.added_bytes) == (0, 0)

    assert [name.split("/")[1] for name in set(object_names(local)) - before] == ["snapshots"]


def test_a_file_like_a_tree(way, local, repository):
    """A file that holds just what some folder's tree does is a blob of its own."""
    encoded = encode_tree([])
    with repository.writer() as writer:
        tree = writer.save_tree(encoded)
        assert not writer.has_blob(tree, BlobType.DATA)
        assert writer.save_data(encoded) == tree
        assert writer.added_blobs == 2

    other = Repository.open(local, "repo/", keys=repository.keys)
    assert other.load_blob(tree, BlobType.DATA) == other.load_blob(tree, BlobType.TREE) == encoded


def test_the_buffer_may_be_used_again(way, repository):
    """A caller may overwrite what it has saved as soon as the call is back."""
    buffer = bytearray(1000)
    ids = []
    with repository.writer() as writer:
        for number in range(50):
            buffer[:] = bytes([number]) * 1000
            ids.append(writer.save_data(memoryview(buffer)))

    assert [repository.load_blob(blob) for blob in ids] == [bytes([number]) * 1000 for number in range(50)]


def test_huge_blobs(way, repository):
    """A blob that is larger than any buffer on its way, as trees of huge folders are, arrives whole among others."""
    huge = random.Random(1).randbytes(30 << 20)
    with repository.writer() as writer:
        ids = [writer.save_data(b"before"), writer.save_tree(huge), writer.save_data(b"after")]
        exact = writer.save_tree(huge[: (9 << 20)])

    assert [repository.load_blob(blob) for blob in ids] == [b"before", huge, b"after"]
    assert repository.load_blob(exact) == huge[: (9 << 20)]


def test_empty_and_tiny_blobs(way, repository):
    """Many thousands of tiny blobs, and the empty one, are stored."""
    with repository.writer() as writer:
        ids = [writer.save_data(b"%d" % number) for number in range(40_000)]
        empty = writer.save_data(b"")

    assert repository.load_blob(empty) == b""
    assert repository.load_blob(ids[39_999]) == b"39999"
    assert len(list(repository.stored_index.index)) == 40_001


def test_streams(way, repository):
    """A stream is cut into chunks that make it up again."""
    data = random.Random(2).randbytes(20 << 20)
    with repository.writer() as writer:
        ids, size = writer.save_stream(io.BytesIO(data).read)
        assert writer.save_stream(io.BytesIO(b"").read) == ((), 0)

    assert size == len(data)
    assert len(ids) > 10
    assert b"".join(map(repository.load_blob, ids)) == data


def test_flush_and_go_on(way, local, repository, save, contents):
    """After a flush everything is durable and listed, and more can be saved."""
    with repository.writer() as writer:
        first = writer.save_data(LARGE[0])
        writer.flush()
        assert Repository.open(local, "repo/", keys=repository.keys).load_blob(first) == LARGE[0]
        second = writer.save_data(LARGE[1])
        writer.flush()
        writer.flush()
        snapshot = save(writer, FILES)

    assert repository.load_blob(second) == LARGE[1]
    assert contents(repository, repository.snapshot(snapshot)) == FILES
    assert len(object_names(local, "index/")) == 3


def test_leaving_without_a_word_keeps_all(way, local, repository):
    """A writer that is left without an error makes durable what it was given."""
    with repository.writer() as writer:
        blob = writer.save_data(b"x")

    assert Repository.open(local, "repo/", keys=repository.keys).load_blob(blob) == b"x"


def test_leaving_by_an_error(way, local, repository, save):
    """A writer that is left by an exception lists nothing, leaves no lock and no process; later runs are whole."""

    def interrupted():
        with repository.writer() as writer:
            for data in LARGE:
                writer.save_data(data)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert object_names(local, "index/") == object_names(local, "snapshots/") == object_names(local, "locks/") == []
    assert child_processes() == []

    with repository.writer() as writer:
        ids = [writer.save_data(data) for data in LARGE]
        assert writer.added_blobs == len(LARGE)
    other = Repository.open(local, "repo/", keys=repository.keys)
    assert [other.load_blob(blob) for blob in ids] == LARGE


def test_index_files_are_not_too_large(way, local, repository, monkeypatch):
    """The index is divided into files of bounded size, and what is full is stored before the end."""
    monkeypatch.setattr(writer_module, "INDEX_BLOBS", 30)
    with repository.writer() as writer:
        ids = [writer.save_data(data) for data in LARGE]
        writer.flush()

    assert len(object_names(local, "index/")) == 2
    other = Repository.open(local, "repo/", keys=repository.keys)
    assert [other.load_blob(blob) for blob in ids] == LARGE


def test_a_full_destination(way, small_disk, password, save):
    """When the destination is full the run ends with that error, and nothing of it is listed."""
    destination = LocalDestination(LocalSettings(path=str(small_disk)))
    repository = Repository.init(destination, "repo/", password)
    with repository.writer() as writer:
        first = save(writer, FILES)

    def fill():
        with repository.writer() as writer:
            for number, data in enumerate(LARGE * 3):
                writer.save_data(b"%d" % number + data)
            save(writer, {b"new": b"new"})

    with pytest.raises(DestinationFullError, match="No space left") as caught:
        fill()
    assert "make room" in caught.value.hint
    assert [snapshot.id for snapshot in repository.snapshots()] == [first]
    assert object_names(destination, "locks/") == []


def test_a_failed_writer_stays_failed(way, local, repository, save):
    """After an error every further call fails as well, even if the caller goes on."""
    with repository.writer() as writer:
        writer.save_data(b"x" * 100)
        os.rename(local._root, local._root + ".away")
        Path(local._root).touch()  # a file where the directory was
        with pytest.raises(DestinationError):
            writer.flush()
        os.unlink(local._root)
        os.rename(local._root + ".away", local._root)
        with pytest.raises(DestinationError):
            writer.save_data(b"more")
        with pytest.raises(DestinationError):
            save(writer, FILES)

    assert repository.snapshots() == []


def test_a_killed_sealer(local, repository, monkeypatch):
    """When the sealing process is killed the next calls say so, and nothing is listed."""
    monkeypatch.setattr(writer_module, "FORK_BYTES", 1)

    def work():
        with repository.writer() as writer:
            writer.save_data(LARGE[0])
            os.kill(writer._sealer._pid, signal.SIGKILL)
            for data in LARGE:
                writer.save_data(data)
            writer.flush()

    with pytest.raises(RepositoryError, match="seals and stores new data, has gone"):
        work()
    assert object_names(local, "index/") == []
    assert child_processes() == []


def test_small_runs_do_not_fork(local, repository, save):
    """A run with little new data pays for no second process; a larger one has it."""
    with repository.writer() as writer:
        save(writer, FILES)
        assert writer._sealer.__class__ is InlineSealer
    with repository.writer() as writer:
        for data in LARGE[:20]:
            writer.save_data(data)
        assert isinstance(writer._sealer, ForkedSealer)


def test_a_fork_that_fails(repository, monkeypatch):
    """Where the system gives no other process, this one does the work."""

    def no_process():
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_process)
    with repository.writer() as writer:
        ids = [writer.save_data(data) for data in LARGE]
        assert isinstance(writer._sealer, InlineSealer)

    assert [repository.load_blob(blob) for blob in ids] == LARGE


def test_forks_of_the_caller(repository, monkeypatch):
    """A process that the caller forks meanwhile does not keep the sealer, and so the writer, from ending."""
    monkeypatch.setattr(writer_module, "FORK_BYTES", 1)
    reading, writing = os.pipe()
    with repository.writer() as writer:
        writer.save_data(b"x")
        pid = os.fork()
        if not pid:
            os.close(writing)
            os.read(reading, 1)  # until the end of the test
            os._exit(0)
    os.close(writing)
    os.close(reading)
    os.waitpid(pid, 0)


def test_threads_forbid_forking(repository):
    """Beside another thread no process is forked."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with repository.writer() as writer:
            ids = [writer.save_data(data) for data in LARGE]
            assert isinstance(writer._sealer, InlineSealer)
    finally:
        done.set()
        thread.join()

    assert [repository.load_blob(blob) for blob in ids] == LARGE
    assert threading.active_count() == 1


def test_destinations_that_cannot_be_forked(in_memory):
    """What a destination keeps in memory would be lost in a child, so none is made."""
    with in_memory.writer() as writer:
        ids = [writer.save_data(data) for data in LARGE]
        assert isinstance(writer._sealer, InlineSealer)

    assert [in_memory.load_blob(blob) for blob in ids] == LARGE


def test_the_sealer_holds_no_descriptors(repository, monkeypatch):
    """A pipe that the caller closes is closed for good, although a process was forked while it was open."""
    monkeypatch.setattr(writer_module, "FORK_BYTES", 1)
    reading, writing = os.pipe()
    with repository.writer() as writer:
        writer.save_data(b"x")
        writer.flush()
        os.close(writing)
        assert os.read(reading, 1) == b""
    os.close(reading)


def test_the_sealer_dies_with_its_writer(tmp_path, local, repository):
    """A writer that is killed leaves no process behind."""
    program = (
        "import os, signal, sys\n"
        "from jetcore.destinations import LocalDestination, LocalSettings\n"
        "from jetcore.repository import MasterKeys, Repository\n"
        "keys = MasterKeys.from_json(sys.stdin.buffer.read())\n"
        "repository = Repository.open(LocalDestination(LocalSettings(path=sys.argv[1])), 'repo/', keys=keys)\n"
        "writer = repository.writer()\n"
        "writer.save_data(os.urandom(6_000_000))\n"
        "print(writer._sealer._pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, local._root], input=repository.keys.to_json(), capture_output=True
    )

    assert run.returncode == -signal.SIGKILL, run.stderr
    # The sealer holds the pipes that run() reads to their end: that it is back says that there is none any more.
    assert int(run.stdout) > 0


def test_a_lost_lock_ends_the_run(repository, local, monkeypatch, save):
    """If the lock was taken away meanwhile, there is no new snapshot."""

    def work():
        with repository.writer() as writer:
            writer.save_data(b"x")

            def lost():
                raise RepositoryLockedError("the lock was removed")

            monkeypatch.setattr(writer._lock, "refresh", lost)
            save(writer, FILES)

    with pytest.raises(RepositoryLockedError):
        work()
    assert object_names(local, "snapshots/") == []


def test_two_writers_at_once(local, repository, save, contents):
    """Two writers do not disturb each other."""
    other = Repository.open(local, "repo/", keys=repository.keys)
    with repository.writer() as first, other.writer() as second:
        one = save(first, {b"same": b"same" * 100, b"one": b"1" * 100})
        two = save(second, {b"same": b"same" * 100, b"two": b"2" * 100})

    for reader in (repository, other):
        assert contents(reader, reader.snapshot(one)) == {b"same": b"same" * 100, b"one": b"1" * 100}
        assert contents(reader, reader.snapshot(two)) == {b"same": b"same" * 100, b"two": b"2" * 100}


def test_compression(memory, password):
    """Blobs are compressed at the level that was asked for, and stored as they are where that is shorter."""
    text = b"".join(b"line %d of a text\n" % number for number in range(20_000))
    sizes = {}
    for level in (1, 19):
        repository = Repository.init(MemoryDestination(), "repo/", password)
        with repository.writer(level=level) as writer:
            blob = writer.save_data(text)
            random_blob = writer.save_data(LARGE[0][:1000])
        location = repository._locate(blob, None)
        sizes[level] = location.length
        assert location.uncompressed_length == len(text)
        assert repository._locate(random_blob, None)[2:] == (1032, 0)
        assert repository.load_blob(blob) == text

    assert sizes[19] < sizes[1] < len(text) // 3


def test_snapshots_need_everything_durable(way, local, repository, monkeypatch):
    """The snapshot is stored last: after all packs and the index."""
    order = []
    put = LocalDestination.put

    def recording(self, name, data):
        order.append(name.split("/")[1])
        put(self, name, data)

    with repository.writer() as writer:
        monkeypatch.setattr(LocalDestination, "put", recording)
        writer.save_data(b"x")
        tree = writer.save_tree(encode_tree([]))
        writer.save_snapshot(Snapshot(time=datetime.now(UTC), tree=tree))

    assert order[-2:] == ["index", "snapshots"]
