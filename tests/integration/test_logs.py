"""Logs by invocation: live and after the end, followed, cut, resumed, flooded."""

import json

from harness import equal, limit, until

# $LONGHAUL_RESULT is the result of these, so that stdout is a log too.
LINES = 'for n in 1 2 3 4 5 6; do echo "line $n"; done; echo trouble >&2; echo r > $LONGHAUL_RESULT'


def test_after_the_end(dev):
    dev.shell('lines', LINES, result='file')
    invocation = dev.run('lines')[0]['id']
    text = dev.logs(invocation)
    equal(sorted(text.splitlines()), sorted([f'line {n}' for n in range(1, 7)] + ['trouble']),
          'lines')


def test_tail_stream_and_offsets(dev):
    dev.shell('lines', LINES, result='file')
    invocation = dev.run('lines')[0]['id']
    equal(dev.logs(invocation, '?tail=2&stream=stdout'), 'line 5\nline 6\n', 'tail')
    equal(dev.logs(invocation, '?stream=stderr'), 'trouble\n', 'stderr')
    rows = [json.loads(r) for r in dev.logs(invocation, accept='application/x-ndjson').splitlines()]
    equal(len(rows), 7, 'rows')
    for row in rows:
        assert row['time'].endswith('Z') and row['stream'] in ('stdout', 'stderr'), row
    rest = dev.logs(invocation, f'?since={rows[3]["offset"]}', 'application/x-ndjson')
    equal([json.loads(r) for r in rest.splitlines()], rows[4:], 'rows after an offset')
    equal(dev.logs(invocation, f'?since={rows[-1]["offset"]}'), '', 'after the last')


def test_stdout_is_the_result_and_stderr_the_log(dev):
    dev.shell('both', 'echo result; echo log >&2')
    document, result = dev.run('both')
    equal((result, dev.logs(document['id'])), (b'result\n', 'log\n'), 'result and log')


def test_followed_live_from_the_first_line_to_the_end(dev):
    dev.shell('live', 'echo first >&2; while [ ! -e "$DIR/go-live" ]; do sleep 0.02; done; '
                      'echo last >&2')
    invocation = dev.submit('live')['id']
    with dev.stream('GET', f'/v1/invocations/{invocation}/logs?follow=true') as answer:
        equal(answer.read_line(), 'first', 'line while it runs')
        assert dev.get(invocation)['state'] in ('dispatching', 'running')  # the line may be first
        dev.touch('go-live')
        equal(answer.read_line(), 'last', 'last line')
        equal(answer.read_line(), None, 'end of the stream')
    equal(dev.logs(invocation), 'first\nlast\n', 'after the end')


def test_followed_from_before_the_start(dev):
    dev.shell('queue1', 'echo started >&2; while [ ! -e "$DIR/go-queue1" ]; do sleep 0.02; done',
              max_running=1)
    first = dev.submit('queue1')['id']
    dev.wait_state(first, 'running')
    second = dev.submit('queue1')['id']
    equal(dev.logs(second), '', 'logs of one that waits')
    with dev.stream('GET', f'/v1/invocations/{second}/logs?follow=true') as answer:
        dev.touch('go-queue1')
        equal(answer.read_line(), 'started', 'first line')
        equal(answer.read_line(), None, 'end')


def test_as_events_that_resume(dev):
    dev.shell('lines', LINES, result='file')
    invocation = dev.run('lines')[0]['id']
    path = f'/v1/invocations/{invocation}/logs?follow=true'

    def read(headers):
        with dev.stream('GET', path, {'Accept': 'text/event-stream', **headers}) as answer:
            text = answer.read_all().decode().replace('\r\n', '\n')
        blocks = [dict(line.split(': ', 1) for line in block.split('\n') if ': ' in line)
                  for block in text.split('\n\n') if block.strip()]
        return [b for b in blocks if 'event' in b]

    events = read({})
    equal([e['event'] for e in events], ['log'] * 7 + ['end'], 'events')
    again = read({'Last-Event-ID': events[4]['id']})
    equal([e.get('id') for e in again if e['event'] == 'log'],
          [e['id'] for e in events[5:] if e['event'] == 'log'], 'after Last-Event-ID')


def test_a_line_without_end_and_bytes_that_are_no_text(dev):
    dev.shell('odd', r"printf 'a\377b\nunfinished' >&2")
    invocation = dev.run('odd')[0]['id']
    answer = dev.request('GET', f'/v1/invocations/{invocation}/logs')
    assert answer.body.startswith(b'a'), answer
    assert b'unfinished' in answer.body, answer
    rows = dev.logs(invocation, accept='application/x-ndjson').splitlines()
    equal(len([json.loads(row) for row in rows]), 2, 'rows')


def test_a_long_line_is_cut_and_loses_nothing(dev):
    dev.shell('longline', 'head -c 100000 /dev/zero | tr "\\0" x >&2; echo >&2')
    invocation = dev.run('longline')[0]['id']
    text = dev.logs(invocation)
    equal(text.count('x'), 100_000, 'characters')


@limit(120)
def test_a_flood_is_bounded_marked_and_harms_nobody(dev):
    dev.shell('flood', 'head -c 400000000 /dev/zero | tr "\\0" "y" | fold -w 100 >&2; '
                       'echo after the flood >&2')
    flood = dev.submit('flood')['id']
    dev.put_function('echo', command=['cat'])
    equal(dev.run('echo', b'beside it')[1], b'beside it', 'result')
    equal(dev.wait(flood, 100)['state'], 'succeeded', 'end of the flood')
    rows = dev.request('GET', f'/v1/invocations/{flood}/logs?tail=50',
                       headers={'Accept': 'application/x-ndjson'}).body.splitlines()
    streams = {json.loads(row)['stream'] for row in rows}
    assert 'system' in streams, f'no marker of dropped lines among {streams}'


def test_a_pipe_held_open_after_the_end_harms_nobody(dev):
    dev.shell('holder', '(trap "" HUP TERM; setsid sleep 600 &) ; echo said >&2; exit 0')
    invocation = dev.submit('holder')['id']
    document = dev.wait(invocation, 20)
    equal(document['state'], 'succeeded', 'state')
    equal(dev.logs(invocation), 'said\n', 'logs')
    until(lambda: not [c for c in dev.processes().values() if 'sleep 600' in c],
          'what it left behind is gone', 15)
