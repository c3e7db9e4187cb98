"""Lifecycle events on a real nats-server, as the npm packages `nats` and `cloudevents` see them."""

import json
import os
import shutil
import socket
import subprocess
import threading

import harness
import npm_package
from harness import ROOT, Skip, equal, limit, only_dev, until

FORMS = ('dev', 'cluster')
CLIENT = os.path.join(ROOT, 'tests', 'integration', 'events_client.js')
OPERATOR = os.path.join(ROOT, 'tests', 'integration', 'nats_operator.js')
PACKAGES = ('nats@2.29.3', 'cloudevents@8.0.3')
STREAM = 'LONGHAUL_EVENTS'
ALL = 'longhaul.v1.events.>'


class Nats:
    """A nats-server on a free port; it keeps the port and its store when it is started again."""

    def __init__(self, folder, arguments=('-js',)):
        self.folder = os.path.join(folder, 'nats')
        os.makedirs(self.folder)
        self.arguments = arguments
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['/usr/sbin/nats-server', '-a', '127.0.0.1', '-p', str(self.port or -1), '-sd',
             self.folder, '--ports_file_dir', self.folder, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, 'nats-server listens')

    def _listens(self):
        try:
            path = os.path.join(self.folder, f'nats-server_{self.process.pid}.ports')
            with open(path, encoding='utf-8') as file:
                self.port = int(json.load(file)['nats'][0].rsplit(':', 1)[1])
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        except (OSError, ValueError, KeyError):
            return False

    def url(self):
        return f'nats://127.0.0.1:{self.port}'

    def kill_9(self):
        self.process.kill()
        self.process.wait()


class ClusterNats:
    """The nats-server of a cluster, which ends with it."""

    def __init__(self, fresh):
        self.address = fresh.cluster.address('nats')

    def url(self):
        return 'nats://' + self.address

    def kill_9(self):
        pass


def start_with_events(fresh):
    """Starts the system in its form and returns its nats-server."""
    if fresh.form == 'cluster':
        fresh.start()
        return ClusterNats(fresh)
    nats = Nats(fresh.base)
    with_events(fresh, nats)
    fresh.start()
    return nats


def with_events(dev, nats, *settings):
    """Has a `longhaul dev` that is not started publish its events there."""
    for setting in (f'nats.urls={nats.url()}', *settings):
        dev.arguments += ['--set', f'gateway.{setting}']


def collect(folder, nats, durable, subject=ALL):
    """What the durable consumer has not seen yet: [{'on': subject, 'event': event}]."""
    done = subprocess.run(
        ['node', CLIENT, folder, 'collect', nats.url(), STREAM, durable, subject],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f'the client failed: {done.stderr}'
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(heard):
    """Each event by itself, and all of one invocation together; returns {id: [event]}."""
    by_invocation = {}
    for message in heard:
        event, data = message['event'], message['event']['data']
        equal(event['id'], f'{data["id"]}.{data["revision"]}', 'id of an event')
        equal(event['type'], f'dev.longhaul.invocation.{data["state"]}', 'type')
        equal(event['subject'], data['id'], 'subject')
        equal(message['on'],
              f'longhaul.v1.events.{data["tenant"]}.{data["function"]}.{data["state"]}', 'on')
        by_invocation.setdefault(data['id'], []).append(event)
    return by_invocation


def first_seen(events):
    """The revisions in the order in which each was seen first."""
    return list(dict.fromkeys(event['data']['revision'] for event in events))


class Listener:
    """A plain subscriber, in the background."""

    def __init__(self, folder, nats, creds=''):
        self.heard = []
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            ['node', CLIENT, folder, 'listen', nats.url(), ALL], env={**os.environ, 'CREDS': creds},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        assert self.ready.wait(20), 'the subscriber did not get ready'

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if message == 'ready':
                self.ready.set()
            else:
                self.heard.append(message)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()


@limit(240)
def test_a_subscriber_hears_every_change_in_order(fresh):
    folder = npm_package.installed(PACKAGES)
    nats = start_with_events(fresh)
    listener = Listener(folder, nats)
    try:
        fresh.shell('good', 'echo done')
        fresh.shell('bad', 'exit 3')
        labels = {'Invocation-Label': 'team=blue'}
        good = [fresh.submit('good', headers=labels)['id'] for _ in range(5)]
        bad = fresh.submit('bad')['id']
        revisions = {id: fresh.wait(id)['revision'] for id in (*good, bad)}

        def complete():
            events = check(listener.heard)
            return all(len(events.get(id, ())) >= n for id, n in revisions.items())
        until(complete, 'all events are there')
        for invocation, events in check(listener.heard).items():
            equal(first_seen(events), list(range(1, revisions[invocation] + 1)), 'revisions')
        last = check(listener.heard)[good[0]][-1]['data']
        equal(last['state'], 'succeeded', 'last state')
        equal(last['labels'], {'team': 'blue'}, 'labels')
        equal(last['result']['size'], 5, 'size of the result')
        last = check(listener.heard)[bad][-1]['data']
        equal((last['state'], last['error']['reason'], last['error']['exit_code']),
              ('failed', 'exit', 3), 'end of the bad one')
    finally:
        listener.close()
        nats.kill_9()


@only_dev
@limit(240)
def test_a_subscriber_that_was_away_misses_nothing_with_a_stream(fresh):
    folder = npm_package.installed(PACKAGES)
    nats = Nats(fresh.base)
    try:
        with_events(fresh, nats, f'events.stream={STREAM}', 'events.create_stream=true')
        fresh.start()
        fresh.shell('work', 'echo done')
        ids = [fresh.run('work')[0]['id']]
        until(lambda: len(collect_all(folder, nats, 'early')) >= 3, 'the first events')
        heard = collect(folder, nats, 'away')
        assert heard, 'nothing was heard'

        # Nobody listens; the gateway and the server are killed, and come back.
        ids += [fresh.run('work')[0]['id'] for _ in range(5)]
        nats.kill_9()
        ids += [fresh.run('work')[0]['id'] for _ in range(5)]
        fresh.kill_9()
        nats.start()
        fresh.start()
        ids += [fresh.run('work')[0]['id'] for _ in range(5)]
        ends = {id: fresh.get(id)['revision'] for id in ids}

        def all_there():
            heard.extend(collect(folder, nats, 'away'))
            seen = check(heard)
            return all(first_seen(seen.get(id, ())) == list(range(1, n + 1))
                       for id, n in ends.items())
        until(all_there, 'every revision of every invocation', 60)
        equal(sorted(check(heard)), sorted(ids), 'invocations that were heard of')
    finally:
        nats.kill_9()


@only_dev
@limit(240)
def test_a_creds_file_opens_a_server_that_asks_for_one(fresh):
    folder = npm_package.installed(PACKAGES)
    subprocess.run(['node', OPERATOR, folder, fresh.base], stdin=subprocess.DEVNULL, check=True)
    creds = os.path.join(fresh.base, 'user.creds')
    nats = Nats(fresh.base, ('-c', os.path.join(fresh.base, 'operator.conf')))
    listener = Listener(folder, nats, creds)
    try:
        with_events(fresh, nats, f'nats.creds_file={creds}')
        fresh.start()
        fresh.shell('work', 'echo done')
        done = fresh.run('work')[0]
        until(lambda: len(check(listener.heard).get(done['id'], ())) == done['revision'],
              'its events')
    finally:
        listener.close()
        nats.kill_9()


def collect_all(folder, nats, durable):
    """What is in the stream by now; nothing where it has not been made yet."""
    try:
        return collect(folder, nats, durable)
    except AssertionError:
        return []
