"""Packages in a bucket of a real S3 server (npm `s3rver`); the SDK of AWS checks our signatures and
sees what we put there (npm `@aws-sdk/client-s3`)."""

import json
import os
import subprocess

import harness
import npm_package
from harness import equal, limit, until

PACKAGES = ('s3rver@3.7.1', '@aws-sdk/client-s3@3.637.0')
FORMS = ('dev', 'cluster')
BUCKET = 'code'


class S3:
    """The server, as a process of its own; it may be ended."""

    def __init__(self, base):
        node_modules = os.path.join(npm_package.installed(PACKAGES), 'node_modules')
        folder = os.path.join(base, 's3')
        os.mkdir(folder)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 's3_server.js')
        self.process = subprocess.Popen(
            ['node', script, folder, BUCKET], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, 'NODE_PATH': node_modules})
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), f'the S3 server does not start: {line!r}'
        self.address = f'127.0.0.1:{line.strip()}'

    def seen(self):
        """What the published client sees: [{"key", "sha256", "size"}]."""
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


def use(dev, s3, key='S3RVER'):
    """Tells gateway and hosts where their packages are."""
    secret = os.path.join(dev.base, 's3.secret')
    with open(secret, 'w', encoding='ascii') as file:
        file.write(key)
    for part in ('gateway', 'host_agent'):
        for setting in (f'endpoint={s3.address}', f'bucket={BUCKET}', 'prefix=longhaul/',
                        'access_key_id=S3RVER', f'secret_access_key_file={secret}',
                        'part_bytes=5MiB'):
            dev.set(f'{part}.s3.{setting}')


@limit(240)
def test_packages_are_kept_in_a_bucket(fresh):
    s3 = S3(fresh.base)
    try:
        use(fresh, s3)
        fresh.start()
        # The second is sent in parts: nothing makes it smaller.
        files = {'small': {'say': (b'#!/bin/sh\necho small\n', 0o755)},
                 'large': {'say': (b'#!/bin/sh\necho large\n', 0o755),
                           'noise': os.urandom(11 << 20)}}
        for name, content in files.items():
            fresh.deploy(name, content, command=['./say'])
            equal(fresh.wait(fresh.submit(name)['id'])['state'], 'succeeded', f'end of {name}')
        seen = s3.seen()
        equal(len(seen), len(files), 'objects in the bucket')
        for thing in seen:
            equal(thing['key'], f'longhaul/sha256/{thing["sha256"]}', 'key of what it holds')
        assert max(thing['size'] for thing in seen) > 10 << 20, seen
        # The same again is known: nothing is sent.
        fresh.deploy('small', files['small'], command=['./say'])
        equal(len(s3.seen()), len(files), 'objects after the same package again')
    finally:
        s3.close()


@limit(240)
def test_a_key_that_the_server_does_not_know_is_told(fresh):
    s3 = S3(fresh.base)
    try:
        use(fresh, s3, key='wrong')
        fresh.start()
        answer = fresh.request('POST', '/v1/functions/f/versions',
                               harness.tar_of({'say': b'#!/bin/sh\n'}),
                               {'Content-Type': 'application/x-tar'})
        assert answer.status >= 500, answer
        assert '403' in answer.json()['detail'], answer
    finally:
        s3.close()


@limit(240)
def test_a_run_whose_package_cannot_be_reached_fails_with_the_reason(fresh):
    s3 = S3(fresh.base)
    try:
        use(fresh, s3)
        for part in ('gateway', 'host_agent'):
            fresh.set(f'{part}.s3.tries_max=1')
        fresh.start()
        fresh.deploy('f', {'say': (b'#!/bin/sh\necho here\n', 0o755)}, command=['./say'])
        s3.close()
        invocation = fresh.submit('f')['id']
        ended = fresh.wait(invocation)
        equal((ended['state'], ended['error']['reason']), ('failed', 'route'), 'end')
        assert 'S3' in ended['error']['message'], ended['error']
    finally:
        s3.close()
        until(lambda: s3.process.poll() is not None, 'the S3 server has ended')
