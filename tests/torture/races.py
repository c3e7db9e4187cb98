"""Races against `longhaul dev`, in numbers; `./dev races`.

    ./dev races [--kills N] [--clients N] [--running N]

Kills that meet ends: each invocation has one end, whatever the kill was answered. Clients with the
same key: one id. A gateway that is told to end while much runs: it goes in under 10 s, and all runs
end well under the next one. Small forms run in CI (tests/integration/test_races.py).
"""

import argparse
import collections
import concurrent.futures
import os
import random
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))

import harness  # noqa: E402
from harness import ENDED, equal, until  # noqa: E402

CALLERS = 16
LEAVE_SECONDS = 10


def kills_against_ends(dev, count, seed=1):
    """{state: how many}; each invocation was told of one end only."""
    dev.shell('quick', 'read -r pause; [ "$pause" = 0 ] || sleep "$pause"', max_running=32,
              kill_grace='1s')
    chances = [random.Random(seed * 1000 + n) for n in range(CALLERS)]

    def one(number):
        chance = chances[number % CALLERS]
        pause = chance.choice(('0', '0', '0.002', '0.005'))
        invocation = dev.submit('quick', pause.encode() + b'\n')['id']
        time.sleep(chance.uniform(0, 0.03))
        answer = dev.kill(invocation)
        assert answer.status in (200, 202, 409), f'kill: {answer}'
        told = answer.json().get('invocation', answer.json())
        final = dev.wait(invocation)
        if told['state'] in ENDED:
            equal(final['state'], told['state'], f'end of {invocation}, told by its kill before')
            equal(final['revision'], told['revision'], 'its revision')
        return invocation, final

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        finals = dict(pool.map(one, range(count)))
    for invocation, final in finals.items():
        later = dev.get(invocation)
        equal((later['state'], later['revision']), (final['state'], final['revision']),
              f'end of {invocation}, asked again')
        assert len(later['attempts']) <= 1, later
    ends = collections.Counter(final['state'] for final in finals.values())
    equal(sum(ends.values()), count, 'ends')
    return dict(ends)


def clients_with_one_key(dev, clients, rounds):
    """How many keys; each was answered with one id, and ran once."""
    dev.shell('keyed', 'mktemp "$DIR/keyed-$(cat).XXXXXX" > /dev/null', max_running=8)
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for number in range(rounds):
            key = f'r{number}'

            def submit(_, key=key):
                answer = dev.request('POST', '/v1/functions/keyed/invocations', key.encode(),
                                     {'Idempotency-Key': key})
                assert answer.status in (200, 202), answer
                return answer.json()['id']
            ids = set(pool.map(submit, range(clients)))
            equal(len(ids), 1, f'ids of {key}')
            equal(dev.wait(ids.pop())['state'], 'succeeded', 'end')
            equal(len(dev.files(f'keyed-{key}.')), 1, f'starts of {key}')
    return rounds


def leave_much_running(dev, count):
    """Seconds that SIGTERM took with so many running, all of which end under the next one."""
    dev.shell('wait', 'echo up >&2; while [ ! -e "$DIR/go" ]; do sleep 0.5; done',
              max_running=count, memory_mb=1, cpu_millis=1)
    made = [dev.submit('wait')['id'] for _ in range(count)]
    until(lambda: dev.count('?function=wait&state=running') == count, 'all run', 300)
    begun = time.monotonic()
    equal(dev.stop(signal.SIGTERM, 60), 0, 'exit code')
    took = time.monotonic() - begun
    assert took < LEAVE_SECONDS, f'it took {took:.1f} s to leave'
    dev.start(60)
    dev.touch('go')
    until(lambda: dev.count('?function=wait&state=succeeded') == count, 'all have ended', 300)
    for invocation in made:
        equal(len(dev.get(invocation)['attempts']), 1, 'attempts')
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=10_000)
    parser.add_argument('--clients', type=int, default=64)
    parser.add_argument('--keys', type=int, default=20)
    parser.add_argument('--running', type=int, default=1000)
    arguments = parser.parse_args()
    dev = harness.Dev(['--set', f'host_agent.instances_max={arguments.running + 64}'])
    try:
        dev.start()
        begun = time.monotonic()
        ends = kills_against_ends(dev, arguments.kills)
        print(f'{arguments.kills} kills against ends in {time.monotonic() - begun:.0f} s: {ends}, '
              'one end each', flush=True)
        keys = clients_with_one_key(dev, arguments.clients, arguments.keys)
        print(f'{arguments.clients} clients, {keys} keys: one id each', flush=True)
        took = leave_much_running(dev, arguments.running)
        print(f'SIGTERM with {arguments.running} running: gone in {took:.2f} s, all of them ended '
              'under the next one, in one attempt')
    finally:
        dev.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
