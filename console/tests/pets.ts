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
      responses: { "201": { description: The pet. } }
  /pets/{id}:
    get:
      operationId: getPet
      summary: One pet.
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: The pet. } }
`;
