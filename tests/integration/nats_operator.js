// Makes what a nats-server with JWT authentication needs, and the .creds file of one user of it:
//
//   node nats_operator.js MODULES FOLDER    -> FOLDER/operator.conf, FOLDER/user.creds
'use strict';
const { createRequire } = require('module');
const fs = require('fs');
const path = require('path');

const [modules, folder] = process.argv.slice(2);
const { createOperator, createAccount, createUser } = createRequire(
  path.join(modules, 'any.js'))('nkeys.js');

const encoded = (bytes) => Buffer.from(bytes).toString('base64url');

function token(issuer, subject, name, nats) {
  const claims = {
    jti: name, iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(), name, nats: { ...nats, version: 2 },
  };
  const text = [{ typ: 'JWT', alg: 'ed25519-nkey' }, claims]
    .map((part) => encoded(JSON.stringify(part))).join('.');
  return `${text}.${encoded(issuer.sign(Buffer.from(text)))}`;
}

const operator = createOperator();
const account = createAccount();
const user = createUser();
const all = { subs: -1, data: -1, payload: -1 };
const limits = { ...all, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const operatorToken = token(operator, operator, 'operator', { type: 'operator' });
const accountToken = token(operator, account, 'account', { type: 'account', limits });
const userToken = token(account, user, 'user', { type: 'user', pub: {}, sub: {}, ...all });

fs.writeFileSync(path.join(folder, 'operator.conf'),
  `operator: ${operatorToken}\nresolver: MEMORY\n` +
  `resolver_preload: { ${account.getPublicKey()}: ${accountToken} }\n`);
fs.writeFileSync(path.join(folder, 'user.creds'),
  `-----BEGIN NATS USER JWT-----\n${userToken}\n------END NATS USER JWT------\n\n` +
  `-----BEGIN USER NKEY SEED-----\n${Buffer.from(user.getSeed()).toString()}\n` +
  '------END USER NKEY SEED------\n', { mode: 0o600 });
