// Node's HTTP/2 for benchmarks: node server.js PORT_FILE ROOT FIELD_SETS COUNTS KEY_FILE CERTIFICATE_FILE
// It serves the files of ROOT, and for each set of FIELD_SETS and each number of COUNTS a response with such fields.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const path = require('path');

const [portFile, root, setsFile, counts, key, cert] = process.argv.slice(2);
const sets = JSON.parse(fs.readFileSync(setsFile));
const own = { server: 'node', 'content-type': 'text/plain' };
const body = Buffer.alloc(600, 'x');
const files = new Map();

// A value's holes: see field_sets.py.
function fill(value) {
  return value.replace(/<(?:([xad])([0-9]+)|m)>/g, (_, kind, size) => {
    if (!kind) return String(crypto.randomInt(60)).padStart(2, '0');
    if (kind === 'd') return Array.from({ length: Number(size) }, () => crypto.randomInt(10)).join('');
    const bytes = crypto.randomBytes(Number(size));
    return bytes.toString(kind === 'x' ? 'hex' : 'base64url').slice(0, Number(size));
  });
}

// Fields of the same name become one entry with a list.
function made(pairs, filled) {
  const headers = { ':status': 200, ...own, 'content-length': body.length };
  for (const [name, value] of pairs) {
    const text = filled(value);
    headers[name] = name in headers ? [].concat(headers[name], text) : text;
  }
  return headers;
}

function file(name) {
  if (!files.has(name)) files.set(name, fs.readFileSync(path.join(root, name)));
  return files.get(name);
}

const routes = new Map();
for (const [name, { fields }] of Object.entries(sets)) {
  routes.set(`/fields/${name}`, () => made(fields, fill));
}
for (const count of counts.split(',').map(Number)) {
  const pairs = Array.from({ length: count - 4 }, (_, k) => [`x-field-${k}`, `the value of field ${k}`]);
  routes.set(`/count/${count}`, () => made(pairs, (value) => value));
}

const server = http2.createSecureServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert), allowHTTP1: true });
function answer(response, headers, data) {
  const { ':status': status, ...rest } = headers;
  response.writeHead(status, rest);
  response.end(data);
}
server.on('request', (request, response) => {
  const name = request.url.split('?')[0];
  const route = routes.get(name);
  if (route) return answer(response, route(), body);
  if (request.method === 'POST') {
    request.resume();
    return request.on('end', () => {
      answer(response, { ':status': 200, ...own, 'content-length': 12 }, '{"ok": true}');
    });
  }
  try {
    const data = file(name);
    return answer(response, { ':status': 200, ...own, 'content-length': data.length }, data);
  } catch {
    return answer(response, { ':status': 404, ...own }, 'no such file');
  }
});
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${portFile}.new`, String(server.address().port));
  fs.renameSync(`${portFile}.new`, portFile);
});
