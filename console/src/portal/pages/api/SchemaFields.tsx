/** What a schema describes, field by field, opened as deep as somebody wants to read. */
import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { isObject, text } from '../../../pages/apis/spec';
import { typeOf } from '../../definition/example';
import { type Json, nameOf, type Parameter, resolve } from '../../definition/read';
import { usePortalTexts } from '../../i18n';
import classes from './Reference.module.css';

interface Field {
  name: string;
  required: boolean;
  description?: string | undefined;
  schema: Json;
}

/** Schemas may be circles: each level is drawn when it is asked for. */
const OPEN = 1;

export function Fields({ document, fields }: { document: Json; fields: (Field | Parameter)[] }) {
  return (
    <ul className={classes.fields}>
      {fields.map((field) => (
        <FieldRow key={field.name} document={document} field={field} depth={0} />
      ))}
    </ul>
  );
}

export function SchemaFields({
  document,
  schema,
  depth = 0,
}: {
  document: Json;
  schema: Json;
  depth?: number;
}) {
  const fields = fieldsOf(document, schema);
  if (fields.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {typeName(document, schema)}
      </Text>
    );
  }
  return (
    <ul className={classes.fields}>
      {fields.map((field) => (
        <FieldRow key={field.name} document={document} field={field} depth={depth} />
      ))}
    </ul>
  );
}

function FieldRow({ document, field, depth }: { document: Json; field: Field; depth: number }) {
  const { p } = usePortalTexts();
  const schema = resolve(document, field.schema);
  const inner = fieldsOf(document, schema);
  const [opened, setOpened] = useState(depth < OPEN && inner.length <= 6);
  const choices = Array.isArray(schema.enum) ? schema.enum.map(String) : [];
  const about = field.description ?? text(schema.description);
  return (
    <li>
      <span className={classes.name}>{field.name}</span>{' '}
      <Text span size="sm" c="dimmed">
        {typeName(document, field.schema)}
      </Text>
      {field.required && (
        <Text span size="sm" className="gw-warn" ml={6}>
          {p('reference.required')}
        </Text>
      )}
      {about !== undefined && <Text size="sm">{about}</Text>}
      {choices.length > 0 && (
        <Text size="sm" c="dimmed">
          {p('reference.oneOf', { choices: choices.join(', ') })}
        </Text>
      )}
      {schema.default !== undefined && (
        <Text size="sm" c="dimmed">
          {p('reference.default', { value: JSON.stringify(schema.default) })}
        </Text>
      )}
      {inner.length > 0 && (
        <>
          <Button
            size="compact-xs"
            variant="subtle"
            display="block"
            mt={4}
            ml={-7}
            aria-expanded={opened}
            onClick={() => setOpened(!opened)}
          >
            {p(opened ? 'reference.close' : 'reference.open', { name: field.name })}
          </Button>
          {opened && <SchemaFields document={document} schema={schema} depth={depth + 1} />}
        </>
      )}
    </li>
  );
}

/** Fields of an object, of all of its parts, or of what a list has. */
function fieldsOf(document: Json, unresolved: Json, depth = 0): Field[] {
  const schema = resolve(document, unresolved);
  if (depth > 8) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  const own = isObject(schema.properties)
    ? Object.entries(schema.properties)
        .filter((entry): entry is [string, Json] => isObject(entry[1]))
        .map(([name, property]) => ({ name, required: required.includes(name), schema: property }))
    : [];
  const parts = Array.isArray(schema.allOf) ? schema.allOf.filter(isObject) : [];
  const found = [...parts.flatMap((part) => fieldsOf(document, part, depth + 1)), ...own];
  if (found.length > 0) return [...new Map(found.map((field) => [field.name, field])).values()];
  return isObject(schema.items) ? fieldsOf(document, schema.items, depth + 1) : [];
}

function typeName(document: Json, unresolved: Json): string {
  const schema = resolve(document, unresolved);
  const type = typeOf(schema);
  if (type === 'array' && isObject(schema.items)) return `${typeName(document, schema.items)}[]`;
  const format = text(schema.format);
  return nameOf(unresolved) ?? (format === undefined ? type : `${type} · ${format}`);
}
