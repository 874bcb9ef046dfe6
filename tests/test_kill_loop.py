"""SIGKILL at random moments of ``polydnn train``: nothing saved is lost, and the end is the same to the bit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = Path(__file__).parent.parent / "benchmarks" / "kill_loop.py"


@pytest.mark.slow
def test_sixty_kills_lose_nothing():
    done = subprocess.run(
        [sys.executable, str(LOOP), "--kills", "60", "--seed", "1"], capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["kills"] == 60
    assert figures["runs_completed"] >= 1
    for lost in ("unreadable", "too_old", "orphans_left", "completed_unequal", "other_failures"):
        assert figures[lost] == 0, lost
    assert figures["oldest_newest_in_steps"] <= figures["checkpoint_every"]
