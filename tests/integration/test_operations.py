"""What may be done to what has ended, to many at once, to queues and to limits."""

import base64
import json
import os

import cli_helper
from harness import equal, only_dev, problem, until

LARGE = b'x' * 100_000  # a file of its own


def ended(dev, function, body=b'', headers=()):
    return dev.wait(dev.submit(function, body, headers)['id'])


def post(dev, path, body=None, headers=(), status=200):
    answer = dev.request('POST', path, body, headers)
    equal(answer.status, status, f'POST {path}: {answer}')
    return answer.json()


def counts(answer):
    return answer['matched'], answer['done'], answer['refused']


def gate(dev, name, **document):
    dev.shell(name, f'while [ ! -e "$DIR/go-{name}" ]; do sleep 0.02; done', **document)


def test_a_retry_is_a_new_invocation_of_the_same_event(dev):
    dev.put_function('again', command=['false'])
    for body in (b'small', LARGE):
        first = ended(dev, 'again', body, {'Invocation-Label': 'team=a', 'X-Order': '17',
                                           'Content-Type': 'text/plain'})
        equal(first['state'], 'failed', 'end')
        dev.put_function('again', command=['cat'])
        answer = dev.request('POST', f'/v1/invocations/{first["id"]}/retry')
        equal(answer.status, 202, f'retry: {answer}')
        made = answer.json()
        equal(answer.header('location'), f'/v1/invocations/{made["id"]}', 'Location')
        equal((made['retry_of'], made['labels']), (first['id'], {'team': 'a'}), 'what it repeats')
        assert made['version'] != first['version'], 'it runs the function as it is now'
        equal(dev.wait(made['id'])['state'], 'succeeded', 'end of the retry')
        equal(dev.result(made['id']), body, 'its event')
        dev.put_function('again', command=['false'])


def test_a_retry_needs_an_ended_one_and_keeps_a_key(dev):
    gate(dev, 'live')
    live = dev.submit('live')['id']
    problem(dev.request('POST', f'/v1/invocations/{live}/retry'), 409, 'still-live')
    problem(dev.request('DELETE', f'/v1/invocations/{live}'), 409, 'still-live')
    dev.touch('go-live')
    dev.wait(live)
    path = f'/v1/invocations/{live}/retry'
    first = dev.request('POST', path, headers={'Idempotency-Key': 'r1'})
    again = dev.request('POST', path, headers={'Idempotency-Key': 'r1'})
    equal(again.json()['id'], first.json()['id'], 'the same key')
    equal(again.header('idempotency-replayed'), 'true', 'replayed')
    other = dev.request('POST', path)
    assert other.json()['id'] != first.json()['id'], 'without a key it is another'
    problem(dev.request('POST', '/v1/invocations/nosuch/retry'), 404, 'unknown-invocation')


def test_delete_purges_an_ended_one(dev):
    dev.put_function('echo', command=['cat'])
    document, _ = dev.run('echo', LARGE, {'Idempotency-Key': 'purged'})
    path = f'/v1/invocations/{document["id"]}'
    equal(dev.request('DELETE', path).status, 204, 'DELETE')
    for rest in ('', '/events', '/attempts', '/logs', '/debug'):
        problem(dev.request('GET', path + rest), 410, 'gone')
    problem(dev.request('GET', path + '/result'), 410, 'result-expired')
    problem(dev.request('DELETE', path), 410, 'gone')
    problem(dev.request('POST', path + '/retry'), 410, 'gone')
    rows = dev.request('GET', '/v1/invocations?function=echo').json()['invocations']
    assert document['id'] not in [row['id'] for row in rows], 'it is still listed'


def test_bulk_stops(dev):
    gate(dev, 'many', max_running=1)
    made = [dev.submit('many', headers={'Invocation-Label': f'half={n % 2}'})['id']
            for n in range(10)]
    dev.wait_state(made[0], 'running')
    path = '/v1/invocations:cancel?function=many&label=half=1'
    equal(counts(post(dev, path + '&dry_run=true')), (5, 0, 0), 'of a dry run')
    first = post(dev, path + '&limit=2', {'reason': 'no longer needed'})
    equal(counts(first), (2, 2, 0), 'of the first part')
    rest = post(dev, path + f'&cursor={first["next_cursor"]}')
    equal((counts(rest), rest['next_cursor']), ((3, 3, 0), None), 'of the rest')
    equal([dev.get(i)['state'] for i in made[1::2]], ['cancelled'] * 5, 'half of them')
    equal(dev.get(made[9])['stop']['reason'], 'no longer needed', 'reason')
    equal(counts(post(dev, '/v1/invocations:kill?function=many&state=running')), (1, 1, 0), 'kill')
    equal(dev.wait(made[0])['state'], 'killed', 'end')
    equal(counts(post(dev, '/v1/invocations:cancel?function=many')), (4, 4, 0), 'the others')


