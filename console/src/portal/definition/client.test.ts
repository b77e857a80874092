import ts from 'typescript';
import { expect, test } from 'vitest';
import { clientOf } from './client';
import { DEFINITION } from './example.fixture';
import { readDefinition } from './read';

function written(source: string): string {
  const definition = readDefinition(source);
  if (definition === undefined) throw new Error('it can be read');
  return clientOf(definition, 'Pet shop', 'https://api.example.com/pets/v2');
}

/** What the compiler has to say of a file, in strict mode. */
function complaints(file: string): string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) =>
    name === 'client.ts' ? ts.createSourceFile(name, file, ts.ScriptTarget.ES2022) : read(name, ...rest);
  const program = ts.createProgram(['client.ts'], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

interface Client {
  listPets(input?: { limit?: number; 'X-Trace'?: string }): Promise<unknown>;
  addPet(input: { body: unknown }): Promise<unknown>;
  getPetsPetId(input: { 'pet-id': string }): Promise<unknown>;
}

async function run(file: string, answer: Response): Promise<{ client: Client; sent: Request[] }> {
  const { outputText } = ts.transpileModule(file, { compilerOptions: { target: 99, module: 99 } });
  const address = `data:text/javascript,${encodeURIComponent(outputText)}`;
  const made = (await import(/* @vite-ignore */ address)) as {
    PetShopClient: new (options: object) => Client;
  };
  const sent: Request[] = [];
  const fetch = (url: string, init: RequestInit) => {
    sent.push(new Request(url, init));
    return Promise.resolve(answer);
  };
  return { client: new made.PetShopClient({ headers: { 'x-key': 'k' }, fetch }), sent };
}

test('the compiler takes it, also from odd definitions', { timeout: 60_000 }, () => {
  expect(complaints(written(DEFINITION))).toEqual([]);
  const odd = `
openapi: 3.1.0
info: { title: "odd */ one", version: "1" }
paths:
  "/a/{x}/{y}":
    get: { operationId: constructor, parameters: [{ name: x, in: path, required: true, schema: { type: [string, "null"] } }, { name: body, in: query }], responses: {} }
    post: { operationId: request, requestBody: { content: { text/plain: {} } }, responses: { default: { description: d, content: { application/json: { schema: { oneOf: [{ type: string }, { $ref: "#/components/schemas/1x" }] } } } } } }
components: { schemas: { 1x: { allOf: [{ $ref: "#/components/schemas/Promise" }, { properties: { a: { const: 1 } } }] }, Promise: { type: object, additionalProperties: { type: number } } } }
`;
  expect(complaints(written(odd))).toEqual([]);
});

test('it sends what it is asked to, with the key, encoded', async () => {
  const json = { headers: { 'content-type': 'application/json' } };
  const list = await run(written(DEFINITION), new Response('[{"name":"Rex"}]', json));
  expect(await list.client.listPets({ limit: 3, 'X-Trace': 't' })).toEqual([{ name: 'Rex' }]);
  const asked = list.sent[0];
  expect(asked?.url).toBe('https://api.example.com/pets/v2/pets?limit=3');
  expect([asked?.headers.get('x-key'), asked?.headers.get('x-trace')]).toEqual(['k', 't']);

  const one = await run(written(DEFINITION), new Response('{}', json));
  await one.client.getPetsPetId({ 'pet-id': 'a/b' });
  expect(one.sent[0]?.url).toBe('https://api.example.com/pets/v2/pets/a%2Fb');

  const add = await run(written(DEFINITION), new Response(null, { status: 201 }));
  await add.client.addPet({ body: { name: 'Rex' } });
  expect(add.sent[0]?.method).toBe('POST');
  expect(await add.sent[0]?.text()).toBe('{"name":"Rex"}');
});

test('an answer that is none is an error with its status', async () => {
  const { client } = await run(written(DEFINITION), new Response('no', { status: 403 }));
  await expect(client.listPets()).rejects.toMatchObject({ status: 403, body: 'no' });
});
