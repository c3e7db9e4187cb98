"""What is done later and what is done again: not before, retries, changes by the caller."""

import json
import datetime
import os

from harness import equal, problem, until
from test_cli import longhaul

# Fails until it has been started as often as its event says.
NTH = 'n=$(cat); echo x >> "$DIR/tries"; [ "$(wc -l < "$DIR/tries")" -ge "$n" ]'
# A server that is busy until it has been asked twice.
BUSY = b'''
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_POST(self):
        Handler.asked += 1
        self.send_response(503 if Handler.asked == 1 else 200)
        self.send_header('Retry-After', '2')
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
'''
# Says nothing until it is told to.
QUIET = b'''
import os, time

def main(event, context):
    while not os.path.exists(os.environ['DIR'] + '/go'):
        if os.path.exists(os.environ['DIR'] + '/talk'):
            context.heartbeat()
        time.sleep(0.05)
'''
QUICK = {'backoff': '50ms', 'backoff_max': '100ms'}


def patch(dev, invocation, change, headers=()):
    return dev.request('PATCH', f'/v1/invocations/{invocation}', json.dumps(change).encode(),
                       {'Content-Type': 'application/json', **dict(headers)})


def moment(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))


def end_of(dev, function, body=b'', headers=()):
    return dev.wait(dev.submit(function, body, headers)['id'])


def test_a_failed_attempt_is_tried_again(dev):
    dev.touch('tries')
    os.chmod(f'{dev.shared}/tries', 0o666)
    dev.shell('nth', NTH, retry={'max_attempts': 5, **QUICK})
    document = end_of(dev, 'nth', b'3')
    equal(document['state'], 'succeeded', 'end')
    equal([a['outcome'] for a in document['attempts']], ['failed', 'failed', 'succeeded'],
          'outcomes')
    equal([a['reason'] for a in document['attempts']], ['exit', 'exit', None], 'reasons')
    equal(document['error'], None, 'error')


def test_attempts_have_an_end(dev):
    dev.shell('never', 'exit 7', retry={'max_attempts': 3, **QUICK})
    document = end_of(dev, 'never')
    equal((document['state'], len(document['attempts'])), ('failed', 3), 'end and attempts')
    equal(document['error']['exit_code'], 7, 'exit code of the last')


def test_the_caller_may_want_another_number(dev):
    dev.shell('plain', 'exit 1')
    document = end_of(dev, 'plain', headers={'Invocation-Retry': 'max_attempts=2, backoff=10ms'})
    equal(len(document['attempts']), 2, 'attempts')
    for wrong in ('0', '101', 'often', 'max_attempts=x', 'backoff=-1', 'patience=3'):
        answer = dev.request('POST', '/v1/functions/plain/invocations', b'',
                             {'Invocation-Retry': wrong})
        problem(answer, 400, 'invalid-header', 'Invocation-Retry')


def test_a_timeout_is_tried_again(dev):
    dev.shell('slow', 'sleep 30', timeout='1s', timeout_grace='1s',
              retry={'max_attempts': 2, **QUICK})
    document = end_of(dev, 'slow')
    equal((document['state'], len(document['attempts'])), ('timed_out', 2), 'end and attempts')
    equal(document['attempts'][0]['reason'], 'timeout', 'reason of the first')


def test_what_waits_to_be_tried_again_is_cancelled_at_once(dev):
    dev.shell('later', 'exit 1', retry={'max_attempts': 2, 'backoff': '1h', 'backoff_max': '1h'})
    made = dev.submit('later')['id']
    document = dev.wait_state(made, ('retrying',))
    equal(document['wait_reason'], 'backoff', 'why it waits')
    assert document['due_at'], document
    equal(dev.cancel(made).json()['state'], 'cancelled', 'state')


def test_a_budget_bounds_the_retries_of_a_function(dev):
    dev.shell('spent', 'exit 1', retry={'max_attempts': 3, 'budget': {'ratio': 0, 'per_minute': 1},
                                        **QUICK})
    document = end_of(dev, 'spent')
    equal(len(document['attempts']), 2, 'attempts')
    assert 'retry budget' in document['error']['evidence'], document['error']


def test_a_busy_server_is_asked_again_when_it_says(dev):
    dev.deploy('busy', {'server.py': BUSY}, mode='http', command=['python3', 'server.py'],
               max_running=1, retry={'max_attempts': 2, **QUICK})
    document = end_of(dev, 'busy')
    equal(document['state'], 'succeeded', 'end')
    first, second = document['attempts']
    equal((first['http_status'], second['http_status']), (503, 200), 'statuses')
    waited = moment(second['dispatched_at']) - moment(first['ended_at'])
    assert waited.total_seconds() >= 1.9, f'waited {waited}'


def test_work_for_later_waits_until_then(dev):
    dev.put_function('echo', command=['cat'])
    answer = dev.submit('echo', b'hello', {'Invocation-Not-Before': '2s'})
    equal((answer['state'], answer['wait_reason']), ('scheduled', 'not_before'), 'state')
    document = dev.wait(answer['id'])
    equal(document['state'], 'succeeded', 'end')
    assert document['started_at'] >= document['not_before'], document
    far = dev.submit('echo', b'', {'Invocation-Not-Before': '2d'})
    equal(dev.cancel(far['id']).json()['state'], 'cancelled', 'cancelled')
    problem(dev.request('POST', '/v1/functions/echo/invocations', b'',
                        {'Invocation-Not-Before': '31d'}), 400, 'invalid-header',
            'Invocation-Not-Before')