def test_bulk_needs_a_filter_that_makes_sense(dev):
    for verb in ('cancel', 'kill', 'retry', 'purge'):
        path = f'/v1/invocations:{verb}'
        problem(dev.request('POST', path), 400, 'invalid-parameter', 'all=true')
        problem(dev.request('POST', path + '?all=maybe'), 400, 'invalid-parameter', 'all')
        problem(dev.request('POST', path + '?all=true&order=asc'), 400, 'invalid-parameter')
        problem(dev.request('POST', path + '?all=true&wat=1'), 400, 'invalid-parameter', 'wat')
        wrong = 'failed' if verb in ('cancel', 'kill') else 'running'
        problem(dev.request('POST', path + f'?state={wrong}'), 400, 'invalid-parameter', wrong)
        equal(post(dev, path + '?all=true&dry_run=true')['dry_run'], True, 'all')


def test_bulk_retry_and_purge(dev):
    dev.put_function('batchy', command=['false'])
    made = [ended(dev, 'batchy', b'%d' % n)['id'] for n in range(5)]
    path = '/v1/invocations:retry?function=batchy&state=failed'
    until(lambda: post(dev, path + '&dry_run=true')['matched'] == 5, 'the five are matched')
    dev.put_function('batchy', command=['cat'])
    first = post(dev, path + '&limit=3')
    equal((counts(first), bool(first['next_cursor'])), ((3, 3, 0), True), 'three are retried')
    again = post(dev, path)
    equal((counts(again), again['by_reason']), ((5, 2, 3), {'already-retried': 3}), 'the rest')
    succeeded = '/v1/invocations:count?function=batchy&state=succeeded'
    until(lambda: dev.request('GET', succeeded).json()['count'] == 5, 'five succeed')
    purge = '/v1/invocations:purge?function=batchy'
    equal(counts(post(dev, purge + '&state=failed')), (5, 5, 0), 'purged')
    problem(dev.request('GET', f'/v1/invocations/{made[0]}'), 410, 'gone')
    equal(dev.count('?function=batchy'), 5, 'left')
    equal(counts(post(dev, purge)), (5, 5, 0), 'without a state: all that have ended')


def test_a_queue_is_paused_purged_and_resumed(dev):
    dev.put_function('line', command=['cat'])
    equal(post(dev, '/v1/functions/line/queue/pause')['paused'], True, 'paused')
    made = [dev.submit('line')['id'] for _ in range(3)]
    equal(dev.get(made[0])['wait_reason'], 'paused', 'why it waits')
    equal(counts(post(dev, '/v1/functions/line/queue/purge')), (3, 3, 0), 'purged')
    equal([dev.get(i)['state'] for i in made], ['cancelled'] * 3, 'states')
    equal(post(dev, '/v1/functions/line/queue/resume')['paused'], False, 'resumed')
    dev.run('line')
    problem(dev.request('POST', '/v1/functions/nosuch/queue/purge'), 404, 'unknown-function')


def test_limits_are_set_and_name_who_holds_the_slots(dev):
    gate(dev, 'slots')
    before = dev.request('GET', '/v1/limits').json()
    for wrong in ({'global_max': 0}, {'tenant_max': -1}, {'global_max': 'x'}, {'wat': 1}):
        problem(dev.request('PUT', '/v1/limits', wrong), 400, 'invalid-argument', *wrong)
    answer = dev.request('PUT', '/v1/limits', {'global_max': 2})
    equal((answer.status, answer.json()['global_max'], answer.json()['tenant_max']),
          (200, 2, before['tenant_max']), f'PUT: {answer}')
    made = [dev.submit('slots')['id'] for _ in range(3)]
    equal(dev.get(made[2])['wait_reason'], 'global_limit', 'why the third waits')
    limits = dev.request('GET', '/v1/limits').json()
    equal({h['id'] for h in limits['holders']}, set(made[:2]), 'holders')
    for holder in limits['holders']:
        equal((holder['function'], holder['tenant']), ('slots', 'default'), 'whose')
        assert holder['host'] and holder['since'], holder
    equal(limits['by_function'][0]['running'], 2, 'by function')
    page = dev.request('GET', '/v1/limits?limit=1').json()
    rest = dev.request('GET', f'/v1/limits?limit=1&cursor={page["next_cursor"]}').json()
    equal({page['holders'][0]['id'], rest['holders'][0]['id']}, set(made[:2]), 'both pages')
    equal(rest['next_cursor'], None, 'the last page')
    restored = {'global_max': before['global_max'], 'tenant_max': before['tenant_max']}
    dev.request('PUT', '/v1/limits', restored)
    dev.touch('go-slots')
    for invocation in made:
        equal(dev.wait(invocation)['state'], 'succeeded', 'end')


