"""Idle instances that are leased ahead: the next run starts without a take, and nothing runs twice.

The metrics say which way a start went; the functions leave a file per start.
"""

import os
import signal

import http_client
import procs
from harness import Dev, equal, limit, until

# A run leaves a file, and waits to be let go where its event says so.
SCRIPT = ('t=$(cat); mktemp "$DIR/start-$t.XXXXXX" > /dev/null; echo "up $t" >&2; '
          'case $t in gated*) while [ ! -e "$DIR/go" ]; do sleep 0.02; done;; esac; '
          'echo "result of $t"')


def metric(dev, name):
    page = http_client.request(dev.admin, 'GET', '/metrics').body.decode()
    for line in page.splitlines():
        if line.split(' ')[0].split('{')[0] == name:
            return float(line.rsplit(' ', 1)[1])
    raise AssertionError(f'no metric {name}')


def figures(dev):
    return {short: metric(dev, name) for short, name in (
        ('takes', 'longhaul_takes_total'), ('leased', 'longhaul_leased_starts_total'),
        ('refused', 'longhaul_leases_refused_total'))}


def leased(dev):
    return until(lambda: metric(dev, 'longhaul_leases') > 0, 'a lease has come')


def warm(dev, **document):
    """A function with an idle loaded instance, leased to the gateway."""
    dev.shell('f', SCRIPT, **document)
    dev.run('f', b'first')
    leased(dev)


def started(dev, name):
    return dev.files(f'start-{name}.')


def pass_a_moment(dev, count):
    """As long as that many answers take: what follows meets another step of the start each time."""
    for _ in range(count):
        http_client.request(dev.admin, 'GET', '/livez')


def check_one_run(dev, invocation, name):
    document = dev.wait(invocation)
    equal((document['state'], len(document['attempts'])), ('succeeded', 1), 'end and attempts')
    equal(dev.result(invocation), f'result of {name}\n'.encode(), 'result')
    equal(len(started(dev, name)), 1, f'starts of {name}')
    return document


def test_a_warm_start_needs_no_take(fresh):
    fresh.start()
    warm(fresh)
    before = figures(fresh)
    for number in range(5):
        document, _ = fresh.run('f', f'n{number}'.encode())
        trace = document['attempts'][0]['trace']
        assert 'take_ms' not in trace and 'route_ms' in trace, trace
        leased(fresh)
    after = figures(fresh)
    equal(after['takes'], before['takes'], 'takes')
    equal(after['leased'] - before['leased'], 5, 'starts under a lease')
    equal(after['refused'], before['refused'], 'refusals')
    instances = {fresh.get(i['id'])['attempts'][0]['instance'] for i in fresh.request(
        'GET', '/v1/invocations?function=f').json()['invocations']}
    equal(len(instances), 1, 'instances')


def test_what_waits_rides_on_the_lease_of_the_run_before(fresh):
    fresh.start()
    fresh.shell('f', SCRIPT, max_running=1)
    fresh.request('POST', '/v1/functions/f/queue/pause')
    made = {f'w{n}': fresh.submit('f', f'w{n}'.encode())['id'] for n in range(10)}
    before = figures(fresh)
    fresh.request('POST', '/v1/functions/f/queue/resume')
    for name, invocation in made.items():
        check_one_run(fresh, invocation, name)
    after = figures(fresh)
    equal((after['takes'] - before['takes'], after['leased'] - before['leased']), (1, 9),
          'takes and leases')


def test_another_function_gets_the_room_that_is_leased():
    dev = Dev(['--set', 'host_agent.instances_max=1'])
    try:
        dev.start()
        warm(dev)
        dev.shell('g', SCRIPT)
        document, _ = dev.run('g', b'other')
        equal(len(document['attempts']), 1, 'attempts')
        equal(len(started(dev, 'other')), 1, 'starts')
        check_one_run(dev, dev.submit('f', b'back')['id'], 'back')
    finally:
        dev.close()


def test_a_lease_that_is_refused_shows_nobody_anything(fresh):
    fresh.start()
    warm(fresh)
    agents = [pid for pid in procs.marked(fresh.base)
              if os.path.basename(os.readlink(f'/proc/{pid}/exe')).startswith('runtime_agent')]
    before = figures(fresh)
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not [p for p in agents if p in procs.marked(fresh.base)], 'they are gone')
    document = check_one_run(fresh, fresh.submit('f', b'next')['id'], 'next')
    equal(document['attempts'][0]['number'], 1, 'number of the attempt')
    after = figures(fresh)
    equal(after['leased'] - before['leased'], 1, 'starts under a lease')
    equal(after['refused'] - before['refused'], 1, 'refusals')


def test_without_leases_each_start_takes():
    for option in ('gateway.hosts.use_leases=false', 'host_agent.instance_lease=0s'):
        dev = Dev(['--set', option])
        try:
            dev.start()
            dev.shell('f', SCRIPT)
            for number in range(3):
                dev.run('f', f'n{number}'.encode())
            found = figures(dev)
            equal((found['takes'], found['leased']), (3, 0), f'takes and leases with {option}')
        finally:
            dev.close()


def test_a_kill_right_after_a_start_under_a_lease(fresh):
    fresh.start()
    fresh.shell('f', SCRIPT)
    for number in range(8):
        fresh.run('f', f'warm{number}'.encode())
        leased(fresh)
        before = figures(fresh)
        invocation = fresh.submit('f', f'gated{number}'.encode())['id']
        pass_a_moment(fresh, number)
        fresh.kill(invocation)
        document = fresh.wait(invocation)
        equal((document['state'], document['stop']['confirmed']), ('killed', True), 'end')
        assert len(started(fresh, f'gated{number}')) <= 1
        equal(figures(fresh)['takes'], before['takes'], 'takes')
        until(lambda: not [c for c in fresh.processes().values() if 'mktemp' in c],
              'nothing of it is left')


@limit(120)
def test_kill_9_in_the_midst_of_starts_under_leases(fresh):
    """Gateway and host agent die together, at another moment of the start each time."""
    fresh.start()
    fresh.shell('f', SCRIPT)
    for number in range(8):
        fresh.run('f', f'warm{number}'.encode())
        leased(fresh)
        invocation = fresh.submit('f', f'gated{number}'.encode())['id']
        if number % 2 == 0:
            until(lambda: started(fresh, f'gated{number}'), 'it has started')
        else:
            pass_a_moment(fresh, number // 2)
        fresh.kill_9()
        fresh.start()
        fresh.touch('go')
        check_one_run(fresh, invocation, f'gated{number}')
        os.unlink(os.path.join(fresh.shared, 'go'))
