"""Reading: documents, ETags, long polls, lists, counts, history."""

import json
import time
import uuid

from harness import ENDED, equal, problem, until


def gate(dev, name, **document):
    """A function that runs until the file `go-NAME` is there."""
    dev.shell(name, f'while [ ! -e "$DIR/go-{name}" ]; do sleep 0.02; done; echo done',
              **document)


def test_an_unknown_id_is_404(dev):
    for path in ('', '/result', '/logs', '/events', '/attempts'):
        problem(dev.request('GET', f'/v1/invocations/{uuid.uuid4()}{path}'), 404,
                'unknown-invocation')
    for verb in ('cancel', 'kill'):
        problem(dev.request('POST', f'/v1/invocations/{uuid.uuid4()}/{verb}'), 404,
                'unknown-invocation')


def test_etag_and_304(dev):
    dev.put_function('echo', command=['cat'])
    document, _ = dev.run('echo')
    path = f'/v1/invocations/{document["id"]}'
    answer = dev.request('GET', path)
    etag = answer.header('etag')
    equal(etag, f'"{document["revision"]}.{document["status_version"]}"', 'ETag')
    equal(answer.header('retry-after'), None, 'Retry-After of an ended one')
    again = dev.request('GET', path, headers={'If-None-Match': etag})
    equal((again.status, again.body), (304, b''), 'with the same ETag')
    other = dev.request('GET', path, headers={'If-None-Match': '"0.0"'})
    equal(other.status, 200, 'with another ETag')


def test_a_long_poll_returns_at_the_end(dev):
    gate(dev, 'poll')
    invocation = dev.submit('poll')['id']
    running = dev.wait_state(invocation, 'running')
    start = time.monotonic()
    answer = dev.request('GET', f'/v1/invocations/{invocation}?wait=1s')
    equal(answer.json()['state'], 'running', 'state after the wait')
    assert time.monotonic() - start >= 0.9, 'it did not wait'
    assert answer.header('retry-after'), 'no Retry-After while live'
    dev.touch('go-poll')
    answer = dev.request('GET', f'/v1/invocations/{invocation}?wait=30s'
                                f'&revision={running["revision"]}.{running["status_version"]}')
    assert answer.json()['revision'] > running['revision'], answer
    equal(dev.wait(invocation)['state'], 'succeeded', 'end')
    start = time.monotonic()
    dev.request('GET', f'/v1/invocations/{invocation}?wait=30s')
    assert time.monotonic() - start < 10, 'it waited for one that has ended'


def test_a_long_poll_with_etag_is_304_when_nothing_changes(dev):
    gate(dev, 'still')
    invocation = dev.submit('still')['id']
    dev.wait_state(invocation, 'running')
    path = f'/v1/invocations/{invocation}'
    etag = dev.request('GET', path).header('etag')
    answer = dev.request('GET', f'{path}?wait=1s', headers={'If-None-Match': etag})
    equal(answer.status, 304, 'status')
    dev.touch('go-still')
    dev.wait(invocation)


def test_bad_parameters_are_named(dev):
    dev.put_function('echo', command=['cat'])
    invocation = dev.run('echo')[0]['id']
    for path, name in ((f'/v1/invocations/{invocation}?wait=banana', 'wait'),
                       (f'/v1/invocations/{invocation}?revision=x', 'revision'),
                       ('/v1/invocations?limit=0', 'limit'),
                       ('/v1/invocations?limit=9999999', 'limit'),
                       ('/v1/invocations?state=sleeping', 'state'),
                       ('/v1/invocations?order=sideways', 'order'),
                       ('/v1/invocations?since=noon', 'since'),
                       ('/v1/invocations?label=nosign', 'label'),
                       ('/v1/invocations?cursor=%21%21', 'cursor'),
                       ('/v1/invocations?colour=red', 'colour'),
                       (f'/v1/invocations/{invocation}/logs?tail=x', 'tail'),
                       (f'/v1/invocations/{invocation}/logs?stream=fire', 'stream'),
                       (f'/v1/invocations/{invocation}/logs?since=x', 'since')):
        problem(dev.request('GET', path), 400, 'invalid-parameter', name)


def test_result_of_a_live_and_of_a_failed_one(dev):
    gate(dev, 'later')
    invocation = dev.submit('later')['id']
    answer = dev.request('GET', f'/v1/invocations/{invocation}/result')
    equal(answer.status, 202, 'status while live')
    assert answer.header('retry-after'), 'no Retry-After'
    dev.touch('go-later')
    dev.wait(invocation)
    equal(dev.result(invocation), b'done\n', 'result')
    dev.shell('bad', 'echo half a result; exit 1')
    failed = dev.wait(dev.submit('bad')['id'])
    problem(dev.request('GET', f'/v1/invocations/{failed["id"]}/result'), 409, 'no-result')


