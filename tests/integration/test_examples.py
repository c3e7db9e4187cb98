"""The examples, run as their READMEs say."""

import json
import os
import subprocess

import harness
from harness import equal, limit

EXAMPLES = os.path.join(harness.ROOT, 'examples')


def longhaul(dev, *arguments, stdin=None, expect=0):
    done = subprocess.run(
        [harness.binary(), *arguments, '--server', f'http://{dev.public}'], input=stdin or '',
        capture_output=True, text=True, cwd=harness.ROOT, timeout=60, check=False)
    equal(done.returncode, expect, f'exit code of {arguments}: {done.stdout}{done.stderr}')
    return done


def test_report_python(dev):
    out = longhaul(dev, 'deploy', 'examples/functions/report-python').stdout
    assert 'sha256:' in out and 'longhaul submit report' in out, out
    done = longhaul(dev, 'submit', 'report', '--data', '{"seconds": 1}', '--logs')
    equal(json.loads(done.stdout)['orders'], 488, 'orders')
    assert '[12/12] 2025-12' in done.stderr and 'done' in done.stderr, done.stderr
    north = longhaul(dev, 'submit', 'report', '--data', '{"region": "north"}', '--wait').stdout
    equal(list(json.loads(north)['by_region']), ['north'], 'regions')


def test_report_python_fails_with_its_reason(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    done = longhaul(dev, 'submit', 'report', '--data', '{"fail": true}', '--wait', expect=1)
    assert 'asked to fail' in done.stderr, done.stderr


def test_wordcount_shell(dev):
    longhaul(dev, 'deploy', 'examples/functions/wordcount-shell')
    done = longhaul(dev, 'submit', 'wordcount', '-', '--logs', stdin='to be or\nnot to be')
    equal([line.split() for line in done.stdout.splitlines()],
          [['2', 'be'], ['2', 'to'], ['1', 'not'], ['1', 'or']], 'counts')
    assert 'done' in done.stderr, done.stderr
    done = longhaul(dev, 'submit', 'wordcount', '--file', 'README.md', '--wait')
    equal(len(done.stdout.splitlines()), 10, 'lines of the result')


@limit(90)
def test_curl_client(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    done = subprocess.run(['sh', os.path.join(EXAMPLES, 'clients', 'curl.sh')],
                          env={**os.environ, 'LONGHAUL_SERVER': f'http://{dev.public}'},
                          capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, f'exit code: {done.stderr}')
    equal(json.loads(done.stdout)['orders'], 488, 'orders')
    for part in ('submitted: ', 'state: succeeded', '[12/12]'):
        assert part in done.stderr, done.stderr