def test_a_function_that_is_silent_is_suspect_until_it_speaks(dev):
    dev.deploy('quiet', {'app.py': QUIET}, mode='handler', handler='app.main',
               env={'DIR': dev.shared}, heartbeat_timeout='1s')
    made = dev.submit('quiet')['id']
    until(lambda: dev.get(made)['health'] == 'suspect', 'its silence is noticed')
    equal(dev.get(made)['state'], 'running', 'state')
    dev.touch('talk')
    until(lambda: dev.get(made)['health'] == 'ok', 'it is heard again')
    dev.touch('go')
    equal(dev.wait(made)['state'], 'succeeded', 'end')


def test_priority_and_key_are_shown(dev):
    dev.put_function('echo', command=['cat'])
    document, _ = dev.run('echo', headers={'Priority': 'u=1, i',
                                           'Invocation-Concurrency-Key': 'order 7'})
    equal((document['priority'], document['concurrency_key']), (1, 'order 7'), 'as submitted')
    plain, _ = dev.run('echo')
    equal((plain['priority'], plain['concurrency_key']), (3, None), 'defaults')
    for name, value in (('Priority', 'u=8'), ('Invocation-Concurrency-Key', 'x' * 257)):
        problem(dev.request('POST', '/v1/functions/echo/invocations', b'', {name: value}), 400,
                'invalid-header', name)


def test_a_caller_changes_what_has_not_ended(dev):
    dev.put_function('echo', command=['cat'])
    made = dev.submit('echo', b'', {'Invocation-Not-Before': '1h', 'Invocation-Label': 'a=1'})
    own = made['id']
    tag = dev.request('GET', f'/v1/invocations/{own}').header('etag')
    answer = patch(dev, own, {'priority': 5, 'labels': {'a': None, 'b': '2'}}, {'If-Match': tag})
    equal(answer.status, 200, 'status')
    document = answer.json()
    equal((document['priority'], document['labels']), (5, {'b': '2'}), 'what was changed')
    problem(patch(dev, own, {'priority': 6}, {'If-Match': tag}), 412, 'precondition-failed')
    problem(patch(dev, own, {'priority': 8}), 400, 'invalid-argument', 'priority')
    problem(patch(dev, own, {'state': 'failed'}), 400, 'invalid-argument', 'state')
    equal(patch(dev, own, {'not_before': None}).status, 200, 'begun at once')
    equal(dev.wait(own)['state'], 'succeeded', 'end')
    problem(patch(dev, own, {'priority': 1}), 409, 'already-finished')
    found = dev.request('GET', '/v1/invocations?label=b=2').json()['invocations']
    equal([one['id'] for one in found], [own], 'found by its new label')
    equal(dev.request('GET', '/v1/invocations?label=a=1').json()['invocations'], [], 'by its old')


def test_the_command_line_changes_what_waits(dev):
    dev.put_function('echo', command=['cat'])
    made = longhaul(dev, 'submit', 'echo', '--not-before', '1h', '--label', 'a=1', '--retry', '2',
                    '--data', 'x').stdout.strip()
    longhaul(dev, 'change', made, '--priority', '0', '--label', 'a=', '--label', 'b=2')
    document = dev.get(made)
    equal((document['priority'], document['labels']), (0, {'b': '2'}), 'what was changed')
    longhaul(dev, 'change', made, '--not-before', 'now')
    equal(dev.wait(made)['state'], 'succeeded', 'end')
    longhaul(dev, 'change', made, '--priority', '1', expect=5)


def test_a_new_deadline_stops_a_run(dev):
    dev.shell('long', 'echo up; sleep 60')
    made = dev.submit('long')['id']
    dev.wait_state(made, ('running',))
    equal(patch(dev, made, {'deadline': '1s'}).status, 200, 'status')
    document = dev.wait(made)
    equal((document['state'], document['stop']['cause']), ('timed_out', 'deadline'), 'end')


def test_a_key_is_free_again_when_its_time_is_over(fresh):
    for setting in ('keys_after_accept=5s', 'keys_after_end=5s'):
        fresh.set('gateway.retention.' + setting)
    fresh.start()
    fresh.put_function('echo', command=['cat'])
    key = {'Idempotency-Key': 'order-7'}

    def submit():
        return fresh.request('POST', '/v1/functions/echo/invocations', b'', key)

    first = submit()
    fresh.wait(first.json()['id'])
    again = submit()
    equal((again.status, again.header('idempotency-replayed')), (200, 'true'), 'the same')
    until(lambda: submit().header('location') != first.header('location'), 'the key is free')
    equal(len({submit().header('location') for _ in range(3)}), 1, 'and has its new owner')


def test_waits_and_changes_hold_over_a_restart(fresh):
    fresh.start()
    fresh.put_function('echo', command=['cat'])
    fresh.shell('once', 'exit 1', retry={'max_attempts': 2, 'backoff': '3s', 'jitter': 0})
    later = fresh.submit('echo', b'', {'Invocation-Not-Before': '4s'})['id']
    again = fresh.submit('once')['id']
    equal(patch(fresh, later, {'labels': {'kept': 'yes'}, 'priority': 0}).status, 200, 'patched')
    due_at = fresh.wait_state(again, ('retrying',))['due_at']
    fresh.kill_9()
    fresh.start()
    document = fresh.get(later)
    equal((document['labels'], document['priority']), ({'kept': 'yes'}, 0), 'what was changed')
    document = fresh.get(again)
    assert document['state'] != 'retrying' or document['due_at'] == due_at, document
    equal(fresh.wait(later)['state'], 'succeeded', 'end of the scheduled one')
    until(lambda: fresh.get(again)['state'] == 'failed', 'the last attempt fails')
    attempts = fresh.get(again)['attempts']
    equal(len(attempts), 2, 'attempts')
    assert moment(attempts[1]['dispatched_at']) >= moment(due_at), (attempts, due_at)
