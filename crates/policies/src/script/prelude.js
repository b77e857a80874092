// What a script sees, made of what the gateway offers in `host`; then everything that is there is frozen, so that one
// request cannot leave anything for the next. The value of this file is a function that gets `host` and returns one
// that binds a script to its arguments.
(host) => {
  "use strict";

  const none = (value) => (value === undefined ? null : value);

  const headers = (response) => ({
    get: (name) => none(host.header(response, String(name))),
    all: (name) => host.headers(response, String(name)),
    has: (name) => host.header(response, String(name)) !== undefined,
    names: () => host.headerNames(response),
    set: (name, value) => host.write(response, "headers." + name, String(value)),
    append: (name, value) => host.append(response, "headers." + name, String(value)),
    remove: (name) => host.remove(response, "headers." + name),
  });

  const query = {
    get: (name) => none(host.query(String(name))[0]),
    all: (name) => host.query(String(name)),
    has: (name) => host.query(String(name)).length > 0,
    set: (name, value) => host.write(false, "query." + name, String(value)),
    append: (name, value) => host.append(false, "query." + name, String(value)),
    remove: (name) => host.remove(false, "query." + name),
  };

  const message = (response, head) => {
    const own = {
      headers: headers(response),
      text: () => none(host.text(response)),
      json: () => {
        const text = host.text(response);
        if (text === undefined) return null;
        try {
          return JSON.parse(text);
        } catch (error) {
          if (error instanceof SyntaxError) return null;
          throw error;
        }
      },
      setBody: (body) => {
        if (typeof body === "string") return host.setBody(response, body, false);
        if (body === null || body === undefined) return host.setBody(response, "", false);
        const json = JSON.stringify(body);
        if (json === undefined) throw new TypeError("setBody: expected a text, or what JSON can say");
        host.setBody(response, json, true);
      },
    };
    return Object.defineProperties(own, Object.getOwnPropertyDescriptors(head));
  };

  const request = message(false, {
    get method() { return host.method(); },
    set method(value) { host.write(false, "httpMethod", String(value)); },
    get path() { return host.path(); },
    set path(value) { host.write(false, "path", String(value)); },
    get query() { return query; },
  });

  const response = message(true, {
    get status() { return host.status(); },
    set status(value) { host.write(true, "statusCode", String(value)); },
  });

  const about = (what) => {
    const text = host.about(what);
    return text === undefined ? null : JSON.parse(text);
  };
  const context = {
    get application() { return about("application"); },
    get api() { return about("api"); },
    get operation() { return about("operation"); },
    get client() { return about("client"); },
    get requestId() { return host.requestId(); },
    get error() { return none(host.error()); },
  };

  const variables = {
    get: (name) => none(host.variable(String(name))),
    set: (name, value) => host.setVariable(String(name), String(value)),
    remove: (name) => host.removeVariable(String(name)),
  };

  const shown = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  const log = (...values) => host.log(values.map(shown).join(" "));

  // Thrown to end the script; what was decided is known to the gateway already.
  const decided = { decided: true };
  const reject = (status, ...rest) => {
    const [code, text] = rest.length > 1 ? rest : [undefined, rest[0]];
    host.reject(Number(status), code === undefined ? undefined : String(code), String(text ?? ""));
    throw decided;
  };
  const respond = (status, head, body) => {
    const lines = [];
    for (const [name, value] of Object.entries(head ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) lines.push([name, String(one)]);
    }
    const isText = typeof body === "string" || body === undefined || body === null;
    if (!isText && !lines.some(([name]) => name.toLowerCase() === "content-type")) {
      lines.push(["content-type", "application/json"]);
    }
    host.respond(Number(status), lines, isText ? body ?? "" : JSON.stringify(body) ?? "");
    throw decided;
  };

  // Time is the gateway's.
  const RealDate = Date;
  function GatewayDate(...parts) {
    if (new.target === undefined) return new RealDate(host.now()).toString();
    return Reflect.construct(RealDate, parts.length === 0 ? [host.now()] : parts, new.target);
  }
  Object.defineProperties(GatewayDate, {
    name: { value: "Date" },
    prototype: { value: RealDate.prototype },
    now: { value: () => host.now() },
    parse: { value: RealDate.parse },
    UTC: { value: RealDate.UTC },
  });
  RealDate.prototype.constructor = GatewayDate;
  globalThis.Date = GatewayDate;

  // No text becomes code.
  delete globalThis.eval;
  const functions = [function () {}, async function () {}, function* () {}, async function* () {}];
  const refused = function Function() {
    throw new TypeError("texts cannot be run as code here");
  };
  for (const made of functions) {
    Object.defineProperty(Object.getPrototypeOf(made), "constructor", { value: refused });
  }
  refused.prototype = Object.getPrototypeOf(functions[0]);
  globalThis.Function = refused;

  // The engine walks these without looking at the time, and a list may say that it is longer than it is.
  const MOST = 1 << 20;
  for (const name of [
    "concat", "copyWithin", "fill", "flat", "flatMap", "join", "reverse", "shift", "slice", "sort", "splice",
    "toLocaleString", "toReversed", "toSorted", "toSpliced", "unshift", "with",
  ]) {
    const original = Array.prototype[name];
    const guarded = {
      [name](...values) {
        if (this?.length > MOST) throw new RangeError(`${name}: a list of more than ${MOST} entries`);
        return Reflect.apply(original, this, values);
      },
    };
    Object.defineProperty(Array.prototype, name, { value: guarded[name], writable: true, configurable: true });
  }

  // What is inherited and frozen could otherwise not be given to an object of the script's own.
  const overridable = (prototype, names) => {
    for (const name of names) {
      const known = Object.getOwnPropertyDescriptor(prototype, name);
      if (known === undefined || !("value" in known)) continue;
      Object.defineProperty(prototype, name, {
        get() { return known.value; },
        set(value) {
          if (this === prototype) throw new TypeError(`${name} is read-only`);
          Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: false,
      });
    }
  };
  overridable(Object.prototype, ["constructor", "hasOwnProperty", "toLocaleString", "toString", "valueOf"]);
  for (const kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError]) {
    overridable(kind.prototype, ["constructor", "message", "name", "toString"]);
  }

  const bind = (script) => () => {
    script(request, host.onResponse ? response : null, context, variables, log, reject, respond);
  };

  const seen = new Set();
  const left = [
    globalThis, host, request, response, query, context, variables, log, reject, respond, decided, bind, ...functions,
    ...functions.map((made) => made.prototype), RealDate, [][Symbol.iterator](), ""[Symbol.iterator](),
    new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""["matchAll"](/a/g), [].values(), Iterator.from([]),
    Iterator.prototype.map.call([].values(), none), Iterator.from({ next: none }),
  ];
  while (left.length > 0) {
    const one = left.pop();
    if ((typeof one !== "object" && typeof one !== "function") || one === null || seen.has(one)) continue;
    seen.add(one);
    Object.freeze(one);
    left.push(Object.getPrototypeOf(one));
    for (const key of Reflect.ownKeys(one)) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(one, key);
      left.push(value, get, set);
    }
  }
  return bind;
}