def test_ranges_of_a_result(dev):
    dev.shell('digits', 'printf 0123456789')
    invocation = dev.run('digits')[0]['id']
    path = f'/v1/invocations/{invocation}/result'
    for wanted, status, body in (('bytes=2-4', 206, b'234'), ('bytes=7-', 206, b'789'),
                                 ('bytes=-3', 206, b'789'), ('bytes=90-', 416, None)):
        answer = dev.request('GET', path, headers={'Range': wanted})
        equal(answer.status, status, f'status of {wanted}')
        if body is not None:
            equal(answer.body, body, f'bytes of {wanted}')


def test_list_filters_and_count(dev):
    dev.put_function('listed', command=['cat'])
    dev.shell('listedbad', 'exit 1')
    good = [dev.run('listed', b'', {'Invocation-Label': [f'n={n}', 'set=a']})[0]['id']
            for n in range(5)]
    bad = dev.wait(dev.submit('listedbad')['id'])['id']

    def ids(query):
        answer = dev.request('GET', f'/v1/invocations?{query}')
        equal(answer.status, 200, query)
        return [d['id'] for d in answer.json()['invocations']]

    equal(ids('function=listed'), good[::-1], 'newest first')
    equal(ids('function=listed&order=asc'), good, 'oldest first')
    equal(ids('function=listed&label=n=3'), [good[3]], 'by label')
    equal(sorted(ids('function=listed&label=n=3&label=set=a')), [good[3]], 'by two labels')
    equal(ids('function=listed&label=n=3&label=set=b'), [], 'by labels that do not match')
    equal(ids('function=listed&state=failed'), [], 'by state')
    equal(ids('function=listedbad&state=failed,killed'), [bad], 'by states')
    equal(len(ids('function=listed&state=ended')), 5, 'ended')
    equal(ids('function=listed&state=live'), [], 'live')
    created = dev.get(good[2])['created_at']
    assert good[2] in ids(f'function=listed&since={created}'), 'since'
    assert good[0] not in ids(f'function=listed&since={created}') or \
        dev.get(good[0])['created_at'] >= created, 'since'
    equal(dev.count('?function=listed'), 5, 'count')
    counts = dev.request('GET', '/v1/invocations:count?function=listed').json()
    equal(counts['by_state'].get('succeeded'), 5, 'count by state')


def test_pages_follow_the_cursor_without_gaps(dev):
    dev.put_function('paged', command=['true'], max_running=4)
    made = [dev.submit('paged')['id'] for _ in range(23)]
    for invocation in made:
        dev.wait(invocation)
    seen, path = [], '/v1/invocations?function=paged&limit=5&order=asc'
    while path:
        answer = dev.request('GET', path)
        page = answer.json()
        seen += [d['id'] for d in page['invocations']]
        assert len(page['invocations']) <= 5
        link = answer.header('link')
        equal(bool(link), page['next_cursor'] is not None, 'Link and next_cursor')
        path = link.split('>')[0].lstrip('<') if link else None
        assert link is None or 'rel="next"' in link, link
    equal(seen, made, 'all pages together')


def test_a_list_shows_what_was_just_accepted(dev):
    gate(dev, 'fresh')
    invocation = dev.submit('fresh')['id']
    answer = dev.request('GET', '/v1/invocations?function=fresh&state=live').json()
    equal([d['id'] for d in answer['invocations']], [invocation], 'live ones')
    dev.touch('go-fresh')
    dev.wait(invocation)
    answer = dev.request('GET', '/v1/invocations?function=fresh&state=ended').json()
    equal([d['id'] for d in answer['invocations']], [invocation], 'ended ones')


def test_batch_get(dev):
    dev.put_function('echo', command=['cat'])
    invocation = dev.run('echo')[0]['id']
    unknown = str(uuid.uuid4())
    answer = dev.request('POST', '/v1/invocations:batchGet', {'ids': [invocation, unknown]}).json()
    equal([d['id'] for d in answer['invocations']], [invocation], 'known')
    equal(answer['unknown'], [unknown], 'unknown')
    for body in ({'ids': 'x'}, {'ids': [1]}, {}, {'ids': [], 'colour': 1},
                 {'ids': [str(uuid.uuid4()) for _ in range(101)]}):
        equal(dev.request('POST', '/v1/invocations:batchGet', body).status, 400, str(body)[:60])


