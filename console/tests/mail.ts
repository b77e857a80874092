/** A mail server for a test (SMTP, RFC 5321), which keeps what comes. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export class MailServer {
  readonly port: number;
  readonly mails: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(): Promise<MailServer> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const started = new MailServer(server);
    server.on('connection', (socket) => converse(socket, started.mails));
    return started;
  }

  stop(): void {
    this.#server.close();
  }
}

function converse(socket: Socket, mails: string[]): void {
  let waiting = '';
  let data: string | undefined;
  const say = (text: string) => socket.write(`${text}\r\n`);
  say('220 mail.example ready');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    waiting += chunk.toString();
    for (let end = waiting.indexOf('\r\n'); end >= 0; end = waiting.indexOf('\r\n')) {
      const line = waiting.slice(0, end);
      waiting = waiting.slice(end + 2);
      if (data !== undefined) {
        if (line === '.') {
          mails.push(decoded(data));
          data = undefined;
          say('250 kept');
        } else data += `${line}\r\n`;
      } else if (line === 'DATA') {
        data = '';
        say('354 go on');
      } else if (line === 'QUIT') {
        say('221 bye');
        socket.end();
      } else say('250 fine');
    }
  });
}

/** What was written in quoted-printable (RFC 2045, 6.7). */
function decoded(data: string): string {
  return data
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
