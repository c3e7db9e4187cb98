"""A published client of the AWS Lambda Runtime API, npm aws-lambda-ric, runs handlers that were
written for AWS Lambda, unmodified."""

import json
import os

import npm_package
from harness import equal, limit

NAME, VERSION = 'aws-lambda-ric', '3.3.0'
TOOLS = ('cmake', 'autoconf', 'automake', 'libtoolize', 'make', 'g++', 'python3', 'tar')

APP = b'''
class OutOfStock extends Error {
  constructor(message) { super(message); this.name = 'OutOfStock'; }
}

exports.handler = async (event, context) => {
  console.log('event of', context.functionName);
  if (event.fail) throw new OutOfStock('not today');
  if (event.exit) process.exit(4);
  return {
    statusCode: 200,
    body: JSON.stringify({ doubled: event.n * 2 }),
    id: context.awsRequestId,
    memory: context.memoryLimitInMB,
    arn: context.invokedFunctionArn,
    left: context.getRemainingTimeInMillis() > 1000,
    pid: process.pid,
  };
};

exports.old = (event, context, callback) => callback(null, 'called back');

exports.stream = awslambda.streamifyResponse(async (event, out) => {
  out.setContentType('text/plain');
  out.write('one ');
  await new Promise((go) => setTimeout(go, 50));
  if (event.fail) throw new OutOfStock('half way');
  out.write('two');
  out.end();
});
'''


def files():
    """The package: the app, and of the client what it needs to run."""
    root = npm_package.installed([f'{NAME}@{VERSION}'], TOOLS)
    client = f'node_modules/{NAME}'
    found = {'app.js': APP}
    for place in ('package.json', 'bin', 'dist'):
        path = os.path.join(root, client, place)
        names = os.listdir(path) if os.path.isdir(path) else ['']
        for name in (os.path.join(place, n) if n else place for n in names):
            with open(os.path.join(root, client, name), 'rb') as file:
                found[f'{client}/{name}'] = file.read()
    return found


def deploy(dev, name, handler):
    dev.deploy(name, files(), mode='handler', runtime='custom', handler=handler, memory_mb=256,
               max_running=1,
               command=['node', f'node_modules/{NAME}/bin/index.mjs', handler])


def run_json(dev, name, event):
    return dev.run(name, json.dumps(event).encode(), {'Content-Type': 'application/json'})


@limit(1800)
def test_an_unmodified_handler(dev):
    deploy(dev, 'lambda', 'app.handler')
    document, result = run_json(dev, 'lambda', {'n': 21})
    answer = json.loads(result)
    equal(answer['statusCode'], 200, 'status code')
    equal(json.loads(answer['body']), {'doubled': 42}, 'body')
    equal((answer['id'], answer['memory'], answer['left']), (document['id'], '256', True),
          'context')
    assert answer['arn'].endswith(':function:lambda'), answer
    assert 'event of lambda' in dev.logs(document['id'])
    again = json.loads(run_json(dev, 'lambda', {'n': 1})[1])
    equal(again['pid'], answer['pid'], 'the process of the next run')


@limit(1800)
def test_its_errors_are_failures(dev):
    deploy(dev, 'lambda-failing', 'app.handler')
    document = dev.wait(dev.submit('lambda-failing', b'{"fail": true}',
                                   {'Content-Type': 'application/json'})['id'])
    error = document['error']
    equal((document['state'], error['reason'], error['type'], error['message']),
          ('failed', 'error', 'OutOfStock', 'not today'), 'end')
    document = dev.wait(dev.submit('lambda-failing', b'{"exit": true}',
                                   {'Content-Type': 'application/json'})['id'])
    equal((document['error']['reason'], document['error']['exit_code']), ('exit', 4), 'exit')
    run_json(dev, 'lambda-failing', {'n': 1})


@limit(1800)
def test_a_handler_that_is_not_there_fails_the_load(dev):
    deploy(dev, 'lambda-missing', 'app.nothing')
    document = dev.wait(dev.submit('lambda-missing', b'{}')['id'])
    equal((document['state'], document['error']['reason']), ('failed', 'load'), 'end')
    assert 'Runtime.HandlerNotFound' in document['error']['message'], document['error']


@limit(1800)
def test_callbacks_and_streams(dev):
    deploy(dev, 'lambda-callback', 'app.old')
    equal(json.loads(run_json(dev, 'lambda-callback', {})[1]), 'called back', 'result')
    deploy(dev, 'lambda-stream', 'app.stream')
    equal(run_json(dev, 'lambda-stream', {})[1], b'one two', 'result')
    document = dev.wait(dev.submit('lambda-stream', b'{"fail": true}')['id'])
    equal((document['state'], document['error']['message']), ('failed', 'half way'), 'end')
