"""The command line program, pointed at a test's server."""

import os
import subprocess

from harness import ROOT, binary

OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, REFUSED, STOPPED = range(7)
EXAMPLES = os.path.join(ROOT, 'examples')


def cli(dev, *arguments, stdin=None, timeout=60):
    """Runs it; returns the finished process with its output as text."""
    environment = {**os.environ, 'LONGHAUL_SERVER': f'http://{dev.public}'}
    return subprocess.run([binary(), *arguments], env=environment, input=stdin, text=True,
                          capture_output=True, timeout=timeout, check=False)


def succeed(dev, *arguments, **options):
    """Its stdout, where it exits with 0."""
    done = cli(dev, *arguments, **options)
    assert done.returncode == OK, f'{arguments} exits with {done.returncode}: {done.stderr}'
    return done.stdout
