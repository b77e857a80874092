/** A real gateway with the console in it, an upstream behind it, and a way to its admin API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BIRDS } from './pets';

const HOME = new URL('../..', import.meta.url).pathname;

/** The program: the one that is named, or the one that was built last. */
function program(): string {
  const named = process.env.GATEWRIGHT;
  if (named !== undefined) return named;
  const target = process.env.CARGO_TARGET_DIR ?? join(HOME, 'target');
  const built = ['debug', 'release'].map((profile) => join(target, profile, 'gatewright')).find(existsSync);
  if (built === undefined) throw new Error('build the program first: cargo build --bin gatewright');
  return built;
}

export class Gateway {
  readonly admin: string;
  readonly listener: string;
  readonly upstream: string;
  readonly password: string;
  /** What the program has written since it is up. */
  log = '';
  readonly #child: ChildProcess;
  readonly #service: Server;
  readonly #folder: string;

  private constructor(
    { admin, listener, password }: Said,
    child: ChildProcess,
    service: Server,
    folder: string,
  ) {
    this.admin = admin;
    this.listener = listener;
    this.password = password;
    this.upstream = addressOf(service);
    this.#child = child;
    this.#service = service;
    this.#folder = folder;
  }

  /** With more settings, as lines of YAML, more of the manager, and variables of the environment. */
  static async start(settings = '', manager: object = {}, environment: object = {}): Promise<Gateway> {
    const service = createServer((request, response) => {
      if (request.url === '/birds.yaml') {
        response.end(BIRDS);
        return;
      }
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ path: request.url }));
    });
    await new Promise<void>((listening) => service.listen(0, '127.0.0.1', listening));
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-console-'));
    writeFileSync(join(folder, 'gatewright.yaml'), configuration(folder, settings, manager));
    const child = spawn(program(), ['run', '-c', join(folder, 'gatewright.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const gateway = new Gateway(await said(child), child, service, folder);
    child.stdout.on('data', (chunk: Buffer) => (gateway.log += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (gateway.log += chunk.toString()));
    return gateway;
  }

  async stop(): Promise<void> {
    const gone = new Promise((exited) => this.#child.once('exit', exited));
    this.#child.kill('SIGTERM');
    await gone;
    this.#service.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Asks the admin API as the administrator. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const authorization = `Basic ${Buffer.from(`Administrator:${this.password}`).toString('base64')}`;
    const response = await fetch(`${this.admin}/api/v1${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function configuration(folder: string, settings: string, more: object): string {
  const manager = {
    enabled: true,
    address: '127.0.0.1:0',
    accountLock: { attempts: 5, within: '15m' },
    references: ['url:http://127.0.0.1:*'],
    ...more,
  };
  return `
settings:
  manager: ${JSON.stringify(manager)}
  operations: { address: "127.0.0.1:0" }
  dataDirectory: ${JSON.stringify(join(folder, 'data'))}
${settings}
listeners:
  - { name: http, address: "127.0.0.1:0" }
`;
}

interface Said {
  admin: string;
  listener: string;
  password: string;
}

/** What the program says when it is up. */
function said(child: ChildProcess): Promise<Said> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const admin = /admin API on (http:\S+)\/api\/v1/.exec(output)?.[1];
      const listener = /listening on (http:\S+)/.exec(output)?.[1];
      const password = /user Administrator has the password (\S+)/.exec(output)?.[1];
      if (admin && listener && password && output.includes('APIs served'))
        resolve({ admin, listener, password });
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}:\n${output}`)));
  });
}
