"""The demonstration, which is the whole way in one go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_demonstration_ends_well() -> None:
    """Accounts that were backed up and destroyed come back as they were, and restic can read the repository."""
    done = subprocess.run([sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything came back as it was" in done.stdout
