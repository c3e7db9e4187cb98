"""Modes and runtimes, as a caller sees them: Node, the function's own server, its own runtime."""

import json
import shutil

from harness import Skip, equal, until

JSON = {'Content-Type': 'application/json'}

NODE = b'''
exports.main = async (event, context) => {
  console.log('got', JSON.stringify(event));
  await context.progress(50, 'half way');
  return { sum: event.numbers.reduce((a, b) => a + b), user: context.headers['x-user'] };
};
exports.fail = () => { throw new RangeError('not today'); };
'''

SERVER = b'''
import http.server, json, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    served = 0

    def do_GET(self):
        self.answer(200, b'ready')

    def do_POST(self):
        event = self.rfile.read(int(self.headers['Content-Length']))
        Handler.served += 1
        print('serving', self.headers['Longhaul-Invocation-Id'], flush=True)
        if event == b'exit':
            os._exit(7)
        if event == b'sleep':
            time.sleep(600)
        said = {'event': event.decode(), 'served': Handler.served, 'user': self.headers['X-User'],
                'secret': self.headers['Authorization'], 'path': self.path}
        self.answer(503 if event == b'busy' else 200, json.dumps(said).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
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


def server(dev, name, **document):
    dev.deploy(name, {'server.py': SERVER}, mode='http', command=['python3', 'server.py'],
               **document)


def test_a_node_handler(dev):
    need_node()
    dev.deploy('node-adder', {'app.js': NODE}, mode='handler', runtime='node', handler='app.main')
    document, result = dev.run('node-adder', b'{"numbers": [1, 2, 39]}',
                               {**JSON, 'X-User': 'me'})
    equal(json.loads(result), {'sum': 42, 'user': 'me'}, 'result')
    assert 'got {"numbers":[1,2,39]}' in dev.logs(document['id'])


def test_a_node_error_fails_the_run_and_says_why(dev):
    need_node()
    dev.deploy('node-raiser', {'app.js': NODE}, mode='handler', runtime='node',
               handler='app.fail')
    document = dev.wait(dev.submit('node-raiser', b'{}', JSON)['id'])
    error = document['error']
    equal((document['state'], error['type'], error['message']),
          ('failed', 'RangeError', 'not today'), 'end')


def test_a_server_serves_run_after_run(dev):
    server(dev, 'served', http={'path': '/run', 'ready_path': '/ready'}, max_running=1)
    document, result = dev.run('served', b'one')
    equal(json.loads(result)['path'], '/run', 'path')
    equal(document['attempts'][0]['http_status'], 200, 'status')
    equal(document['result']['content_type'], 'application/json', 'content type')
    assert f'serving {document["id"]}' in dev.logs(document['id'])
    again = json.loads(dev.run('served', b'two')[1])
    equal((again['event'], again['served']), ('two', 2), 'the same server')


def test_what_a_server_refuses_is_failed_and_has_its_result(dev):
    server(dev, 'refusing')
    document = dev.wait(dev.submit('refusing', b'busy')['id'])
    equal((document['state'], document['error']['reason']), ('failed', 'error'), 'end')
    equal(document['attempts'][0]['http_status'], 503, 'status')
    equal(json.loads(dev.result(document['id']))['event'], 'busy', 'result')


def test_a_server_that_ends_fails_its_run_and_the_next_has_another(dev):
    server(dev, 'mortal')
    document = dev.wait(dev.submit('mortal', b'exit')['id'])
    equal((document['state'], document['error']['reason'], document['error']['exit_code']),
          ('failed', 'exit', 7), 'end')
    equal(json.loads(dev.run('mortal', b'on')[1])['served'], 1, 'runs of the new server')


def test_a_killed_run_takes_its_server_with_it(dev):
    server(dev, 'stuck', env={'MARK': dev.mark})
    invocation = dev.submit('stuck', b'sleep')['id']
    dev.wait_state(invocation, 'running')
    until(lambda: 'serving' in dev.logs(invocation), 'the server has the run')
    dev.kill(invocation)
    document = dev.wait(invocation)
    equal((document['state'], document['stop']['confirmed']), ('killed', True), 'end')
    until(lambda: not dev.processes(), 'the server is gone')


def test_a_server_that_is_never_ready_says_what_was_waited_for(dev):
    dev.put_function('mute', mode='http', command=['sleep', '600'], load_timeout='1s')
    document = dev.wait(dev.submit('mute')['id'])
    equal((document['state'], document['error']['reason']), ('failed', 'load'), 'end')
    assert 'does not listen on port' in document['error']['message'], document['error']


def test_the_callers_headers_reach_the_function_but_its_secrets_do_not(dev):
    server(dev, 'headed')
    said = json.loads(dev.run('headed', b'', {'X-User': 'me', 'Authorization': 'Bearer s',
                                              'Cookie': 'a=b'})[1])
    equal((said['user'], said['secret']), ('me', None), 'headers')
    dev.deploy('headers', {'app.py': b'def main(event, context):\n    return context.headers\n'},
               mode='handler', runtime='python', handler='app.main')
    _, result = dev.run('headers', b'', {'X-User': 'me', 'Cookie': 'a=b', 'X-Hop': '1',
                                         'Connection': 'keep-alive, x-hop'})
    equal(json.loads(result), {'x-user': 'me'}, 'headers')


def test_too_many_headers_are_refused_with_the_limit(dev):
    dev.put_function('plain', command=['true'])
    headers = {f'X-{number}': 'x' for number in range(33)}
    answer = dev.request('POST', '/v1/functions/plain/invocations', b'', headers)
    equal(answer.status, 400, 'status')
    assert 'more than 32 headers' in answer.json()['detail'], answer


def test_a_runtime_that_the_function_brings(dev):
    dev.deploy('bringing', {'client.py': CLIENT}, mode='handler', runtime='custom',
               handler='any text', command=['python3', 'client.py'])
    equal(dev.run('bringing', b'x')[1], b'any text: x', 'result')
    equal(dev.run('bringing')[1], b'any text: {}', 'result without an event')
