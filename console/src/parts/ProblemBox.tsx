/** What went wrong, in the server's words, with the places that it names. */
import { Alert, Button, Code, List, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { asProblem, DISCONNECTED } from '../api/problem';
import { useTexts } from '../i18n';

interface Props {
  error: unknown;
  title?: string;
  retry?: () => void;
}

export function ProblemBox({ error, title, retry }: Props) {
  const { t } = useTexts();
  const problem = asProblem(error);
  const heading = title ?? (problem.code === 'forbidden' ? t('forbidden') : t('problem'));
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle size={18} />} title={heading} role="alert">
      <Text size="sm">{problem.code === DISCONNECTED ? t('disconnected') : problem.message}</Text>
      {problem.errors.length > 0 && (
        <List size="sm" mt="xs" spacing={4}>
          {problem.errors.map((found) => (
            <List.Item key={`${found.path} ${found.message}`}>
              {found.path !== '' && <Code>{found.path}</Code>} {found.message}
              {found.help && <Text size="sm">{found.help}</Text>}
            </List.Item>
          ))}
        </List>
      )}
      {retry !== undefined && (
        <Button size="xs" variant="default" mt="sm" onClick={retry}>
          {t('retry')}
        </Button>
      )}
    </Alert>
  );
}
