// Node's http2: node server.js PORT_FILE CLEAR_PORT_FILE KEY_FILE CERTIFICATE_FILE, with the files in SITE_ROOT.
// At SIGHUP the connections are drained.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const path = require('path');

const [portFile, clearFile, key, cert] = process.argv.slice(2);
const files = {};
for (const name of ['small', 'large', 'text']) files['/' + name] = fs.readFileSync(path.join(process.env.SITE_ROOT, name));

// Of either protocol: Node's compatibility API.
function answer(request, response) {
  const stream = request.stream || request;
  stream.on('error', () => {}); // clients may give up what they have asked for
  response.on('error', () => {});
  const route = request.url;
  if (files[route]) {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': files[route].length });
    return response.end(request.method === 'HEAD' ? undefined : files[route]);
  }
  if (route === '/fields') {
    const count = Object.keys(request.headers).filter((name) => name.startsWith('x-many-')).length;
    return response.end(JSON.stringify({ count }));
  }
  if (route === '/trailers') {
    response.setHeader('trailer', 'checksum');
    response.write('body');
    response.addTrailers({ checksum: 'abc' });
    return response.end();
  }
  if (route === '/echo') {
    const hash = crypto.createHash('sha256');
    let length = 0;
    request.on('data', (data) => { hash.update(data); length += data.length; });
    return request.on('end', () => {
      response.end(JSON.stringify({ length, sha256: hash.digest('hex'), trailers: { ...request.trailers } }));
    });
  }
  response.writeHead(route === '/refuse' ? 413 : 404);
  return response.end();
}

// Megabytes: by default Node refuses streams while it holds 10 to be sent, and ends the connection at the 101st.
const maxSessionMemory = 1000;
const tls = { key: fs.readFileSync(key), cert: fs.readFileSync(cert), allowHTTP1: true };
const secure = http2.createSecureServer({ ...tls, maxSessionMemory }, answer);
const clear = http2.createServer({ maxSessionMemory }, answer);
const sessions = new Set();
for (const [server, file] of [[secure, portFile], [clear, clearFile]]) {
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => {
    fs.writeFileSync(`${file}.new`, String(server.address().port));
    fs.renameSync(`${file}.new`, file);
  });
}
process.on('SIGHUP', () => { for (const session of sessions) session.close(); });
