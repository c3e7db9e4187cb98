// Serves a Node function inside a longhaul instance. Standard library only; Node 18 and later.
//
// Speaks the runtime agent's variant of the AWS Lambda Runtime API on loopback: load/next brings
// the function's identity, then next and response (or error) for each invocation. A function with a
// concurrency above 1 has as many loops that do so. What a run prints is told from the others' by
// the asynchronous context in which it is printed.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const util = require('node:util');
const { AsyncLocalStorage } = require('node:async_hooks');
const { Readable, finished } = require('node:stream');
const { pathToFileURL } = require('node:url');

const API = '/2018-06-01/runtime/';
const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const TOKEN = process.env.LONGHAUL_RUNTIME_TOKEN || '';
delete process.env.LONGHAUL_RUNTIME_TOKEN;

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const LINE_MAX = 65536;  // characters that wait for the end of their line
const KINDS = ['.js', '.mjs', '.cjs'];

// One call to the runtime agent: {status, headers, body}. `body` is bytes or text, or a stream,
// which is sent as it comes; what breaks a stream rejects, and then the answer was not sent whole.
function call(method, target, { body = '', type = 'application/json', headers = {}, own } = {}) {
  return new Promise((resolve, reject) => {
    const streamed = body instanceof Readable;
    const request = http.request({
      host: HOST,
      port: PORT,
      method,
      path: target,
      agent: own ? false : agent,
      headers: {
        'Longhaul-Runtime-Token': TOKEN,
        'Content-Type': type,
        ...(streamed ? {} : { 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
    });
    request.setNoDelay(true);
    request.on('error', reject);
    request.on('response', (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.concat(parts),
      }));
    });
    if (!streamed) {
      request.end(body);
      return;
    }
    finished(body, { writable: false }, (error) => {
      if (!error) return;
      request.destroy();
      reject(error);
    });
    body.pipe(request);
  });
}

// What one invocation tells of itself, one call after the other. Of what waits for its turn only the
// last word of each kind is said.
class Teller {
  #waiting = new Map();  // by path
  #telling = Promise.resolve();

  tell(path, body) {
    const isNew = !this.#waiting.has(path);
    this.#waiting.set(path, body);
    if (isNew) this.#telling = this.#telling.then(() => this.#say(path));
    return this.#telling;
  }

  // Until all has been said.
  async end() {
    await this.#telling;
  }

  async #say(path) {
    const body = this.#waiting.get(path);
    this.#waiting.delete(path);
    try {
      await call('POST', path, { body, own: true });
    } catch {
      // Its own words are all that is lost.
    }
  }
}

const tellers = new WeakMap();  // by context

// What a handler may ask about its invocation.
class Context {
  #progressPath;
  #heartbeatPath;

  constructor(identity, headers, signal) {
    tellers.set(this, new Teller());
    this.invocationId = headers['lambda-runtime-aws-request-id'];
    this.attempt = Number(headers['longhaul-attempt'] || '1');
    this.deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
    this.tenant = identity.tenant;
    this.function = identity.function;
    this.version = identity.version;
    this.memoryMb = identity.memory_mb;
    this.contentType = headers['longhaul-content-type'] || '';
    this.traceparent = headers['longhaul-traceparent'] || '';
    this.labels = JSON.parse(headers['longhaul-labels'] || '{}');
    this.headers = JSON.parse(headers['longhaul-headers'] || '{}');
    // Aborted when the run is to return: by itself, where others run beside it.
    this.signal = signal;
    this.#progressPath = headers['longhaul-progress-path'];
    this.#heartbeatPath = headers['longhaul-heartbeat-path'];
    // The names that functions written for AWS Lambda use.
    this.awsRequestId = this.invocationId;
    this.functionName = this.function;
    this.functionVersion = this.version;
    this.memoryLimitInMB = String(this.memoryMb);
    this.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
    this.callbackWaitsForEmptyEventLoop = false;
  }

  remainingMs() {
    return Math.max(0, this.deadlineMs - Date.now());
  }

  getRemainingTimeInMillis() {
    return this.remainingMs();
  }

