/** JSON Schemas as this gateway writes them, taken apart for forms. */
import type { Spec } from '../api/assets';
import { isObject } from '../pages/apis/spec';

export type Schema = Spec;

/** A schema, with the definitions that it may refer to. */
export interface Field {
  schema: Schema;
  definitions: Spec;
  nullable: boolean;
  description: string | undefined;
}

export function rootField(schema: Schema): Field {
  return field(schema, isObject(schema.$defs) ? schema.$defs : {});
}

/** Follows references, and takes `null` out of what else it may be. */
export function field(schema: unknown, definitions: Spec): Field {
  let current: Schema = isObject(schema) ? schema : {};
  let nullable = false;
  let description = textOf(current.description);
  for (let depth = 0; depth < 16; depth += 1) {
    const target =
      typeof current.$ref === 'string' ? definitions[current.$ref.replace('#/$defs/', '')] : undefined;
    const choices: unknown[] = Array.isArray(current.anyOf) ? current.anyOf : [];
    const others = choices.filter((choice) => !(isObject(choice) && choice.type === 'null'));
    if (isObject(target)) current = target;
    else if (others.length === 1 && choices.length === 2) {
      nullable = true;
      current = isObject(others[0]) ? others[0] : {};
    } else break;
    description ??= textOf(current.description);
  }
  if (Array.isArray(current.type)) {
    const types: unknown[] = current.type.filter((type) => type !== 'null');
    nullable ||= types.length < current.type.length;
    current = { ...current, type: types.length === 1 ? types[0] : types };
  }
  return { schema: current, definitions, nullable, description };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export interface Property extends Field {
  name: string;
  required: boolean;
  fallback: unknown;
}

export function propertiesOf({ schema, definitions }: Field): Property[] {
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const properties = isObject(schema.properties) ? schema.properties : {};
  return Object.entries(properties).map(([name, inner]) => ({
    ...field(inner, definitions),
    name,
    required: required.includes(name),
    fallback: isObject(inner) ? inner.default : undefined,
  }));
}

/** What is left of an object when some of it is asked for elsewhere. */
export function without(of: Field, names: readonly string[]): Field {
  const properties = Object.entries(isObject(of.schema.properties) ? of.schema.properties : {});
  const rest = Object.fromEntries(properties.filter(([name]) => !names.includes(name)));
  return { ...of, schema: { ...of.schema, properties: rest } };
}

/** Texts that a value may be, when it is one of some. */
export function choicesOf({
  schema,
}: Field): { value: string; description: string | undefined }[] | undefined {
  const texts = (values: unknown) =>
    Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === 'string')
      ? (values as string[])
      : undefined;
  const plain = texts(schema.enum);
  if (plain !== undefined) return plain.map((value) => ({ value, description: undefined }));
  if (!Array.isArray(schema.oneOf)) return undefined;
  const found: { value: string; description: string | undefined }[] = [];
  for (const option of schema.oneOf as unknown[]) {
    if (!isObject(option)) return undefined;
    const description = textOf(option.description);
    if (typeof option.const === 'string') found.push({ value: option.const, description });
    else {
      const several = texts(option.enum);
      if (several === undefined) return undefined;
      found.push(...several.map((value) => ({ value, description })));
    }
  }
  return found;
}

/** An object that is one of several, told apart by a key that each has another text for. */
export interface Variants {
  key: string;
  options: { value: string; field: Field }[];
}

export function variantsOf({ schema, definitions }: Field): Variants | undefined {
  if (!Array.isArray(schema.oneOf)) return undefined;
  const options = (schema.oneOf as unknown[]).map((option) => field(option, definitions));
  const first = options[0];
  if (first === undefined) return undefined;
  const constOf = (option: Field, key: string) => {
    const properties = isObject(option.schema.properties) ? option.schema.properties : {};
    const property = properties[key];
    return isObject(property) && typeof property.const === 'string' ? property.const : undefined;
  };
  for (const { name } of propertiesOf(first)) {
    const values = options.map((option) => constOf(option, name));
    if (values.every((value) => value !== undefined)) {
      return {
        key: name,
        options: options.map((option, index) => ({ value: values[index] ?? '', field: option })),
      };
    }
  }
  return undefined;
}

export type Shape =
  'text' | 'choice' | 'boolean' | 'number' | 'texts' | 'list' | 'object' | 'variants' | 'map' | 'yaml';

/** How a value is asked for. What no form fits is written as YAML. */
export function shapeOf(of: Field): Shape {
  const { schema, definitions } = of;
  if (choicesOf(of) !== undefined) return 'choice';
  if (variantsOf(of) !== undefined) return 'variants';
  if (schema.oneOf !== undefined || schema.anyOf !== undefined) return 'yaml';
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      const inner = shapeOf(field(schema.items, definitions));
      if (inner === 'text' || inner === 'choice') return 'texts';
      return inner === 'object' || inner === 'variants' ? 'list' : 'yaml';
    }
    case 'object': {
      if (isObject(schema.properties)) return 'object';
      const values = isObject(schema.additionalProperties)
        ? field(schema.additionalProperties, definitions)
        : undefined;
      return values !== undefined && shapeOf(values) === 'text' ? 'map' : 'yaml';
    }
    default:
      return 'yaml';
  }
}

/** A policy: its configuration is described by its type, not by the schema that it is in. */
export function isPolicy({ schema }: Field): boolean {
  const properties = isObject(schema.properties) ? schema.properties : {};
  return 'config' in properties && 'type' in properties && 'disabled' in properties;
}

/** What a value begins with when it is added. */
export function beginning(of: Field): unknown {
  switch (shapeOf(of)) {
    case 'boolean':
      return true;
    case 'texts':
    case 'list':
      return [];
    case 'object':
    case 'map':
      return {};
    case 'choice':
      return choicesOf(of)?.[0]?.value ?? '';
    case 'variants': {
      const variants = variantsOf(of);
      const first = variants?.options[0];
      return variants === undefined || first === undefined ? {} : { [variants.key]: first.value };
    }
    default:
      return undefined;
  }
}

/** The same object with a key set, or without it. */
export function withKey(value: Spec, key: string, to: unknown): Spec {
  if (to === undefined) {
    const { [key]: _, ...rest } = value;
    return rest;
  }
  return { ...value, [key]: to };
}
