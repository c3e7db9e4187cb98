#!/usr/bin/env python3
"""A client of longhaul in Python's standard library: submit, follow the log, fetch the result.

    longhaul dev                                           (in another terminal)
    longhaul deploy examples/functions/report-python
    python3 examples/clients/python_client.py report '{"seconds": 5}'

The result goes to stdout, all else to stderr. Ctrl-C cancels the run. A connection that breaks is
made again, and nothing is lost or shown twice by it. $LONGHAUL_SERVER names another server. Exits 0
only if the invocation succeeded. Take what you need: Client is all of it.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.parse
import uuid

ENDED = ('succeeded', 'failed', 'timed_out', 'cancelled', 'killed', 'expired')


class Problem(Exception):
    """What the server refused, in its own words (RFC 9457)."""

    def __init__(self, status, document):
        super().__init__(f'{status} {document.get("title", "")}: {document.get("detail", "")}')
        self.status = status
        self.type = document.get('type', '').rpartition('/')[2]


class Client:
    def __init__(self, server, patience=60.0):
        self.address = urllib.parse.urlsplit(server).netloc
        self.patience = patience  # seconds without the server until it is given up

    # -- what one can do

    def submit(self, function, event, content_type='application/json', key=None):
        """Submits and returns the id: from then on it is on the server's disk. Under a key the same
        submit may be sent again and again, and is one invocation."""
        headers = {'Content-Type': content_type, 'Idempotency-Key': key or uuid.uuid4().hex}
        path = f'/v1/functions/{function}/invocations'
        return self.json('POST', path, event, headers)['id']

    def get(self, invocation):
        return self.json('GET', f'/v1/invocations/{invocation}')

    def changes(self, invocation):
        """The document, as it is and at each change, up to its end. Each request waits for news."""
        document = self.get(invocation)
        while True:
            yield document
            if document['state'] in ENDED:
                return
            since = f'{document["revision"]}.{document["status_version"]}'
            path = f'/v1/invocations/{invocation}?wait=30s&revision={since}'
            document = self.json('GET', path)

    def wait(self, invocation):
        for document in self.changes(invocation):
            last = document
        return last

    def logs(self, invocation):
        """Each line of the log once, as it comes, up to the end of the run: a dictionary."""
        offset = ''
        while True:
            headers = {'Accept': 'text/event-stream'}
            if offset:
                headers['Last-Event-ID'] = offset
            path = f'/v1/invocations/{invocation}/logs?follow=true'
            try:
                with self.open('GET', path, None, headers) as answer:
                    for event in events_of(answer):
                        if event.get('event') == 'end':
                            return
                        if event.get('event') == 'log':
                            yield json.loads(event['data'])
                            offset = event['id']
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.2)  # it broke off: on behind the last line that was whole

    def result(self, invocation):
        return self.whole('GET', f'/v1/invocations/{invocation}/result')

    def cancel(self, invocation, reason=''):
        body = json.dumps({'reason': reason}).encode()
        try:
            return self.json('POST', f'/v1/invocations/{invocation}/cancel', body,
                             {'Content-Type': 'application/json'})
        except Problem as problem:
            if problem.type != 'already-finished':
                raise
            return self.get(invocation)

    # -- how it is said

    def json(self, method, path, body=None, headers=None):
        return json.loads(self.whole(method, path, body, headers))

    def whole(self, method, path, body=None, headers=None):
        """The answer's body, asked for again where it broke off."""
        deadline = time.monotonic() + self.patience
        while True:
            with self.open(method, path, body, headers) as answer:
                try:
                    return answer.read()
                except (OSError, http.client.HTTPException):
                    if time.monotonic() > deadline:
                        raise

    def open(self, method, path, body=None, headers=None):
        """The answer, its body unread. Tried again where the server is not there, is overloaded or
        starts: every request of this client may be repeated."""
        deadline = time.monotonic() + self.patience
        pause = 0.1
        while True:
            try:
                connection = http.client.HTTPConnection(self.address, timeout=90)
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                if answer.status < 400:
                    return answer
                problem = self.problem(answer)
                if answer.status not in (429, 502, 503, 504) or time.monotonic() > deadline:
                    raise problem
                pause = float(answer.headers.get('Retry-After', pause))
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)

    @staticmethod
    def problem(answer):
        try:
            return Problem(answer.status, json.loads(answer.read()))
        except ValueError:
            return Problem(answer.status, {})


def events_of(stream):
    """Server-sent events, as dictionaries; one that is cut off is no event."""
    event = {}
    while line := stream.readline():
        name, _, value = line.decode().rstrip('\r\n').partition(': ')
        if name:
            event[name] = value
        else:
            yield event
            event = {}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def show_logs(client, invocation):
    for line in client.logs(invocation):
        say(f'{line["time"]} {line["stream"]:>6} | {line["text"]}')


def main():
    function = sys.argv[1] if len(sys.argv) > 1 else 'report'
    event = (sys.argv[2] if len(sys.argv) > 2 else '{"seconds": 3}').encode()
    client = Client(os.environ.get('LONGHAUL_SERVER', 'http://127.0.0.1:7070'))
    invocation = client.submit(function, event)
    say('submitted:', invocation)
    signal.signal(signal.SIGINT, lambda *_: client.cancel(invocation, 'Ctrl-C'))
    follower = threading.Thread(target=show_logs, args=(client, invocation), daemon=True)
    follower.start()
    for document in client.changes(invocation):
        progress = document['progress']
        say('state:', document['state'], f'{progress["percent"]} %' if progress else '')
    follower.join()
    if document['state'] != 'succeeded':
        error = document['error'] or {}
        say('it did not succeed:', error.get('reason', ''), error.get('message', ''))
        return 1
    sys.stdout.buffer.write(client.result(invocation))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (Problem, OSError) as failure:
        say(failure)
        sys.exit(3)
