"""Functions: packages, documents, what is refused; and both modes of running them."""

import os
import json

from harness import equal, problem, tar_of

APP = b'''
import json
import sys

def main(event, context):
    print("got", json.dumps(event), flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    return {"sum": sum(event["numbers"])}

def fail(event, context):
    raise ValueError("not today")

def raw(event, context):
    return event[::-1]
'''


def test_exec_of_a_command_on_the_host(dev):
    dev.put_function('upper', command=['tr', 'a-z', 'A-Z'])
    document, result = dev.run('upper', b'hello')
    equal(result, b'HELLO', 'result')
    equal(document['function'], 'upper', 'function')
    equal(document['attempts'][0]['exit_code'], 0, 'exit code')


def test_exec_runs_in_the_folder_of_its_package(dev):
    dev.deploy('packed', {'run.sh': (b'#!/bin/sh\ncat words.txt -\n', 0o755),
                          'words.txt': b'from the package; '}, command=['./run.sh'])
    _, result = dev.run('packed', b'from the event')
    equal(result, b'from the package; from the event', 'result')


def test_python_handler_gets_json_parsed(dev):
    dev.deploy('adder', {'app.py': APP}, mode='handler', runtime='python', handler='app.main')
    document, result = dev.run('adder', b'{"numbers": [1, 2, 39]}',
                               {'Content-Type': 'application/json'})
    equal(json.loads(result), {'sum': 42}, 'result')
    text = dev.logs(document['id'])
    assert 'got {"numbers": [1, 2, 39]}' in text and 'to stderr' in text, text


def test_python_handler_gets_other_types_as_bytes(dev):
    dev.deploy('reverse', {'app.py': APP}, mode='handler', runtime='python', handler='app.raw')
    _, result = dev.run('reverse', b'\x00\xffab', {'Content-Type': 'application/octet-stream'})
    equal(result, b'ba\xff\x00', 'result')


def test_a_python_error_fails_the_run_and_says_why(dev):
    dev.deploy('raiser', {'app.py': APP}, mode='handler', runtime='python', handler='app.fail')
    document = dev.wait(dev.submit('raiser', b'{}', {'Content-Type': 'application/json'})['id'])
    equal(document['state'], 'failed', 'state')
    equal(document['error']['fault'], 'function', 'fault')
    assert 'not today' in json.dumps(document['error']), document['error']


def test_code_that_cannot_be_loaded_is_the_functions_fault(dev):
    dev.deploy('broken', {'app.py': b'import no_such_module\n'}, mode='handler',
               runtime='python', handler='app.main')
    document = dev.wait(dev.submit('broken')['id'])
    equal(document['state'], 'failed', 'state')
    equal(document['error']['reason'], 'load', 'reason')
    equal(document['error']['fault'], 'function', 'fault')
    assert 'no_such_module' in json.dumps(document['error']) + dev.logs(document['id'])


def test_exit_code_and_signal_are_reported(dev):
    dev.shell('seven', 'exit 7')
    document = dev.wait(dev.submit('seven')['id'])
    equal((document['state'], document['error']['reason'], document['error']['exit_code']),
          ('failed', 'exit', 7), 'end')
    dev.shell('shot', 'kill -KILL $$')
    document = dev.wait(dev.submit('shot')['id'])
    equal((document['state'], document['error']['reason']), ('failed', 'signal'), 'end')


def test_a_run_past_its_timeout_is_stopped(dev):
    dev.shell('slow', 'sleep 600', timeout='1s', timeout_grace='1s')
    document = dev.wait(dev.submit('slow')['id'], timeout=20)
    equal(document['state'], 'timed_out', 'state')
    equal(document['error']['reason'], 'timeout', 'reason')


def test_a_command_that_does_not_exist_fails_clearly(dev):
    dev.put_function('nothing', command=['/no/such/program'])
    document = dev.wait(dev.submit('nothing')['id'])
    equal(document['state'], 'failed', 'state')
    assert '/no/such/program' in json.dumps(document['error']) + dev.logs(document['id'])


