"""A short torture of the programs under load; `./dev torture` is the long one."""

import os
import sys

import harness
from harness import limit

sys.path.insert(0, os.path.join(harness.ROOT, 'tests', 'torture'))
import torture  # noqa: E402

FORMS = ('cluster',)
SEED = int(os.environ.get('LONGHAUL_SEED', '3'))


@limit(300)
def test_every_promise_is_kept_while_programs_are_ended_and_held():
    dev = torture.form_of(2)(torture.SETTINGS)
    findings = ['stopped']
    try:
        findings, figures = torture.torture(dev, 120, SEED, deadline=15, caller_count=4,
                                            most_faults=12)
        assert not findings, f'seed {SEED}: {findings[:5]}'
        assert figures['invocations'] >= 25 and figures['kills'] >= 3, figures
    finally:
        torture.close(dev, bool(findings))
