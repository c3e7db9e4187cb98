"""`longhaul dev` is killed with -9 a hundred times at random moments while callers go on.

The recorder notes what was acknowledged; the functions leave a file per start. At the end: nothing
acknowledged is lost (I1), no run was executed twice (I3), everything has ended (I6), with one end
each that never changed (I4). LONGHAUL_SEED repeats a sequence; LONGHAUL_KILLS sets the number.
"""

import os
import random
import threading
import time
import uuid

import http_client
from harness import ENDED, equal, limit, until

KILLS = int(os.environ.get('LONGHAUL_KILLS', '100'))
SEED = int(os.environ.get('LONGHAUL_SEED', '7'))
BUDGET_SECONDS = 240
SUBMITTERS = 3
SCRIPT = ('read -r token seconds; mktemp "$DIR/start-$token.XXXXXX" > /dev/null; '
          'sleep "$seconds"; echo "done $token"')


class Recorder(threading.Thread):
    """A caller that submits under ids of its own and notes what was acknowledged."""

    def __init__(self, dev, seed, stop):
        super().__init__(daemon=True)
        self.dev = dev
        self.random = random.Random(seed)
        self.stop = stop
        self.acknowledged = {}  # id -> token
        self.unsure = {}
        self.ends = {}          # id -> the end that was seen first
        self.problems = []

    def run(self):
        while not self.stop.is_set():
            try:
                self.submit()
                self.look()
            except (OSError, TimeoutError, ValueError, IndexError):
                pass  # it was killed in the middle: the next try finds the new one
            self.stop.wait(self.random.uniform(0.02, 0.3))

    def submit(self):
        token = uuid.UUID(int=self.random.getrandbits(128)).hex
        seconds = self.random.choice((0, 0, 0.05, 0.2, 1, 2))
        self.unsure[f'job-{token}'] = token
        answer = http_client.request(
            self.dev.public, 'PUT', f'/v1/functions/torture/invocations/job-{token}',
            f'{token} {seconds}\n'.encode(), timeout=5)
        if answer.status == 202:
            self.acknowledged[f'job-{token}'] = self.unsure.pop(f'job-{token}')
        elif answer.status not in (503, 429):
            self.problems.append(f'submit answered {answer}')

    def look(self):
        if not self.acknowledged:
            return
        invocation = self.random.choice(list(self.acknowledged))
        answer = http_client.request(self.dev.public, 'GET', f'/v1/invocations/{invocation}',
                                     timeout=5)
        if answer.status == 200:
            document = answer.json()
            if document['state'] in ENDED:
                first = self.ends.setdefault(invocation, document['state'])
                if first != document['state']:
                    self.problems.append(f'{invocation} ended as {first} and {document["state"]}')
            elif invocation in self.ends:
                self.problems.append(f'{invocation} lives again after {self.ends[invocation]}')
        elif answer.status != 503:
            self.problems.append(f'get of an acknowledged {invocation}: {answer}')


def torture(dev, chance, deadline):
    """Kills and starts again; returns how often."""
    kills = 0
    while kills < KILLS and time.monotonic() < deadline:
        if chance.random() < 0.2:
            dev.launch()  # killed while it starts and recovers
            time.sleep(chance.uniform(0, 0.3))
        else:
            dev.start()
            time.sleep(chance.uniform(0, 1.5))
        dev.kill_9()
        kills += 1
    return kills


def check(dev, recorders):
    """What is wrong, one line each."""
    wrong = [p for r in recorders for p in r.problems]
    starts = {}
    for name in dev.files('start-'):
        token = name[6:].split('.')[0]
        starts[token] = starts.get(token, 0) + 1
    for recorder in recorders:
        for invocation, token in recorder.acknowledged.items():
            answer = dev.request('GET', f'/v1/invocations/{invocation}')
            if answer.status != 200:
                wrong.append(f'lost: {invocation} gives {answer}')
                continue
            document = answer.json()
            if document['state'] != 'succeeded':
                wrong.append(f'{invocation} ended as {document["state"]}: {document}')
            elif dev.result(invocation).decode().strip() != f'done {token}':
                wrong.append(f'{invocation} has another result')
            if starts.get(token, 0) != 1:
                wrong.append(f'{invocation} was started {starts.get(token, 0)} times')
            if recorder.ends.get(invocation, document['state']) != document['state']:
                wrong.append(f'{invocation} was seen as {recorder.ends[invocation]}')
        wrong += [f'unacknowledged {i} was started {starts[t]} times'
                  for i, t in recorder.unsure.items() if starts.get(t, 0) > 1]
    return wrong


@limit(480)
def test_a_hundred_kills_at_random_moments(fresh):
    chance = random.Random(SEED)
    fresh.start()
    fresh.shell('torture', SCRIPT, max_running=8, timeout='60s')
    stop = threading.Event()
    recorders = [Recorder(fresh, SEED * 1000 + n, stop) for n in range(SUBMITTERS)]
    for recorder in recorders:
        recorder.start()
    try:
        time.sleep(chance.uniform(0, 1))
        fresh.kill_9()
        kills = 1 + torture(fresh, chance, time.monotonic() + BUDGET_SECONDS)
        fresh.start()
    finally:
        stop.set()
        for recorder in recorders:
            recorder.join()
    until(lambda: fresh.count('?state=live') == 0, 'everything has ended', 120)
    acknowledged = sum(len(r.acknowledged) for r in recorders)
    wrong = check(fresh, recorders)
    print(f'     seed {SEED}: {kills} kills, {acknowledged} acknowledged, '
          f'{sum(len(r.unsure) for r in recorders)} unsure, {len(wrong)} problems', flush=True)
    assert not wrong, f'seed {SEED}:\n' + '\n'.join(wrong[:30])
    assert acknowledged > kills, f'only {acknowledged} acknowledged: this proved little'
    assert kills >= KILLS, f'only {kills} kills within {BUDGET_SECONDS} s'
    equal(fresh.count('?function=torture&state=failed'), 0, 'failed ones')
