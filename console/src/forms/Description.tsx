import { Code, Text } from '@mantine/core';

/** The help of a field, with its code in `code`. */
export function Description({ text }: { text: string | undefined }) {
  if (!text) return null;
  return (
    <Text size="sm" c="dimmed" component="div">
      <Words text={text} />
    </Text>
  );
}

export function Words({ text }: { text: string }) {
  const parts = text.replaceAll('\n', ' ').split(/`([^`]+)`/);
  return <>{parts.map((part, index) => (index % 2 === 1 ? <Code key={index}>{part}</Code> : part))}</>;
}
