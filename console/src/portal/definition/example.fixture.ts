/** A definition with what definitions have. */
export const DEFINITION = `
openapi: 3.0.3
info: { title: Pet shop, version: "2.0" }
paths:
  /pets:
    get:
      operationId: list pets
      parameters:
        - { name: limit, in: query, schema: { type: integer, default: 20 } }
        - { name: X-Trace, in: header, schema: { type: string } }
      responses:
        "200":
          description: Pets.
          content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Pet" } } } }
    post:
      operationId: addPet
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Pet" } } } }
      responses: { "201": { description: Added. } }
  /pets/{pet-id}:
    parameters: [{ name: pet-id, in: path, required: true, schema: { type: string } }]
    get:
      responses:
        "200": { description: Pet., content: { application/json: { schema: { $ref: "#/components/schemas/Pet" } } } }
    delete:
      responses: { "204": { description: Gone. } }
components:
  schemas:
    Pet:
      type: object
      description: "Somebody */ with paws"
      required: [name]
      properties:
        name: { type: string, description: What it is called., example: Rex }
        kind: { type: string, enum: [cat, dog] }
        friends: { type: array, items: { $ref: "#/components/schemas/Pet" } }
        "favourite-food": { type: string, nullable: true }
    Error: { type: object, properties: { code: { type: string } } }
`;
