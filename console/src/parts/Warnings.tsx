import { Alert, Code, List } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { Diagnostic } from '../api/problem';
import { useTexts } from '../i18n';

/** What is used, and yet may not be what was meant. */
export function Warnings({ warnings }: { warnings: Diagnostic[] }) {
  const { count } = useTexts();
  if (warnings.length === 0) return null;
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={<IconAlertTriangle size={18} />}
      title={count('warnings', warnings.length)}
    >
      <List size="sm" spacing={4}>
        {warnings.map(({ file, path, message, help }) => (
          <List.Item key={`${file} ${path} ${message}`}>
            {path !== '' && <Code>{path}</Code>} {message}
            {help ? ` – ${help}` : ''}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
