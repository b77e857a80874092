/** Documents as YAML: written, read, and where a path is in the text. */
import { isNode, parseDocument, stringify } from 'yaml';
import type { Spec } from '../api/assets';
import type { Diagnostic } from '../api/problem';
import type { Mark } from './CodeEditor';

export function toYaml(value: unknown): string {
  if (value === undefined || value === null) return '';
  return stringify(value, { lineWidth: 0 });
}

export type Read = { ok: true; value: Spec } | { ok: false; marks: Mark[] };

/** The document that a text is, or where it is none. */
export function fromYaml(text: string, expected: string): Read {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0) {
    const marks = document.errors.map(({ pos: [from, to], message }) => ({
      from,
      to,
      message,
      severity: 'error' as const,
    }));
    return { ok: false, marks };
  }
  // Nothing written yet is a document without anything in it.
  const value: unknown = document.toJS() ?? {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, marks: [{ from: 0, to: text.length, message: expected, severity: 'error' }] };
  }
  return { ok: true, value: value as Spec };
}

/** The keys of a path such as `policies[1].config.limit`. */
export function keysOf(path: string): (string | number)[] {
  return [...path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) =>
    index === undefined ? (key ?? '') : Number(index),
  );
}

/** Places of problems in the text; what is missing is shown at what it is missing from. */
export function marksOf(text: string, problems: Diagnostic[]): Mark[] {
  if (problems.length === 0) return [];
  const document = parseDocument(text, { prettyErrors: false });
  return problems.map(({ path, message, help, severity }) => {
    const keys = keysOf(path);
    for (let depth = keys.length; depth >= 0; depth -= 1) {
      const node = document.getIn(keys.slice(0, depth), true);
      if (isNode(node) && node.range != null) {
        const [from, end] = node.range;
        const to = depth === keys.length ? end : Math.max(from, text.indexOf('\n', from));
        return { from, to, message: !help ? message : `${message}\n${help}`, severity };
      }
    }
    return { from: 0, to: 0, message, severity };
  });
}
