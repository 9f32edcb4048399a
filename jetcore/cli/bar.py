"""The progress bar, drawn on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from jetcore.model import OnProgress, Progress


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """Draw a bar for the time of the context: phase, files, bytes, rate, and how long it will still take."""
    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[files]}", markup=False),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, files="")
        phase = ""

        def on_progress(progress: Progress) -> None:
            nonlocal phase
            if progress.phase != phase:
                # A phase has its own speed; one that is over must not spoil the estimate of the next.
                phase = progress.phase
                bar.reset(task, total=progress.bytes_total or None)
            files = f"{progress.files:,}/{progress.files_total:,}" if progress.files_total else f"{progress.files:,}"
            bar.update(
                task,
                description=f"{title} {phase}",
                completed=progress.bytes,
                total=max(progress.bytes_total, progress.bytes) if progress.bytes_total else None,
                files=f"{files} files" if progress.files else "",
            )

        yield on_progress
