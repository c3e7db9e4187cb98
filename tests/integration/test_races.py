"""Races in small numbers; `./dev races` has the large ones."""

import os
import sys

import harness
from harness import limit

sys.path.insert(0, os.path.join(harness.ROOT, 'tests', 'torture'))
import races  # noqa: E402


@limit(120)
def test_kills_that_meet_ends_leave_one_end_each(dev):
    ends = races.kills_against_ends(dev, 300)
    assert set(ends) <= {'succeeded', 'killed', 'cancelled'}, ends


@limit(120)
def test_64_clients_with_one_key_have_one_id(dev):
    races.clients_with_one_key(dev, 64, 3)


@limit(180)
def test_what_runs_outlives_a_gateway_that_is_told_to_end(fresh):
    fresh.start()
    races.leave_much_running(fresh, 40)
