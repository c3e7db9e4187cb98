"""Runtimes, as a caller sees them: Node, and what the function brings itself."""

import json
import shutil

from harness import Skip, equal

JSON = {'Content-Type': 'application/json'}

NODE = b'''
exports.main = async (event, context) => {
  console.log('got', JSON.stringify(event));
  await context.progress(50, 'half way');
  return { sum: event.numbers.reduce((a, b) => a + b) };
};
exports.fail = () => { throw new RangeError('not today'); };
'''

CLIENT = b'''
import os, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
    with urllib.request.urlopen(base + 'next') as answer:
        event = answer.read()
        id = answer.headers['Lambda-Runtime-Aws-Request-Id']
    value = os.environ['_HANDLER'].encode() + b': ' + event
    urllib.request.urlopen(base + id + '/response', data=value).close()
'''


def need_node():
    if shutil.which('node') is None:
        raise Skip('node is not installed')


def test_a_node_handler(dev):
    need_node()
    dev.deploy('node-adder', {'app.js': NODE}, mode='handler', runtime='node', handler='app.main')
    document, result = dev.run('node-adder', b'{"numbers": [1, 2, 39]}', JSON)
    equal(json.loads(result), {'sum': 42}, 'result')
    assert 'got {"numbers":[1,2,39]}' in dev.logs(document['id'])


def test_a_node_error_fails_the_run_and_says_why(dev):
    need_node()
    dev.deploy('node-raiser', {'app.js': NODE}, mode='handler', runtime='node',
               handler='app.fail')
    document = dev.wait(dev.submit('node-raiser', b'{}', JSON)['id'])
    error = document['error']
    equal((document['state'], error['type'], error['message']),
          ('failed', 'RangeError', 'not today'), 'end')


def test_a_runtime_that_the_function_brings(dev):
    dev.deploy('bringing', {'client.py': CLIENT}, mode='handler', runtime='custom',
               handler='any text', command=['python3', 'client.py'])
    equal(dev.run('bringing', b'x')[1], b'any text: x', 'result')
    equal(dev.run('bringing')[1], b'any text: {}', 'result without an event')