def test_what_was_put_and_purged_holds_over_a_restart(fresh):
    fresh.start()
    fresh.put_function('echo', command=['cat'])
    kept = fresh.run('echo', b'kept')[0]['id']
    gone = fresh.run('echo', LARGE)[0]['id']
    equal(fresh.request('DELETE', f'/v1/invocations/{gone}').status, 204, 'DELETE')
    equal(fresh.request('PUT', '/v1/limits', {'tenant_max': 7}).status, 200, 'PUT')
    fresh.kill_9()
    fresh.start()
    problem(fresh.request('GET', f'/v1/invocations/{gone}'), 410, 'gone')
    equal(fresh.get(kept)['state'], 'succeeded', 'what was not purged')
    equal(fresh.request('GET', '/v1/limits').json()['tenant_max'], 7, 'limit')


@only_dev
def test_retention_by_count_and_a_configured_limit(fresh):
    fresh.arguments = ['--set', 'gateway.retention.max_count=2', '--set',
                       'gateway.retention.purge_every=1s', '--set', 'gateway.limits.global_max=3']
    fresh.start()
    equal(fresh.request('GET', '/v1/limits').json()['global_max'], 3, 'as configured')
    fresh.put_function('echo', command=['cat'])
    made = [fresh.run('echo', LARGE)[0]['id'] for _ in range(5)]
    until(lambda: fresh.count() == 2, 'two are left')
    problem(fresh.request('GET', f'/v1/invocations/{made[0]}'), 410, 'gone')
    equal(fresh.result(made[4]), LARGE, 'the last one')
    bodies = os.path.join(fresh.data, 'gateway', 'bodies')
    if os.path.isdir(bodies):
        until(lambda: len(os.listdir(bodies)) == 4, 'only their events and results are left')


def test_dead_letters_are_redriven_once(dev):
    dev.put_function('dead', command=['false'])
    made = [ended(dev, 'dead', b'letter %d' % n)['id'] for n in range(3)]
    path = '/v1/dead-letters?function=dead'

    def listed():
        return [row['id'] for row in dev.request('GET', path).json()['invocations']]
    until(lambda: listed() == made[::-1], 'all three are listed, newest first')
    page = dev.request('GET', path + '&limit=2').json()
    rest = dev.request('GET', path + f'&limit=2&cursor={page["next_cursor"]}').json()
    equal([row['id'] for row in page['invocations'] + rest['invocations']], made[::-1], 'pages')
    dev.put_function('dead', command=['cat'])
    first = dev.request('POST', f'/v1/dead-letters/{made[0]}/redrive')
    equal((first.status, first.json()['retry_of']), (202, made[0]), f'redrive: {first}')
    again = dev.request('POST', f'/v1/dead-letters/{made[0]}/redrive')
    equal(again.json()['id'], first.json()['id'], 'redriven again')
    equal(again.header('idempotency-replayed'), 'true', 'replayed')
    done = dev.wait(first.json()['id'])
    equal((done['state'], dev.result(done['id'])), ('succeeded', b'letter 0'), 'its end')
    until(lambda: listed() == made[:0:-1], 'it is listed no more')
    problem(dev.request('POST', f'/v1/dead-letters/{done["id"]}/redrive'), 409, 'no-dead-letter')
    problem(dev.request('GET', path + '&state=failed'), 400, 'invalid-parameter', 'state')
    equal(post(dev, '/v1/invocations:retry?function=dead&state=failed')['done'], 2, 'in bulk')
    until(lambda: listed() == [], 'none is left')


def test_debug_tells_everything(dev):
    gate(dev, 'puzzle', max_running=1)
    first, second = dev.submit('puzzle')['id'], dev.submit('puzzle')['id']
    dev.wait_state(first, 'running')
    running = dev.request('GET', f'/v1/invocations/{first}/debug').json()
    equal(running['invocation']['id'], first, 'document')
    assert running['core']['holds_slot'] and running['core']['due_at'], running
    assert running['host']['last_heard_ms_ago'] >= 0, running
    equal(running['queue']['queued'], 1, 'queue')
    equal(running['events'][0]['revision'], 1, 'events')
    assert running['journal']['durable'] >= running['journal']['in_view'], running
    waiting = dev.request('GET', f'/v1/invocations/{second}/debug').json()
    equal((waiting['core']['holds_slot'], waiting['host']), (False, None), 'the one that waits')
    dev.touch('go-puzzle')
    dev.wait(second)
    problem(dev.request('GET', '/v1/invocations/nosuch/debug'), 404, 'unknown-invocation')


def batch(dev, lines, status=200):
    body = b''.join(json.dumps(line).encode() + b'\n' for line in lines)
    answer = dev.request('POST', '/v1/invocations:batch', body)
    equal(answer.status, status, f'batch: {answer}')
    return answer.json()


