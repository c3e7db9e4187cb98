// Draws a part of the Mandelbrot set as a PNG. Node's standard library only.
'use strict';

const zlib = require('node:zlib');
const { setImmediate: turn } = require('node:timers/promises');

const DEFAULTS = { width: 1200, height: 800, x: -0.743643, y: 0.131825, zoom: 2000, depth: 3000 };
const LIMITS = { width: 4000, height: 4000, depth: 100000 };

function orderOf(event) {
  const order = { ...DEFAULTS, ...event };
  for (const [name, value] of Object.entries(order)) {
    if (!(name in DEFAULTS)) throw new TypeError(`there is no '${name}'`);
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw new TypeError(`${name} must be a number`);
  }
  for (const [name, max] of Object.entries(LIMITS))
    if (!Number.isInteger(order[name]) || order[name] < 1 || order[name] > max)
      throw new RangeError(`${name} must be a whole number from 1 to ${max}`);
  return order;
}

// Steps until the point leaves, smoothed; 0 where it never does.
function escapeTime(cx, cy, depth) {
  let x = 0, y = 0;
  for (let step = 0; step < depth; ++step) {
    const xx = x * x, yy = y * y;
    if (xx + yy > 256) return step + 1 - Math.log2(Math.log2(xx + yy) / 2);
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 0;
}

function paint(row, at, time) {
  for (let channel = 0; channel < 3; ++channel)
    row[at + channel] = time && 127.5 * (1 - Math.cos(Math.sqrt(time) * 0.55 + channel * 0.9));
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; ++bit) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, body.length + 4);
  return out;
}

function png(width, height, rows) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);  // 8 bits, RGB
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', zlib.deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

exports.main = async (event, context) => {
  const { width, height, x, y, zoom, depth } = orderOf(event);
  const scale = 3 / zoom / width;
  const rows = Buffer.alloc(height * (1 + width * 3));  // a filter byte, then the row
  console.log(`drawing ${width} x ${height} around ${x} ${y >= 0 ? '+' : '-'} ${Math.abs(y)}i`);
  let told = 0;
  for (let row = 0; row < height; ++row) {
    const cy = y + (row - height / 2) * scale;
    for (let column = 0; column < width; ++column) {
      const time = escapeTime(x + (column - width / 2) * scale, cy, depth);
      paint(rows, row * (1 + width * 3) + 1 + column * 3, time);
    }
    const percent = Math.floor(((row + 1) * 100) / height);
    if (percent >= told + 5 || row + 1 === height) {
      told = percent;
      console.log(`${percent} %, row ${row + 1} of ${height}`);
      context.progress(percent, `row ${row + 1} of ${height}`);
    }
    await turn();  // so that what waits, like the progress, gets its turn
  }
  return png(width, height, rows);
};
