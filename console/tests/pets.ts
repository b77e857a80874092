/** A small API to import. */
export const PETS = `
openapi: 3.1.0
info: { title: Pets, version: "1.0", description: Pets of the neighbourhood. }
paths:
  /pets:
    get:
      operationId: listPets
      summary: All pets.
      responses: { "200": { description: The pets. } }
    post:
      operationId: addPet
      summary: Adds a pet.
      requestBody:
        content:
          application/json:
            schema: { type: object, properties: { name: { type: string, example: Rex } } }
      responses: { "201": { description: The pet. } }
  /pets/{id}:
    get:
      operationId: getPet
      summary: One pet.
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: The pet. } }
`;

/** Another one, to be fetched. */
export const BIRDS = `
openapi: 3.0.3
info: { title: Birds, version: "1.0" }
paths:
  /birds:
    get:
      operationId: listBirds
      responses: { "200": { description: The birds. } }
`;
