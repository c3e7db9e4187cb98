"""Callers that submit, look, wait, cancel and kill, and record everything that they are told."""

import random
import threading
import traceback
import uuid

import http_client
import procs
from checker import ENDED
from history import now

ANSWER_SECONDS = 8
# (manner, how many in a hundred); `long` is meant to be stopped by a caller or its deadline.
MANNERS = (('ok', 78), ('fail', 5), ('long', 9), ('deaf', 3), ('timeout', 5))
SECONDS_OF_A_RUN = (0, 0, 0, 0.05, 0.2, 0.5, 1, 3)
RETRY = (0, 429, 502, 503, 504)


class Traffic:
    """How much of what; the same for all callers of a torture."""

    def __init__(self, functions, deadline, live_max=60, seconds=SECONDS_OF_A_RUN,
                 manners=MANNERS, pause=0.02):
        self.functions = list(functions)
        self.deadline = deadline  # seconds from the submit, of what has no shorter one
        self.live_max = live_max  # no more is submitted while so many are under way
        self.seconds = seconds
        self.manners = manners
        self.pause = pause        # the longest, between two requests of a caller


class Knowledge:
    """What the callers know together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.live = {}      # id -> submission
        self.ended = []
        self.unsure = []    # submissions without an answer, to be repeated
        self.ids = set()    # all that were told or chosen

    def submitted(self, invocation, submission):
        with self.lock:
            if invocation not in self.ids or invocation in self.live:
                self.live[invocation] = submission
            self.ids.add(invocation)

    def has_ended(self, invocation):
        """True for the first who says so."""
        with self.lock:
            if self.live.pop(invocation, None) is None:
                return False
            self.ended.append(invocation)
            return True

    def some(self, chance, share_of_ended):
        """An id: mostly of what is under way."""
        with self.lock:
            if self.ended and (not self.live or chance.random() < share_of_ended):
                return chance.choice(self.ended[-2000:])
            return chance.choice(list(self.live)) if self.live else None

    def take_unsure(self):
        with self.lock:
            return self.unsure.pop(0) if self.unsure else None


class Submission:
    """One event, and all that has to be the same when it is sent again."""

    def __init__(self, chance, traffic):
        self.function = chance.choice(traffic.functions)
        self.token = uuid.UUID(int=chance.getrandbits(128)).hex
        names, weights = zip(*traffic.manners)
        self.manner = chance.choices(names, weights)[0]
        by = chance.random()
        self.id = f'job-{self.token}' if by < 0.5 else None
        self.key = f'key-{self.token}' if 0.5 <= by < 0.9 else None
        self.timeout = 1.0 if self.manner == 'timeout' else None
        seconds = chance.choice(traffic.seconds) if self.manner in ('ok', 'fail') else 600
        deadline = traffic.deadline if chance.random() < 0.95 else chance.uniform(1, 4)
        self.body = f'{self.token} {seconds} {self.manner}\n'.encode()
        self.headers = {'Content-Type': 'text/plain', 'Invocation-Deadline': f'{deadline:.1f}s'}
        if self.key is not None:
            self.headers['Idempotency-Key'] = self.key
        if self.timeout is not None:
            self.headers['Invocation-Timeout'] = f'{self.timeout:g}s'

    def request(self):
        path = f'/v1/functions/{self.function}/invocations'
        return ('PUT', f'{path}/{self.id}') if self.id else ('POST', path)


class Asking:
    """Requests, and their answers in the history."""

    def __init__(self, dev, recorder, evidence, knowledge):
        self.dev, self.recorder = dev, recorder
        self.evidence, self.knowledge = evidence, knowledge

    def ask(self, method, path, body=None, headers=(), timeout=ANSWER_SECONDS):
        """(when it was sent, status, document or None); status 0 where there was no answer."""
        sent = now()
        try:
            answer = http_client.request(self.dev.public, method, path, body, headers, timeout)
            document = answer.json() if answer.body[:1] == b'{' else None
        except (OSError, ValueError, IndexError):
            return sent, 0, None
        return sent, answer.status, document

    def submit(self, submission):
        method, path = submission.request()
        sent, status, document = self.ask(method, path, submission.body, submission.headers)
        told = document['id'] if status in (200, 202) else None
        self.recorder.record(
            'submit', sent=sent, function=submission.function, token=submission.token,
            manner=submission.manner, timeout=submission.timeout, id=submission.id,
            key=submission.key, status=status, told=told)
        if told is not None:
            self.knowledge.submitted(told, submission)
            self.told(sent, document)
        elif status in RETRY and (submission.id or submission.key):
            with self.knowledge.lock:
                self.knowledge.unsure.append(submission)
        return status

    def look(self, invocation, query='', timeout=ANSWER_SECONDS):
        sent, status, document = self.ask('GET', f'/v1/invocations/{invocation}{query}',
                                          timeout=timeout)
        if status == 200:
            self.told(sent, document)
            return document
        if status != 0:
            self.recorder.record('missing', sent=sent, id=invocation, status=status)
        return None

    def stop(self, invocation, verb, body=b''):
        sent, status, document = self.ask('POST', f'/v1/invocations/{invocation}/{verb}', body,
                                          {'Content-Type': 'application/json'} if body else ())
        self.recorder.record('stop', sent=sent, id=invocation, verb=verb, status=status)
        if status == 409:
            document = document['invocation']
        if status in (200, 202, 409):
            self.told(sent, document)
        return status

    def told(self, sent, document):
        self.recorder.record('document', sent=sent, id=document['id'], document=document)
        if document['state'] in ENDED and self.knowledge.has_ended(document['id']):
            # One that ended by itself before its stop may leave an instance to the next.
            by_stop = document['state'] in ('cancelled', 'killed', 'timed_out')
            if by_stop and (document['stop'] or {}).get('confirmed'):
                self.see_that_it_is_gone(document['id'])

    def see_that_it_is_gone(self, invocation):
        found = procs.marked(f'LONGHAUL_INVOCATION_ID={invocation}')
        for note in self.evidence.of(invocation):
            if process_ticks(note['pid']) == note['ticks']:
                found[note['pid']] = note['function']
        if found:
            self.recorder.record('alive', id=invocation, processes=found)


def process_ticks(pid):
    """When a process that has not ended began; None if there is none."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            fields = file.read().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else int(fields[19])


