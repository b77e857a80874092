// Shows the OpenAPI document of this admin API. Everything goes into the page as text.
"use strict";

let whole = {};

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const code = (text) => make("code", {}, text);

function resolve(schema) {
  const reference = schema && schema["$ref"];
  if (typeof reference !== "string" || !reference.startsWith("#/")) return [null, schema ?? {}];
  const found = reference.slice(2).split("/").reduce((value, key) => value?.[key], whole);
  return [reference.split("/").pop(), found ?? {}];
}

function kindOf(schema) {
  const [name, found] = resolve(schema);
  if (name) return name;
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = found.oneOf ?? found.anyOf;
  if (choices) return choices.map(kindOf).join(" | ");
  if (found.type === "array") return `list of ${kindOf(found.items ?? {})}`;
  return [found.type ?? "anything"].flat().join(" | ");
}

// What has parts is opened when somebody wants to see them: schemas may refer to themselves.
function opened(title, content) {
  const details = make("details", {}, make("summary", {}, ...title));
  details.addEventListener("toggle", () => details.childElementCount === 1 && details.append(content()), { once: true });
  return details;
}

function parts(schema) {
  const [, found] = resolve(schema);
  const rows = [];
  for (const [name, property] of Object.entries(found.properties ?? {})) rows.push([name, property, found.required?.includes(name)]);
  for (const choice of found.oneOf ?? found.anyOf ?? found.allOf ?? []) {
    if (resolve(choice)[1].type !== "null") rows.push([null, choice, false]);
  }
  if (found.type === "array" && found.items) rows.push(["[ ]", found.items, false]);
  if (found.additionalProperties && typeof found.additionalProperties === "object") rows.push(["any key", found.additionalProperties, false]);
  return rows;
}

function show(name, schema, needed) {
  const [, found] = resolve(schema);
  const about = schema.description ?? found.description ?? "";
  const title = [name === null ? "" : code(name), " ", make("em", {}, kindOf(schema)), needed ? make("span", { className: "needed" }, " required") : "", about ? ` — ${about}` : ""];
  const inside = parts(schema);
  if (inside.length === 0) return make("div", {}, ...title);
  return opened(title, () => make("div", {}, ...inside.map((part) => show(...part))));
}

function bodies(title, content) {
  return Object.entries(content ?? {}).map(([media, { schema }]) =>
    make("div", {}, make("h4", {}, `${title} `, code(media)), show(null, schema ?? {}, false)));
}

function parameters(list) {
  if (!list?.length) return "";
  const head = make("tr", {}, ...["Name", "In", "Type", "About"].map((text) => make("th", { scope: "col" }, text)));
  const rows = list.map((parameter) =>
    make("tr", {},
      make("td", {}, code(parameter.name), parameter.required ? make("span", { className: "needed" }, " required") : ""),
      make("td", {}, parameter.in),
      make("td", {}, kindOf(parameter.schema ?? {})),
      make("td", {}, parameter.description ?? "")));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

function operation(path, method, about) {
  const title = [make("span", { className: "method" }, method), code(path), ` ${about.summary ?? ""}`];
  const details = opened(title, () =>
    make("div", { className: "body" },
      make("p", {}, about.description ?? "", about.security?.length === 0 ? " Open to everybody." : ""),
      make("p", {}, "Operation ", code(about.operationId)),
      parameters(about.parameters),
      ...bodies("Takes", about.requestBody?.content),
      ...Object.entries(about.responses ?? {}).flatMap(([status, answer]) => bodies(`Answers ${status}`, resolve(answer)[1].content))));
  details.dataset.text = `${method} ${path} ${about.summary} ${about.operationId}`.toLowerCase();
  return details;
}

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let any = false;
    for (const details of section.children) {
      if (details.dataset.text === undefined) continue;
      details.hidden = !words.every((word) => details.dataset.text.includes(word));
      any ||= !details.hidden;
    }
    section.hidden = !any;
  }
}

async function begin() {
  const main = document.getElementById("operations");
  try {
    whole = await (await fetch("/api/v1/openapi.json")).json();
  } catch (error) {
    main.replaceChildren(make("p", {}, `The OpenAPI document could not be read: ${error}`));
    return;
  }
  document.getElementById("about").textContent = whole.info.description;
  const tags = new Map();
  for (const [path, methods] of Object.entries(whole.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const tag = about.tags?.[0] ?? "";
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push(operation(`/api/v1${path}`, method, about));
    }
  }
  const sections = [...tags].sort(([a], [b]) => a.localeCompare(b)).map(([tag, all]) => make("section", {}, make("h2", {}, tag), ...all));
  main.replaceChildren(...sections);
  const input = document.getElementById("find");
  input.addEventListener("input", () => find(input.value));
}

begin();
