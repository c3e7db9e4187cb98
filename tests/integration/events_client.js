// What a subscriber of lifecycle events would write, with the npm packages `nats` and `cloudevents`.
//
//   node events_client.js MODULES listen  URL SUBJECT
//   node events_client.js MODULES collect URL STREAM DURABLE SUBJECT
//
// `listen` prints "ready", then a line of JSON per event for as long as it lives. `collect` prints
// what the durable consumer has for it and ends once nothing more comes. CREDS in the environment
// names a .creds file.
'use strict';
const { createRequire } = require('module');
const fs = require('fs');
const path = require('path');

const [modules, mode, url, ...rest] = process.argv.slice(2);
const need = createRequire(path.join(modules, 'any.js'));
const { connect, credsAuthenticator, AckPolicy, DeliverPolicy } = need('nats');
const { CloudEvent } = need('cloudevents');

function print(message) {
  const parsed = message.json();
  const event = new CloudEvent(parsed, true); // throws where it is no CloudEvents 1.0
  if (!event.validate() || event.id !== parsed.id) throw new Error(`no valid event: ${parsed}`);
  const id = message.headers.get('Nats-Msg-Id');
  if (id !== event.id) throw new Error(`Nats-Msg-Id ${id} is not the id ${event.id}`);
  console.log(JSON.stringify({ on: message.subject, event: parsed }));
}

async function listen(connection, subject) {
  const subscription = connection.subscribe(subject);
  await connection.flush();
  console.log('"ready"');
  for await (const message of subscription) print(message);
}

async function collect(connection, stream, durable, subject) {
  const manager = await connection.jetstreamManager();
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    filter_subject: subject,
  });
  const consumer = await connection.jetstream().consumers.get(stream, durable);
  let got = 0;
  do {
    got = 0;
    for await (const message of await consumer.fetch({ max_messages: 500, expires: 1000 })) {
      print(message);
      await message.ackAck();
      ++got;
    }
  } while (got > 0);
  await connection.close();
}

async function main() {
  const creds = process.env.CREDS && credsAuthenticator(fs.readFileSync(process.env.CREDS));
  const connection = await connect({ servers: url, ...(creds && { authenticator: creds }) });
  if (mode === 'listen') await listen(connection, ...rest);
  else await collect(connection, ...rest);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