def test_the_environment_names_the_run(dev):
    dev.shell('environment', 'echo "$LONGHAUL_INVOCATION_ID $LONGHAUL_ATTEMPT '
                             '$LONGHAUL_FUNCTION $LONGHAUL_TENANT $EXTRA"', env={'EXTRA': 'mine'})
    document, result = dev.run('environment')
    equal(result.decode().split(), [document['id'], '1', 'environment', 'default', 'mine'],
          'environment')


def test_result_from_a_file(dev):
    dev.shell('filed', 'echo on stdout; printf from-file > "$LONGHAUL_RESULT"', result='file')
    document, result = dev.run('filed')
    equal(result, b'from-file', 'result')
    assert 'on stdout' in dev.logs(document['id'])


def test_a_large_result_and_one_too_large(dev):
    dev.shell('bulk', 'head -c 1000000 /dev/zero')
    _, result = dev.run('bulk')
    equal(len(result), 1_000_000, 'size of the result')
    dev.shell('toobulky', 'head -c 200000 /dev/zero', result_max='100KiB')
    document = dev.wait(dev.submit('toobulky')['id'])
    equal((document['state'], document['error']['reason']), ('failed', 'result_too_large'), 'end')


def test_an_event_larger_than_the_record_arrives_whole(dev):
    dev.put_function('sum', command=['sha256sum'])
    _, first = dev.run('sum', b'x' * 1_000_000)
    _, second = dev.run('sum', b'x' * 1_000_000)
    equal(first, second, 'digest')
    assert len(first.split()[0]) == 64


def test_documents_are_read_listed_replaced_and_deleted(dev):
    dev.put_function('crud', command=['true'], max_running=7)
    document = dev.request('GET', '/v1/functions/crud').json()
    equal((document['name'], document['max_running'], document['timeout']), ('crud', 7, '15m'),
          'document')
    names = [f['name'] for f in dev.request('GET', '/v1/functions').json()['functions']]
    assert 'crud' in names, names
    changed = dev.put_function('crud', command=['true'], max_running=8)
    assert changed['version'] != document['version'], 'a change is a new version'
    equal(dev.request('DELETE', '/v1/functions/crud').status, 204, 'status of DELETE')
    problem(dev.request('GET', '/v1/functions/crud'), 404, 'unknown-function', 'crud')


def test_a_function_with_live_work_is_not_deleted(dev):
    dev.shell('busy', 'sleep 600')
    invocation = dev.submit('busy')['id']
    dev.wait_state(invocation, 'running')
    problem(dev.request('DELETE', '/v1/functions/busy'), 409, 'function-busy')
    dev.kill(invocation)
    dev.wait(invocation)


def test_an_invocation_keeps_its_version(dev):
    dev.shell('versioned', 'while [ ! -e "$DIR/go-old" ]; do sleep 0.05; done; echo old')
    first = dev.submit('versioned')
    dev.wait_state(first['id'], 'running')
    dev.shell('versioned', 'echo new')
    equal(dev.run('versioned')[1], b'new\n', 'result of the new version')
    dev.touch('go-old')
    equal(dev.wait(first['id'])['version'], first['version'], 'version')
    equal(dev.result(first['id']), b'old\n', 'result of the old version')