  // Shows how far the run is. Never fails a run: what cannot be sent is not sent. It need not be
  // awaited.
  async progress(percent, message = '') {
    await tellers.get(this).tell(this.#progressPath, JSON.stringify({ percent, message: String(message) }));
  }

  // Says that the run is well, where its function has a heartbeat_timeout. The same holds.
  async heartbeat() {
    await tellers.get(this).tell(this.#heartbeatPath, '');
  }
}

function isJson(type) {
  return type === 'application/json' || type.endsWith('+json');
}

function eventOf(body, contentType) {
  if (body.length === 0) return null;
  const type = contentType.split(';')[0].trim().toLowerCase();
  if (isJson(type)) return JSON.parse(body.toString('utf8'));
  if (type !== '') return body;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return body;
  }
}

// {type, body} of what a handler returned.
function encoded(value) {
  const bytes = 'application/octet-stream';
  if (Buffer.isBuffer(value)) return { type: bytes, body: value };
  if (ArrayBuffer.isView(value))
    return { type: bytes, body: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
  if (value instanceof ArrayBuffer) return { type: bytes, body: Buffer.from(value) };
  if (typeof value === 'string') return { type: 'text/plain; charset=utf-8', body: value };
  if (value instanceof Readable) return { type: bytes, body: value };
  if (value && typeof value.getReader === 'function')
    return { type: bytes, body: Readable.fromWeb(value) };
  if (value && typeof value[Symbol.asyncIterator] === 'function')
    return { type: bytes, body: Readable.from(value, { objectMode: false }) };
  return { type: 'application/json', body: JSON.stringify(value) ?? 'null' };
}

function typeOf(error) {
  if (!(error instanceof Error)) return typeof error;
  if (error.name && error.name !== 'Error') return error.name;
  return error.constructor.name || 'Error';
}

function messageOf(error) {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : util.inspect(error);
  return error.message || typeOf(error);
}

// Without the frames of this file and of Node: they are no part of the user's story.
function stackOf(error) {
  if (!(error instanceof Error) || !error.stack) return [messageOf(error)];
  return error.stack.split('\n').filter(
    (line) => !line.includes(__filename) && !/^ {4}at .*\(?node:internal\//.test(line));
}

function errorDocument(error) {
  return JSON.stringify({
    errorMessage: messageOf(error),
    errorType: typeOf(error),
    stackTrace: stackOf(error),
  });
}

function show(error) {
  console.error(stackOf(error).join('\n'));
}

function fileOf(folder, name) {
  for (const kind of KINDS) {
    const file = path.join(folder, name + kind);
    if (fs.existsSync(file)) return file;
  }
  throw new Error(`there is no ${name}.js, ${name}.mjs or ${name}.cjs in the package`);
}

// "app.main", "lib/app.main": the module lib/app and its export main.
async function findHandler(identity) {
  const slash = identity.handler.lastIndexOf('/') + 1;
  const [name, ...exported] = identity.handler.slice(slash).split('.');
  if (!name || exported.length === 0 || exported.includes(''))
    throw new Error(`handler '${identity.handler}' is not of the form module.function`);
  const file = fileOf(identity.code_dir || '.', identity.handler.slice(0, slash) + name);
  const module = await import(pathToFileURL(path.resolve(file)).href);
  const within = (start) => exported.reduce((found, part) => found?.[part], start);
  const handler = within(module) ?? within(module.default);
  if (typeof handler !== 'function')
    throw new TypeError(`${path.basename(file)} exports no function '${exported.join('.')}'`);
  return handler;
}

// Waits for an identity, then loads the user's code.
async function load() {
  const answer = await call('GET', API + 'load/next');
  if (answer.status !== 200) throw new Error(`load/next answered ${answer.status}`);
  const identity = JSON.parse(answer.body.toString('utf8'));
  Object.assign(process.env, identity.env);
  if (identity.code_dir) process.chdir(identity.code_dir);
  if (identity.concurrency > 1)
    output.push(tagLines(process.stdout), tagLines(process.stderr));
  const begun = performance.now();
  try {
    identity.call = await findHandler(identity);
  } catch (error) {
    show(error);
    await call('POST', API + 'load/error', { body: errorDocument(error) });
    process.exit(1);
  }
  const body = JSON.stringify({ import_ms: performance.now() - begun });
  await call('POST', API + 'load/done', { body });
  return identity;
}

// Handlers with a third parameter answer through it: callback(error, value).
function outcomeOf(handler, event, context) {
  if (handler.length < 3) return handler(event, context);
  return new Promise((resolve, reject) => {
    const callback = (error, value) => (error ? reject(error) : resolve(value));
    const value = handler(event, context, callback);
    if (value && typeof value.then === 'function') value.then(resolve, reject);
  });
}

const on = new Map();  // by path: the controllers of the invocations that are on
const cancelled = new Set();  // paths and attempts, which may not have been on yet
const CANCELLED_MAX = 1000;
const runs = new AsyncLocalStorage();  // whose code this is: an invocation's id
const output = [];  // what ends a run's begun lines; where several are on at once

async function serve(identity) {
  if (identity.concurrency > 1) {
    agent.maxSockets = 2 * identity.concurrency + 2;
    watchCancels();
  }
  const loops = [];
  for (let i = 0; i < (identity.concurrency || 1); ++i) loops.push(serveOne(identity));
  await Promise.all(loops);
}

async function serveOne(identity) {
  for (;;) {
    const next = await call('GET', API + 'invocation/next');
    if (next.status !== 200) throw new Error(`next answered ${next.status}`);
    const controller = new AbortController();
    const context = new Context(identity, next.headers, controller.signal);
    await runs.run(context.invocationId, serveNext, identity, next, context, controller);
  }
}

async function serveNext(identity, next, context, controller) {
  const path = `${API}invocation/${context.invocationId}/`;
  on.set(path, { controller, attempt: context.attempt });
  if (cancelled.has(path + context.attempt)) controller.abort();
  try {
    const event = eventOf(next.body, context.contentType);
    const answer = encoded(await outcomeOf(identity.call, event, context));
    await tellers.get(context).end();  // what the handler did not wait for counts as well
    endLines(context.invocationId);
    await call('POST', path + 'response', answer);
  } catch (error) {
    show(error);
    await tellers.get(context).end();
    endLines(context.invocationId);
    await call('POST', path + 'error', { body: errorDocument(error) });
  }
  on.delete(path);
}

async function watchCancels() {
  for (;;) {
    const next = await call('GET', API + 'cancel/next');
    if (next.status !== 200) throw new Error(`cancel/next answered ${next.status}`);
    const { invocation, attempt } = JSON.parse(next.body.toString('utf8'));
    const path = `${API}invocation/${invocation}/`;
    cancelled.add(path + attempt);
    if (cancelled.size > CANCELLED_MAX) cancelled.delete(cancelled.values().next().value);
    const run = on.get(path);
    if (run && run.attempt === attempt) run.controller.abort();
  }
}

// Each line of a run goes out whole, and says whose it is.
function tagLines(stream) {
  const write = stream.write.bind(stream);
  const begun = new Map();
  const put = (run, lines, done) =>
    write(lines.map((line) => `@longhaul:${run} ${line}\n`).join(''), done);
  stream.write = (chunk, encoding, callback) => {
    const run = runs.getStore();
    if (run === undefined) return write(chunk, encoding, callback);
    const done = typeof encoding === 'function' ? encoding : callback;
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const lines = ((begun.get(run) ?? '') + text).split('\n');
    begun.delete(run);
    const rest = lines.pop();
    if (rest.length >= LINE_MAX) lines.push(rest);
    else if (rest !== '') begun.set(run, rest);
    return put(run, lines, done);
  };
  return (run) => {
    const rest = begun.get(run);
    begun.delete(run);
    if (rest !== undefined) put(run, [rest]);
  };
}

function endLines(run) {
  for (const end of output) end(run);
}

// What no handler caught: nobody knows what state the process is in, so it ends. The runs that are
// on, if any, are told why.
async function giveUp(error) {
  process.removeAllListeners('uncaughtException');
  show(error);
  try {
    const targets = on.size > 0 ? [...on.keys()].map((path) => path + 'error')
      : [API + 'load/error'];
    const headers = { 'Longhaul-Runtime-Ends': 'true' };
    const body = errorDocument(error);
    await Promise.all(targets.map((path) => call('POST', path, { body, headers, own: true })));
  } finally {
    process.exit(1);
  }
}

process.on('uncaughtException', giveUp);  // unhandled rejections too
load().then(serve).catch(giveUp);
