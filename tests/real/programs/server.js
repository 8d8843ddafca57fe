// Node's HTTP/2 for tests: node server.js PORT_FILE [KEY_FILE CERTIFICATE_FILE]
'use strict';
const fs = require('fs');
const http2 = require('http2');

const [portFile, key, cert] = process.argv.slice(2);

// The downloads of '/turns'.
const downloads = new Set();
const piece = Buffer.alloc(1024);
const large = Buffer.alloc(16384);

function echo(stream) {
  let seen = {};
  stream.on('trailers', (trailers) => { seen = trailers; });
  stream.respond({}, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ ...seen, checksum: 'abc' }));
  stream.pipe(stream);
}

const routes = {
  '/': (stream) => {
    stream.respond({ 'content-type': 'text/plain' });
    stream.end('hello');
  },
  // What is sent comes back, as it comes; the request's trailers come back as trailers.
  '/echo': echo,
  '/back': echo,
  '/trailers': (stream) => {
    stream.respond({ 'content-length': 4 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ checksum: 'abc' }));
    stream.end('body');
  },
  '/hints': (stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' });
    stream.additionalHeaders({ ':status': 103, link: '</script.js>; rel=preload' });
    stream.respond();
    stream.end('page');
  },
  // Two responses are pushed, if the client takes any; the page says whether it does.
  '/push': (stream) => {
    const push = (path, body, next) => stream.pushStream({ ':path': path }, (error, pushed) => {
      if (error) throw error;
      pushed.on('error', () => {}); // the client may give it up
      pushed.respond({ 'content-type': 'text/plain' });
      pushed.end(body);
      next();
    });
    const page = () => {
      stream.respond({ 'x-push': String(stream.pushAllowed) });
      stream.end('page');
    };
    if (stream.pushAllowed) push('/style.css', 'style', () => push('/large', Buffer.alloc(1 << 20, 'x'), page));
    else page();
  },
  // How many bytes were sent.
  '/count': (stream) => {
    let size = 0;
    stream.on('data', (data) => { size += data.length; });
    stream.on('end', () => {
      stream.respond();
      stream.end(String(size));
    });
  },
  '/unwanted': (stream) => {
    stream.respond({ ':status': 417 });
    stream.end('no');
  },
  // The request's header fields, a line each.
  '/fields': (stream, headers) => {
    stream.respond();
    const lines = Object.entries(headers).filter(([name]) => name[0] !== ':');
    stream.end(lines.map(([name, value]) => `${name}: ${value}\n`).join(''));
  },
  // Never answered.
  '/silent': () => {},
  // A download that goes on by a piece at each message of '/talk', and the talk: message, turn, answer.
  '/turns': (stream) => {
    downloads.add(stream);
    stream.on('close', () => downloads.delete(stream));
    stream.respond();
  },
  '/talk': (stream) => {
    stream.respond();
    stream.on('data', (message) => {
      for (const download of downloads) download.write(piece);
      stream.write(message);
    });
    stream.on('end', () => {
      stream.end();
      for (const download of downloads) download.end();
    });
  },
  // Four mebibytes, handed over at once: what is not sent counts as the session's memory, until that is closed.
  '/four-mebibytes': (stream) => {
    stream.respond();
    stream.end(Buffer.alloc(4 << 20));
  },
  // An endless body, as fast as the client takes it.
  '/endless': (stream) => {
    stream.respond();
    const more = () => { while (!stream.destroyed && stream.write(large)); };
    stream.on('drain', more);
    more();
  },
};

const server = key
  ? http2.createSecureServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) })
  : http2.createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {}); // clients may give up what they have asked for
  const path = headers[':path'];
  if (headers.expect === '100-continue' && path !== '/unwanted') stream.additionalHeaders({ ':status': 100 });
  if (routes[path]) return routes[path](stream, headers);
  stream.respond({ ':status': 404 });
  return stream.end();
});
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${portFile}.new`, String(server.address().port));
  fs.renameSync(`${portFile}.new`, portFile);
});