def test_a_batch_has_an_answer_for_each_line(dev):
    dev.put_function('echo', command=['cat'])
    answer = batch(dev, [
        {'function': 'echo', 'data': {'n': 1}, 'labels': {'part': 'batch', 'n': '1'}},
        {'function': 'nosuch', 'text': 'x'},
        {'function': 'echo', 'id': 'batch-chosen', 'text': 'plain',
         'headers': {'Content-Type': 'text/plain'}},
        {'function': 'echo', 'base64': base64.b64encode(b'\0\xff').decode()},
        {'function': 'echo', 'headers': {'Invocation-Timeout': 'x'}},
        {'function': 'echo', 'data': 1, 'text': 'x'},
        {'function': 'echo', 'wat': 1},
        {'function': 'echo', 'headers': {'Idempotency-Key': 'batch-key'}, 'data': 7},
        {'function': 'echo', 'headers': {'Idempotency-Key': 'batch-key'}, 'data': 7},
    ])
    results = answer['results']
    equal([r['status'] for r in results], [202, 404, 202, 202, 400, 400, 400, 202, 202], 'each')
    equal((answer['accepted'], answer['refused']), (5, 4), 'counts')
    assert results[1]['problem']['type'].endswith('/unknown-function'), results[1]
    assert 'Invocation-Timeout' in results[4]['problem']['detail'], results[4]
    assert 'wat' in results[6]['problem']['detail'], results[6]
    equal((results[8]['id'], results[8]['replayed']), (results[7]['id'], True), 'the same key')
    equal(results[2]['id'], 'batch-chosen', 'chosen id')
    for index, body in ((0, b'{"n":1}'), (2, b'plain'), (3, b'\0\xff')):
        equal(dev.wait(results[index]['id'])['state'], 'succeeded', 'end')
        equal(dev.result(results[index]['id']), body, 'event')
    equal(dev.get(results[0]['id'])['labels'], {'n': '1', 'part': 'batch'}, 'labels')


def test_a_batch_is_bounded(dev):
    dev.put_function('echo', command=['cat'])
    before = dev.count()
    answer = dev.request('POST', '/v1/invocations:batch', b'{"function": "echo"}\n' * 1001)
    problem(answer, 413, 'payload-too-large', '1000')
    equal(dev.count(), before, 'none is taken')
    equal(batch(dev, [])['results'], [], 'of no line')
    bad = dev.request('POST', '/v1/invocations:batch', b'\n{"function"\n[]\n').json()
    equal([r['status'] for r in bad['results']], [400, 400], 'lines that are no objects')


def test_the_command_line_does_all_of_it(dev):
    def longhaul(*arguments):
        return cli_helper.succeed(dev, *arguments)
    dev.put_function('told', command=['false'])
    events = os.path.join(dev.base, 'events.ndjson')
    with open(events, 'w', encoding='utf-8') as file:
        file.write('{"n": 1}\n{"n": 2}\n')
    made = longhaul('submit', 'told', '--batch', events, '--label', 'by=cli').split()
    for invocation in made:
        equal(dev.wait(invocation)['state'], 'failed', 'end')
    until(lambda: all(i in longhaul('dead-letters', '--function', 'told') for i in made), 'listed')
    redriven = longhaul('dead-letters', 'redrive', made[0]).strip()
    equal(dev.get(redriven)['retry_of'], made[0], 'redriven')
    again = longhaul('retry', made[1]).strip()
    equal(dev.get(again)['retry_of'], made[1], 'retried')
    dev.wait(redriven)
    dev.wait(again)
    assert '2 already-retried' in longhaul('retry', '--function', 'told', '--until',
                                           dev.get(redriven)['created_at']), 'retried once'
    assert json.loads(longhaul('debug', made[0]))['journal'], 'debug'
    assert longhaul('purge', made[0]).startswith('purged'), 'purge'
    assert 'would be matched' in longhaul('purge', '--function', 'told', '--dry-run'), 'dry run'
    longhaul('queue', 'pause', 'told')
    waiting = longhaul('submit', 'told').strip()
    assert 'paused' in longhaul('queue', 'show', 'told'), 'queue'
    assert '1 matched, 1 done' in longhaul('cancel', '--function', 'told', '--state', 'queued')
    equal(dev.get(waiting)['state'], 'cancelled', 'state')
    longhaul('queue', 'purge', 'told')
    longhaul('queue', 'resume', 'told')
    limits = json.loads(longhaul('limits', '-o', 'json'))
    longhaul('limits', 'set', '--global-max', str(limits['global_max']))
    equal(cli_helper.cli(dev, 'cancel').returncode, cli_helper.USAGE, 'neither id nor filter')
    equal(cli_helper.cli(dev, 'purge', 'x', '--all').returncode, cli_helper.USAGE, 'both')
