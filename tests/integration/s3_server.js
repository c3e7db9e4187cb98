// An S3 server (npm `s3rver`) with one bucket, behind a door that checks each signature with the
// code of the AWS SDK, for `s3rver` does not. On a free port; prints it.
// Then, for each line of stdin, what a published client (npm `@aws-sdk/client-s3`) sees of the
// bucket, as a line of JSON: [{"key", "sha256", "size"}].
const crypto = require('crypto');
const http = require('http');
const readline = require('readline');
const S3rver = require('s3rver');
const { Sha256 } = require('@aws-crypto/sha256-js');
const { HttpRequest } = require('@smithy/protocol-http');
const { SignatureV4 } = require('@smithy/signature-v4');
const { GetObjectCommand, ListObjectsV2Command, S3Client } = require('@aws-sdk/client-s3');

const [, , folder, bucket] = process.argv;
const region = 'us-east-1';
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

// What the request says its signature is, and what it should be.
async function signatures({ method, url, headers }) {
  const said = /SignedHeaders=([^,]+),\s*Signature=(\w+)/.exec(headers.authorization || '');
  if (!said) return ['none', ''];
  const signer = new SignatureV4({
    service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false, applyChecksum: false,
  });
  const { pathname, searchParams } = new URL(url, 'http://any');
  const day = headers['x-amz-date'].replace(/(....)(..)(..T..)(..)(.*)/, '$1-$2-$3:$4:$5');
  const signed = await signer.sign(new HttpRequest({
    method, path: pathname, query: Object.fromEntries(searchParams),
    headers: Object.fromEntries(said[1].split(';').map((name) => [name, headers[name]])),
  }), { signingDate: new Date(day) });
  return [said[2], /Signature=(\w+)/.exec(signed.headers.authorization)[1]];
}

function door(port) {
  return http.createServer(async (request, response) => {
    const [said, wanted] = await signatures(request);
    if (said !== wanted) {
      request.resume();
      response.writeHead(403);
      response.end('<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>');
      return;
    }
    const { method, url: path, headers } = request;
    const inner = http.request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    inner.on('error', () => response.destroy());
    request.pipe(inner);
  });
}

async function seen(client) {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Promise.all(Contents.map(async ({ Key, Size }) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const bytes = await Body.transformToByteArray();
    return { key: Key, sha256: crypto.createHash('sha256').update(bytes).digest('hex'), size: Size };
  }));
}

async function main() {
  const server = new S3rver({
    address: '127.0.0.1', port: 0, silent: true, directory: folder, configureBuckets: [{ name: bucket }],
  });
  const inner = await server.run();
  const outer = door(inner.port);
  await new Promise((done) => { outer.listen(0, '127.0.0.1', done); });
  const { port } = outer.address();
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`, forcePathStyle: true, region, credentials,
  });
  console.log(port);
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await seen(client)));
  }
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
