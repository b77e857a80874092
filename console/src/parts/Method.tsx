import { Badge } from '@mantine/core';

const COLOURS: Record<string, string> = {
  GET: 'blue',
  POST: 'green',
  PUT: 'orange',
  PATCH: 'yellow',
  DELETE: 'red',
};

export function Method({ method }: { method: string }) {
  return (
    <Badge variant="outline" color={COLOURS[method] ?? 'gray'} radius="sm" w={76} style={{ flexShrink: 0 }}>
      {method}
    </Badge>
  );
}
