"""The functions that a torture runs: each notes its start and its end, and does what it is told.

The event is "token seconds manner". Manners: ok, fail, deaf (hears no SIGTERM); what is to be
stopped from outside just takes long.
"""

import os

# Builtins of the shell alone: a start costs one process, and its note is one write.
SHELL = r'''
read -r token seconds manner
note() {
    read -r up rest < /proc/uptime
    echo "$1 $LONGHAUL_INVOCATION_ID $LONGHAUL_ATTEMPT $$ $ticks $up $LONGHAUL_FUNCTION $token" \
        >> "$EVIDENCE"
}
read -r line < /proc/self/stat
set -- ${line##*) }
ticks=${20}
[ "$manner" != deaf ] || trap "" TERM
note start
[ "$seconds" = 0 ] || sleep "$seconds"
[ "$manner" != fail ] || exit 3
note end
echo "done $token"
'''

HANDLER = b'''import os
import time


def note(what, token, context):
    with open('/proc/self/stat', encoding='utf-8') as file:
        ticks = file.read().rpartition(')')[2].split()[19]
    with open('/proc/uptime', encoding='utf-8') as file:
        up = file.read().split()[0]
    line = (f'{what} {context.invocation_id} {context.attempt} {os.getpid()} {ticks} {up} '
            f'{context.function} {token}\\n')
    evidence = os.open(os.environ['EVIDENCE'], os.O_WRONLY | os.O_APPEND)
    os.write(evidence, line.encode())
    os.close(evidence)


def main(event, context):
    token, seconds, manner = event.decode().split()
    note('start', token, context)
    time.sleep(float(seconds))
    if manner == 'fail':
        raise ValueError('as it was told')
    note('end', token, context)
    return f'done {token}'
'''

LIMITS = {'work': 6, 'narrow': 2, 'single': 1, 'warm': 4}
GLOBAL_MAX = 10  # below their sum, so that it binds too
HANDLERS = ('warm',)


def evidence_file(dev):
    return os.path.join(dev.shared, 'evidence')


def register(dev, limits=None, **document):
    """Makes the file for the evidence, and registers a function per limit."""
    path = evidence_file(dev)
    with open(path, 'a', encoding='utf-8'):
        os.chmod(path, 0o666)  # each instance has a user of its own
    document = {'timeout': '10m', 'timeout_grace': '1s', 'cancel_grace': '2s',
                'kill_grace': '500ms', 'env': {'EVIDENCE': path, 'MARK': dev.mark}, **document}
    for name, most in (limits or LIMITS).items():
        if name in HANDLERS:
            dev.deploy(name, {'app.py': HANDLER}, mode='handler', runtime='python',
                       handler='app.main', memory_mb=64, max_running=most, **document)
        else:
            dev.put_function(name, command=['sh', '-c', SHELL], max_running=most, **document)


def terms(grace, limits=None, global_max=GLOBAL_MAX):
    limits = limits or LIMITS
    return {'limits': limits, 'global_max': global_max, 'tries': {name: 1 for name in limits},
            'grace': grace}
