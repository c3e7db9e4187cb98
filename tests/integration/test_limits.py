"""Limits on what runs at once, and many who look on."""

import asyncio
import json
import os

import http_client
from harness import ENDED, equal, limit

# Leaves the time of its start and end in a file of its own.
TIMED = 'f="$DIR/span-$(cat)"; a=$(date +%s%N); sleep 0.3; echo "$a $(date +%s%N)" > "$f"'


def most_at_once(spans):
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def test_twenty_submits_to_a_limit_of_three(dev):
    dev.shell('three', TIMED, max_running=3)
    made = [dev.submit('three', str(n).encode())['id'] for n in range(20)]
    reasons, most, left = set(), 0, set(made)
    while left:
        queue = dev.request('GET', '/v1/functions/three/queue').json()
        most = max(most, queue['running'])
        for invocation in list(left):
            document = dev.get(invocation)
            if document['state'] in ENDED:
                equal(document['state'], 'succeeded', 'end')
                left.discard(invocation)
            elif document['state'] == 'queued':
                reasons.add(document['wait_reason'])
                assert document['position'] is None or 1 <= document['position'] <= 20, document
    equal(most, 3, 'most that the queue called running')
    equal(reasons, {'function_limit'}, 'why others waited')
    spans = [tuple(map(int, dev.read(f).split())) for f in dev.files('span-')]
    equal((len(spans), most_at_once(spans)), (20, 3), 'runs, and most at once')


def test_first_in_first_out(dev):
    dev.shell('fifo', 'cat >> "$DIR/order"; echo >> "$DIR/order"', max_running=1)
    dev.touch('order')
    os.chmod(f'{dev.shared}/order', 0o666)
    made = [dev.submit('fifo', str(n).encode())['id'] for n in range(10)]
    for invocation in made:
        equal(dev.wait(invocation)['state'], 'succeeded', 'end')
    equal(dev.read('order').split(), [str(n) for n in range(10)], 'order')


async def exchange(address, method, path, timeout, sent=None):
    """(status, body) of one request on a connection of its own; `sent` learns that it went out."""
    host, port = http_client.address_of(address)
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(http_client.encode(method, path, headers={'Accept': '*/*'}))
        await writer.drain()
        if sent is not None:
            sent.append(path)
        data = await asyncio.wait_for(reader.read(-1), timeout)
    finally:
        writer.close()
    head, _, body = data.partition(b'\r\n\r\n')
    status, headers = http_client.parse_head(head)
    if dict(headers).get('transfer-encoding') == 'chunked':
        plain = b''
        while body:
            size, _, body = body.partition(b'\r\n')
            count = int(size, 16)
            if count == 0:
                assert body == b'\r\n', 'bytes after the last chunk'
                return status, plain
            assert len(body) >= count + 2, 'a cut chunk'
            plain, body = plain + body[:count], body[count + 2:]
        raise AssertionError('a stream that was cut')
    return status, body


async def poll(address, invocation, sent):
    """How often the end was seen by one poller that waits for changes; it stops at the first."""
    query, last = '', (0, 0)
    while True:
        status, body = await exchange(address, 'GET', f'/v1/invocations/{invocation}{query}', 60,
                                      sent)
        assert status == 200, (status, body)
        document = json.loads(body)
        now = (document['revision'], document['status_version'])
        assert now >= last, f'status went back from {last} to {now}'
        last = now
        if document['state'] in ENDED:
            return document['state'], document['revision']
        query = f'?wait=30s&revision={now[0]}.{now[1]}'


@limit(120)
def test_a_thousand_pollers_and_two_hundred_followers_see_the_end(dev):
    lines = 40
    dev.shell('watched', 'while [ ! -e "$DIR/go-watched" ]; do sleep 0.02; done; '
                         f'n=1; while [ $n -le {lines} ]; do echo "line $n" >&2; sleep 0.02; '
                         'n=$((n + 1)); done')
    invocation = dev.submit('watched')['id']  # its connection is closed: the client has left

    async def everybody():
        polls, follows = [], []
        pollers = [poll(dev.public, invocation, polls) for _ in range(1000)]
        followers = [exchange(dev.public, 'GET', f'/v1/invocations/{invocation}/logs?follow=true',
                              90, follows) for _ in range(200)]
        tasks = [asyncio.create_task(t) for t in pollers + followers]
        while len(follows) < 200 or len(polls) < 2000:  # each poller's second request waits
            await asyncio.sleep(0.01)
        dev.touch('go-watched')
        answers = await asyncio.gather(*tasks)
        return answers[:1000], answers[1000:]

    polled, followed = asyncio.run(everybody())
    equal(set(state for state, _ in polled), {'succeeded'}, 'states seen')
    equal(len(set(revision for _, revision in polled)), 1, 'revisions of the end')
    expected = ''.join(f'line {n}\n' for n in range(1, lines + 1)).encode()
    different = [body for status, body in followed if (status, body) != (200, expected)]
    equal(different[:1], [], 'a follower that saw something else')
    equal(dev.get(invocation)['state'], 'succeeded', 'state')


def test_the_configured_limit_of_all_functions_together_is_kept(fresh):
    fresh.set('gateway.limits.global_max=2')
    for _ in range(2):  # a start and a restart
        fresh.start()
        equal(fresh.request('GET', '/v1/limits').json()['global_max'], 2, 'the limit')
        fresh.kill_9()
    fresh.start()
    gated = 'while [ ! -e "$DIR/go" ]; do sleep 0.02; done'
    fresh.shell('one', gated)
    fresh.shell('other', gated)
    made = [fresh.submit(name)['id'] for name in ('one', 'other', 'one', 'other')]
    for invocation in made[:2]:
        fresh.wait_state(invocation, 'running')
    for invocation in made[2:]:
        document = fresh.get(invocation)
        equal((document['state'], document['wait_reason']), ('queued', 'global_limit'), 'the rest')
    fresh.touch('go')
    for invocation in made:
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')
