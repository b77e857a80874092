/** A portal with something in it: plans, APIs for everybody and for some, documents, a page, somebody who consumes. */
import type { Gateway } from './gateway';

export const PASSWORD = 'correct horse battery';

const ORDERS = `
openapi: 3.1.0
info: { title: Orders, version: "1.0", description: "Take orders, and see **what became of them**." }
tags: [{ name: Orders }, { name: Customers }]
paths:
  /orders:
    get:
      tags: [Orders]
      operationId: listOrders
      summary: List orders
      description: The newest first. A page has at most \`limit\` orders.
      parameters:
        - { name: limit, in: query, description: Orders on a page., schema: { type: integer, default: 20 } }
        - { name: state, in: query, schema: { type: string, enum: [open, shipped] } }
      responses:
        "200":
          description: A page of orders.
          content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Order" } } } }
    post:
      tags: [Orders]
      operationId: createOrder
      summary: Create an order
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/NewOrder" } } }
      responses:
        "201": { description: It was taken., content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
        "422": { description: Something in it is wrong. }
  /orders/{id}:
    get:
      tags: [Orders]
      operationId: getOrder
      summary: Get an order
      parameters: [{ name: id, in: path, required: true, description: Number of the order., schema: { type: string, example: "7" } }]
      responses:
        "200": { description: The order., content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
        "404": { description: There is none. }
    delete:
      tags: [Orders]
      operationId: cancelOrder
      summary: Cancel an order
      deprecated: true
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { "204": { description: It was cancelled. } }
  /customers/{id}:
    get:
      tags: [Customers]
      operationId: getCustomer
      summary: Get a customer
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: The customer. } }
components:
  schemas:
    NewOrder:
      type: object
      required: [items]
      properties:
        items: { type: array, items: { $ref: "#/components/schemas/Item" } }
        note: { type: string, description: For those who pack it. }
    Order:
      allOf:
        - $ref: "#/components/schemas/NewOrder"
        - type: object
          required: [id, state]
          properties:
            id: { type: string, readOnly: true }
            state: { type: string, enum: [open, shipped] }
            placedAt: { type: string, format: date-time }
    Item:
      type: object
      required: [article]
      properties:
        article: { type: string, example: A-1 }
        count: { type: integer, minimum: 1, default: 1 }
`;

const POLICIES = [{ type: 'apiKey' }];

export async function openShop(gateway: Gateway, signUp: 'off' | 'approval' | 'open'): Promise<void> {
  const octets = { 'content-type': 'application/octet-stream' };
  const imported = await gateway.ask(
    'POST',
    `/apis/import?upstream=${gateway.upstream}&basePath=/orders/v1`,
    ORDERS,
    octets,
  );
  const { spec } = (await imported.json()) as { spec: Record<string, unknown> };
  const plain = (name: string, about: object, portal: object) => ({
    name,
    version: '1.0',
    basePath: `/${name.toLowerCase()}`,
    upstream: gateway.upstream,
    policies: POLICIES,
    plans: ['free'],
    ...about,
    portal,
  });
  await gateway.ask('POST', '/apply', {
    groups: [{ name: 'partners' }, { name: 'consumers' }],
    plans: [
      {
        name: 'free',
        displayName: 'Free',
        description: 'To look around and to build.',
        quota: { requests: 1000, per: 'day' },
        rate: { requests: 10, window: '1s' },
      },
      {
        name: 'gold',
        displayName: 'Gold',
        description: 'For what runs every day.',
        quota: { requests: 1_000_000, per: 'month' },
        stopOnQuotaReach: false,
        approval: true,
      },
    ],
    apis: [
      {
        ...spec,
        description:
          'Take orders from your shop, and see **what became of them**.\n\n- Orders arrive at once\n- Each one can be followed',
        tags: ['shop', 'rest'],
        policies: POLICIES,
        plans: ['free', 'gold'],
        portal: {
          visibility: 'public',
          categories: ['Sales'],
          summary: 'Take orders, and see what became of them.',
          contact: 'orders@example.com',
          changes: [
            { date: '2026-11-02', text: 'Orders can be **cancelled**.' },
            { date: '2026-09-14', text: 'The first version.' },
          ],
        },
      },
      plain(
        'Stock',
        { tags: ['warehouse'] },
        {
          visibility: 'public',
          categories: ['Logistics'],
          summary: 'How much is left of what, in which warehouse.',
        },
      ),
      plain(
        'Invoices',
        { tags: ['shop'] },
        { visibility: 'signedIn', categories: ['Finance'], summary: 'Invoices as documents and as data.' },
      ),
      plain(
        'Salaries',
        {},
        {
          visibility: 'restricted',
          groups: ['partners'],
          categories: ['Finance'],
          summary: 'Who earns what.',
        },
      ),
    ],
    portals: [
      {
        title: 'Harbour APIs',
        gatewayUrl: gateway.listener,
        colors: { primary: '#0b7a75' },
        texts: {
          headline: 'Build on the harbour of commerce',
          welcome:
            'Orders, stock and invoices behind one door: **find** an API, get a key, and make your first call in minutes.',
          footer: 'Harbour Ltd. · [Terms of use](/portal/pages/terms)',
        },
        pages: [
          {
            slug: 'terms',
            title: 'Terms',
            markdown:
              '## Be kind\n\nCall **gently**, and [tell us](mailto:api@example.com) what is missing.\n\n<img src=x onerror=alert(1)>\n\n[bad](javascript:alert(1)) ![away](https://elsewhere.example/x.png)\n\n| plan | requests |\n|---|---|\n| Free | 1000 |',
          },
        ],
        signUp,
        signUpGroups: ['consumers'],
      },
    ],
    apiDocuments: [
      {
        name: 'orders guide',
        api: 'Orders',
        title: 'Getting started',
        summary: 'From nothing to an order.',
        markdown: '# First steps\n\n1. Take a key\n2. Send an order\n\n```\ncurl …\n```',
      },
      { name: 'orders site', api: 'Orders', title: 'Status page', url: 'https://status.example.com/orders' },
      {
        name: 'orders list',
        api: 'Orders',
        title: 'Articles',
        file: { name: 'articles.csv', mediaType: 'text/csv', data: 'YSxiCg==' },
      },
    ],
  });
}

/** Somebody who is there already. */
export async function addConsumer(gateway: Gateway, name: string, temporary = false): Promise<void> {
  await gateway.ask('POST', '/users', { name, portalOnly: true, groups: ['consumers'] });
  await gateway.ask('PUT', `/users/${name}/password`, { password: PASSWORD, temporary });
}