def test_events_as_json_tell_the_whole_story(dev):
    dev.put_function('echo', command=['cat'])
    document = dev.run('echo')[0]
    events = dev.request('GET', f'/v1/invocations/{document["id"]}/events').json()['events']
    revisions = [e['revision'] for e in events]
    equal(revisions, sorted(set(revisions)), 'revisions')
    equal((events[-1]['state'], events[-1]['revision']), ('succeeded', document['revision']),
          'last event')
    assert events[0]['state'] in ('queued', 'dispatching'), events
    attempts = dev.request('GET', f'/v1/invocations/{document["id"]}/attempts').json()['attempts']
    equal([a['outcome'] for a in attempts], ['succeeded'], 'attempts')


def read_events(answer):
    """[(id, event, data)] of a stream that ends."""
    found, event = [], {}
    while (line := answer.read_line()) is not None:
        line = line.rstrip('\r')
        if line == '':
            if event:
                found.append((event.get('id'), event.get('event'),
                              json.loads(event['data']) if event.get('data') else None))
            event = {}
        elif not line.startswith(':'):
            name, _, value = line.partition(':')
            event[name] = value.lstrip(' ')
    return found


def test_events_as_a_stream_end_with_the_run_and_resume(dev):
    gate(dev, 'streamed')
    invocation = dev.submit('streamed')['id']
    path = f'/v1/invocations/{invocation}/events'
    with dev.stream('GET', path, {'Accept': 'text/event-stream'}) as answer:
        equal(answer.status, 200, 'status')
        assert dict(answer.headers)['content-type'].startswith('text/event-stream')
        dev.wait_state(invocation, 'running')
        dev.touch('go-streamed')
        events = [e for e in read_events(answer) if e[1] == 'state']
    equal(events[-1][2]['state'], 'succeeded', 'last event')
    ids = [int(e[0]) for e in events]
    equal(ids, sorted(set(ids)), 'ids')
    with dev.stream('GET', path, {'Accept': 'text/event-stream',
                                  'Last-Event-ID': str(ids[0])}) as answer:
        again = [int(e[0]) for e in read_events(answer) if e[1] == 'state']
    equal(again, ids[1:], 'after Last-Event-ID')


def test_the_count_is_right_while_runs_end(dev):
    dev.shell('counted', ':', max_running=20)
    made = [dev.submit('counted')['id'] for _ in range(60)]
    seen = set()

    def all_ended():
        seen.add(dev.count('?function=counted'))
        return dev.count('?function=counted&state=ended') == len(made)

    until(all_ended, 'all have ended')
    equal(seen, {len(made)}, 'counts on the way')


def test_hosts(dev):
    hosts = dev.request('GET', '/v1/hosts').json()['hosts']
    equal(len(hosts), dev.host_count, 'hosts')
    for host in hosts:
        assert host['reachable'] and host['capacity']['memory_mb'] > 0, host
        for member in ('address', 'epoch', 'draining', 'last_heard_ms_ago', 'attempts', 'instances',
                       'memory_used_mb', 'cpu_used_millis', 'loaded', 'packages'):
            assert member in host, f'{member} is missing: {host}'


def test_instances_say_what_they_are_busy_with(dev):
    gate(dev, 'occupied')
    invocation = dev.submit('occupied')['id']
    dev.wait_state(invocation, 'running')
    answer = dev.request('GET', '/v1/instances')
    equal(answer.status, 200, 'status')
    equal(answer.json()['unreachable'], [], 'unreachable')
    host = dev.get(invocation)['attempts'][0]['host']

    def mine():
        return [i for i in dev.request('GET', '/v1/instances').json()['instances']
                if i['function'] == 'occupied']

    busy = mine()
    equal(len(busy), 1, 'instances of the function')
    equal(busy[0]['busy_with'], {'invocation': invocation, 'attempt': 1}, 'busy_with')
    equal((busy[0]['host'], busy[0]['tenant'], busy[0]['state'], busy[0]['idle_since']),
          (host, 'default', 'taken', None), 'instance')
    dev.touch('go-occupied')
    dev.wait(invocation)
    until(lambda: [i['state'] for i in mine()] == ['idle'], 'the instance is idle again')
    idle = mine()[0]
    equal((idle['instance'], idle['busy_with']), (busy[0]['instance'], None), 'the same instance')
    assert idle['idle_since'].endswith('Z'), idle

    def loaded():
        hosts = dev.request('GET', '/v1/hosts').json()['hosts']
        return {h['host'] for h in hosts for entry in h['loaded']
                if entry['function'] == 'occupied'}

    until(lambda: loaded() == {host}, 'its host is known to have it loaded')


def test_status_never_goes_back(dev):
    dev.shell('short', 'sleep 0.2')
    invocation = dev.submit('short')['id']
    seen = []

    def ended():
        document = dev.get(invocation)
        seen.append((document['revision'], document['status_version'], document['state']))
        return document['state'] in ENDED

    until(ended, 'the run ends')
    revisions = [s[0] for s in seen]
    equal(revisions, sorted(revisions), 'revisions as seen')
