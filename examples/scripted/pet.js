// The inside of a function: `return` ends it, `reject` and `respond` end the request.
const pet = request.json();
if (typeof pet?.name !== "string") reject(400, "name", "a pet needs a name");

request.headers.set("X-Pet-Name", pet.name.trim().toLowerCase());
log("new pet", pet.name);
