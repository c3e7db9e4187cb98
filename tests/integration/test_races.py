"""Races in small numbers; `./dev races` has the large ones."""

import os
import sys

import harness
from harness import equal, limit, until

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


@limit(240)
def test_idle_instances_leave_their_user_ids_to_what_runs(fresh):
    if os.geteuid() != 0:
        raise harness.Skip('only as root do instances have user ids of their own')
    count = 24
    # Far from the ids of other host agents of this machine.
    for setting in ('uid_first=1600000000', f'uid_count={count}', 'instances_max=64'):
        fresh.set('host_agent.' + setting)
    fresh.start()
    for number in range(4):
        fresh.shell(f'idle{number}', 'true')
        fresh.wait(fresh.submit(f'idle{number}')['id'])
    host, = fresh.request('GET', '/v1/hosts').json()['hosts']
    equal(host['capacity']['instances_max'], count, 'instances that the host has ids for')
    # Three more than that: they wait for a place, which nobody asks the host for in vain.
    fresh.shell('more', 'echo up >&2; while [ ! -e "$DIR/more" ]; do sleep 0.1; done',
                max_running=count + 3, memory_mb=1, cpu_millis=1)
    made = [fresh.submit('more')['id'] for _ in range(count + 3)]
    until(lambda: fresh.count('?function=more&state=running') == count, 'all ids are in use', 120)
    waiting = [i for i in made if fresh.get(i)['state'] == 'queued']
    equal(len(waiting), 3, 'that wait')
    before = {i: fresh.get(i) for i in waiting}
    fresh.touch('more')
    for invocation in made:
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')
    for invocation, document in before.items():
        equal(document['wait_reason'], 'no_capacity', 'why it waits')
        equal(document['attempts'], [], 'attempts while it waited')
    for invocation in made:
        equal(len(fresh.get(invocation)['attempts']), 1, 'attempts')
    races.leave_much_running(fresh, count)
