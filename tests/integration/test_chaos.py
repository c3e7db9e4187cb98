"""Programs of a cluster are killed while 50 runs go on: all end as if nothing had happened.

Each run leaves a file per start, so that a run that was started twice is seen. LONGHAUL_CHAOS=full
kills as often, and keeps nats-server away as long, as the promise says; otherwise there are fewer
kills and shorter outages. LONGHAUL_SEED repeats a sequence.
"""

import os
import random
import threading
import time

from harness import ENDED, equal, limit, until

FORMS = ('cluster',)
FULL = os.environ.get('LONGHAUL_CHAOS') == 'full'
SEED = int(os.environ.get('LONGHAUL_SEED', '7'))
RUNS = 50
KILLS = ({'status_service': 10, 'nats': 3, 'host': 5, 'gateway': 5} if FULL else
         {'status_service': 3, 'nats': 1, 'host': 2, 'gateway': 2})
NATS_AWAY_SECONDS = 30 if FULL else 3
SECONDS_OF_A_RUN = (15, 45) if FULL else (1, 6)
SCRIPT = ('seconds=$(cat); mktemp "$DIR/start-$LONGHAUL_INVOCATION_ID.XXXXXX" > /dev/null; '
          'sleep "$seconds"; : > "$DIR/end-$LONGHAUL_INVOCATION_ID"; echo "done $seconds"')


def repeat(dev, method, path, body=None):
    """Asks until there is an answer that is none of a server that stops or starts."""
    def ask():
        try:
            answer = dev.request(method, path, body, timeout=10)
        except (OSError, ValueError, IndexError):
            return None  # it is being killed
        return None if answer.status in (502, 503) else answer
    return until(ask, f'{method} {path} is answered', 60)


class Caller(threading.Thread):
    """Submits the runs one after the other under ids of its own, and looks at all that it has."""

    def __init__(self, dev, chance):
        super().__init__()
        self.dev, self.chance = dev, chance
        self.ids = []
        self.latest = {}    # id -> (revision, state)
        self.problems = []
        self.stop = threading.Event()

    def run(self):
        try:
            for number in range(RUNS):
                seconds = f'{self.chance.uniform(*SECONDS_OF_A_RUN):.2f}'
                invocation = f'run-{number}'
                answer = repeat(self.dev, 'PUT', f'/v1/functions/chaos/invocations/{invocation}',
                                seconds.encode())
                if answer.status not in (200, 202):
                    self.problems.append(f'submit of {invocation}: {answer}')
                self.ids.append(invocation)
                self.look(self.chance.choice(self.ids))
            while not self.stop.wait(0.05):
                self.look(self.chance.choice(self.ids))
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(f'the caller ended with {error!r}')

    def look(self, invocation):
        answer = repeat(self.dev, 'GET', f'/v1/invocations/{invocation}')
        if answer.status != 200:
            self.problems.append(f'get {invocation}: {answer}')
            return
        document = answer.json()
        revision, state = self.latest.get(invocation, (0, ''))
        if document['revision'] < revision:
            self.problems.append(f'{invocation} went back from {revision}: {document}')
        if state in ENDED and document['state'] != state:
            self.problems.append(f'{invocation} left its end {state}: {document}')
        self.latest[invocation] = (document['revision'], document['state'])


def torture(dev, chance):
    """Kills and starts again, in an order by chance."""
    victims = [name for name, times in KILLS.items() for _ in range(times)]
    chance.shuffle(victims)
    for victim in victims:
        time.sleep(chance.uniform(0.2, 1.2))
        name = chance.choice(dev.cluster.hosts()) if victim == 'host' else victim
        dev.cluster.kill_9(name)
        time.sleep(NATS_AWAY_SECONDS if victim == 'nats' else chance.uniform(0, 0.8))
        dev.cluster.start_one(name)


def check(dev, caller):
    """What is wrong, one line each."""
    wrong = list(caller.problems)
    for invocation in caller.ids:
        document = dev.get(invocation)
        starts = len(dev.files(f'start-{invocation}.'))
        if document['state'] != 'succeeded' or len(document['attempts']) != 1:
            wrong.append(f'{invocation}: {document}')
        elif not dev.result(invocation).startswith(b'done '):
            wrong.append(f'{invocation} has another result')
        if starts != 1:
            wrong.append(f'{invocation} was started {starts} times')
    return wrong


@limit(600)
def test_kills_of_every_program_change_nothing(fresh):
    chance = random.Random(SEED)
    fresh.start()
    fresh.shell('chaos', SCRIPT, max_running=12, timeout='5m')
    caller = Caller(fresh, random.Random(SEED + 1))
    caller.start()
    try:
        torture(fresh, chance)
        until(lambda: len(caller.ids) == RUNS, 'all are submitted', 120)
        until(lambda: fresh.count('?function=chaos&state=live') == 0, 'everything has ended', 120)
    finally:
        caller.stop.set()
        caller.join()
    wrong = check(fresh, caller)
    assert not wrong, f'seed {SEED}:\n' + '\n'.join(wrong[:20])
    hosts = {fresh.get(i)['attempts'][0]['host'] for i in caller.ids}
    equal(len(hosts), 2, f'hosts that had work, of {hosts}')


@limit(180)
def test_half_of_the_news_lost_delays_the_truth_by_seconds(fresh):
    fresh.cluster.settings['gateway'] += ['--set', 'nats.test_drop_percent=50',
                                          '--set', f'nats.test_drop_seed={SEED}']
    fresh.start()
    fresh.shell('chaos', SCRIPT, max_running=30)
    made = [fresh.submit('chaos', f'{0.1 * n:.1f}'.encode())['id'] for n in range(30)]
    for invocation in made:
        until(lambda i=invocation: fresh.files(f'end-{i}'), f'{invocation} has done its work', 60)
        until(lambda i=invocation: fresh.get(i)['state'] == 'succeeded',
              f'{invocation} is known to have succeeded', 5 if FULL else 15)
        equal(len(fresh.files(f'start-{invocation}.')), 1, 'starts')
    text = fresh.request('GET', '/v1/invocations:count?state=succeeded').json()
    equal(text['count'], 30, 'succeeded ones')
