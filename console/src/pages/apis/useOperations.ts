import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type Asset, definitionQuery } from '../../api/assets';
import { type Operation, operationsOf, writtenOperations } from './operations';
import { apiSpec } from './spec';

/** Operations of an API, wherever they are written. */
export function useOperations(api: Asset): {
  operations: Operation[];
  isPending: boolean;
  error: Error | null;
} {
  const spec = apiSpec(api);
  const definition = useQuery({ ...definitionQuery(api.name), enabled: spec.hasDefinition });
  const fromDefinition = useMemo(() => operationsOf(definition.data ?? ''), [definition.data]);
  const operations = [...fromDefinition, ...writtenOperations(spec)];
  return { operations, isPending: spec.hasDefinition && definition.isPending, error: definition.error };
}
