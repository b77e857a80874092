/** What every field of a form may want to know: problems, and names to choose from. */
import { createContext, useContext } from 'react';
import type { Diagnostic } from '../api/problem';

export interface FormCx {
  problems: Diagnostic[];
  /** Lists whose names are suggested, by path without positions: `apis` of an application. */
  suggestions: Record<string, string>;
  readOnly: boolean;
}

export const FormContext = createContext<FormCx>({ problems: [], suggestions: {}, readOnly: false });

export function useForm(): FormCx {
  return useContext(FormContext);
}

/** What is wrong at a path, in words. */
export function useProblem(path: string): string | undefined {
  const found = useForm().problems.filter((problem) => problem.path === path);
  if (found.length === 0) return undefined;
  return found.map(({ message, help }) => (help ? `${message} – ${help}` : message)).join('\n');
}

/** Whether anything is wrong at a path or below it. */
export function useHasProblem(path: string): boolean {
  const below = [`${path}.`, `${path}[`];
  return useForm().problems.some(
    (problem) => problem.path === path || below.some((begin) => problem.path.startsWith(begin)),
  );
}