def test_wrong_documents_are_refused_by_member(dev):
    wrong = (
        ({'mode': 'exec'}, 'command'),
        ({'mode': 'exec', 'command': 'true'}, 'command'),
        ({'mode': 'exec', 'command': []}, 'command'),
        ({'mode': 'exec', 'command': [1]}, 'command'),
        ({'mode': 'exec', 'command': ['true'], 'colour': 'red'}, 'colour'),
        ({'mode': 'exec', 'command': ['true'], 'max_running': 0}, 'max_running'),
        ({'mode': 'exec', 'command': ['true'], 'max_running': 'many'}, 'max_running'),
        ({'mode': 'exec', 'command': ['true'], 'timeout': 'banana'}, 'timeout'),
        ({'mode': 'exec', 'command': ['true'], 'timeout': '400d'}, 'timeout'),
        ({'mode': 'exec', 'command': ['true'], 'name': 'other'}, 'name'),
        ({'mode': 'exec', 'command': ['true'], 'env': {'A': 1}}, 'env'),
        ({'mode': 'exec', 'command': ['true'], 'package': 'sha256:' + '0' * 64}, 'package'),
        ({'mode': 'exec', 'command': ['true'], 'package': '../../etc/passwd'}, 'package'),
        ({'mode': 'handler', 'runtime': 'python'}, 'handler'),
        ({'mode': 'handler', 'handler': 'app.main', 'runtime': 'cobol'}, 'runtime'),
        ({'mode': 'handler', 'runtime': 'custom'}, 'command'),
        ({'mode': 'http', 'handler': 'app.main'}, 'command'),
        ({'mode': 'http', 'command': ['true'], 'http': {'path': 'x'}}, 'http.path'),
        ({'mode': 'exec', 'command': ['true'], 'http': {'path': '/'}}, 'http'),
        ({'mode': 'dance', 'command': ['true']}, 'mode'),
    )
    for document, member in wrong:
        answer = dev.request('PUT', '/v1/functions/wrong', document)
        assert answer.status == 400, f'{document} gave {answer}'
        assert member in answer.json()['detail'], f'{document} gave {answer}'
    problem(dev.request('GET', '/v1/functions/wrong'), 404, 'unknown-function')


def test_malformed_json_is_refused(dev):
    for body in (b'', b'{', b'{"mode": "exec",}', b'[]', b'nul', b'{"a": "\xff"}', b'{"a": 1} x',
                 b'{"mode": "exec", "mode": "exec", "command": ["true"]}'):
        answer = dev.request('PUT', '/v1/functions/wrong', body)
        assert answer.status == 400, f'{body} gave {answer}'
        assert answer.json()['detail'], answer


def test_deeply_nested_json_is_refused(dev):
    for body in (b'[' * 30_000, b'{"a":' * 10_000, b'{"env": ' + b'[' * 60 + b']' * 60 + b'}'):
        answer = dev.request('PUT', '/v1/functions/deep', body)
        equal(answer.status, 400, 'status of a deep document')
        assert 'dep' in answer.json()['detail'] or 'nest' in answer.json()['detail'], answer


def test_a_document_above_the_limit_is_refused(dev):
    body = json.dumps({'mode': 'exec', 'command': ['true'], 'env': {'A': 'x' * (9 << 20)}})
    problem(dev.request('PUT', '/v1/functions/huge', body.encode()), 413, 'payload-too-large')


def test_the_same_package_again_is_200(dev):
    package = tar_of({'a.txt': b'the same'})
    first = dev.request('POST', '/v1/functions/twice/versions', package)
    again = dev.request('POST', '/v1/functions/twice/versions', package)
    equal((first.status, again.status), (201, 200), 'status')
    equal(first.json()['package'], again.json()['package'], 'digest')


def test_what_is_no_package_is_refused(dev):
    for what, body in {'no archive': b'this is no archive at all', 'empty': b''}.items():
        answer = dev.request('POST', '/v1/functions/bad/versions', body)
        assert answer.status == 400, f'{what} gave {answer}'
        problem(answer, 400, 'invalid-package')


def test_a_package_that_leads_out_fails_the_run_and_writes_nothing(dev):
    outside = '/tmp/longhaul-escape'
    for what, name in {'climbs out': '../escape.txt', 'climbs out inside': 'a/../../escape.txt',
                       'absolute': outside}.items():
        answer = dev.request('POST', '/v1/functions/bad/versions', tar_of({name: b'x'}))
        assert answer.status in (200, 201), f'{what} gave {answer}'
        dev.put_function('bad', command=['cat'], package=answer.json()['package'])
        document = dev.wait(dev.submit('bad')['id'])
        equal((document['state'], document['error']['reason']), ('failed', 'load'), what)
        assert 'package' in document['error']['message'], document['error']
    assert not os.path.exists(outside), 'nothing outside was written'


def test_limits_are_read(dev):
    limits = dev.request('GET', '/v1/limits').json()
    assert limits['global_max'] > 0, limits