class Caller(threading.Thread):
    """One of several; goes on until it is told to stop."""

    def __init__(self, asking, traffic, seed):
        super().__init__(daemon=True)
        self.asking, self.traffic = asking, traffic
        self.knowledge = asking.knowledge
        self.chance = random.Random(seed)
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(self.chance.uniform(0, self.traffic.pause)):
            try:
                self.act()
            except Exception:  # pylint: disable=broad-except
                self.asking.recorder.record('problem', text=traceback.format_exc())
                return

    def act(self):
        roll = self.chance.random()
        if roll < 0.45:
            self.submit()
        elif roll < 0.50:
            self.ask_for_slots()
        else:
            invocation = self.knowledge.some(self.chance, 0.15)
            if invocation is None:
                return
            if roll < 0.80:
                self.asking.look(invocation)
            elif roll < 0.90:
                self.asking.look(invocation, f'?wait={self.chance.choice((1, 2, 3))}s')
            else:
                self.stop_some(invocation)

    def submit(self):
        again = self.knowledge.take_unsure()
        if again is None:
            if len(self.knowledge.live) >= self.traffic.live_max:
                return
            again = Submission(self.chance, self.traffic)
        status = self.asking.submit(again)
        if status in (200, 202) and again.id is None and again.key is None:
            return
        if status in (200, 202) and self.chance.random() < 0.15:
            self.asking.submit(again)

    def stop_some(self, invocation):
        """Whatever is to be stopped; now and then another."""
        submission = self.knowledge.live.get(invocation)
        wanted = submission is not None and submission.manner in ('long', 'deaf')
        if not wanted and self.chance.random() > 0.2:
            return
        verb = self.chance.choice(('cancel', 'kill'))
        body = b'{"grace": "300ms"}' if verb == 'cancel' and self.chance.random() < 0.5 else b''
        self.asking.stop(invocation, verb, body)

    def ask_for_slots(self):
        function = self.chance.choice([None, *self.traffic.functions])
        path = f'/v1/functions/{function}/queue' if function else '/v1/limits'
        _, status, document = self.asking.ask('GET', path)
        if status == 200:
            self.asking.recorder.record('slots', function=function, running=document['running'])


def begin(asking, traffic, count, seed):
    callers = [Caller(asking, traffic, seed * 1000 + n) for n in range(count)]
    for caller in callers:
        caller.start()
    return callers


def end(callers):
    for caller in callers:
        caller.stopped.set()
    for caller in callers:
        caller.join()
