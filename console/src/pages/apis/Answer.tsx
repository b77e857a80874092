/** What came back from a call that was tried, and the way to why. */
import { Anchor, Box, Code, Group, Tabs, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { TrialAnswer } from '../../api/trial';
import { useTexts } from '../../i18n';
import { StatusCode } from '../requests/RequestRow';
import { useMaySeeRequests } from '../requests/rights';
import classes from './CallIt.module.css';

export function Answer({ of }: { of: TrialAnswer }) {
  const { t, number } = useTexts();
  const maySee = useMaySeeRequests();
  return (
    <Box className={classes.answer ?? ''} component="section" aria-label={t('try.answer')}>
      <Group justify="space-between" mb="xs">
        <Group gap="sm" role="status">
          <StatusCode status={of.status} />
          <Text size="sm" c="dimmed">
            {t('try.took', { millis: number(of.millis), listener: of.listener })}
          </Text>
        </Group>
        {of.requestId !== null && maySee && (
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/requests/$id" params={{ id: of.requestId ?? '' }} {...props} />}
          >
            {t('try.explain')}
          </Anchor>
        )}
      </Group>
      <Tabs defaultValue="body">
        <Tabs.List mb="xs">
          <Tabs.Tab value="body">{t('try.body')}</Tabs.Tab>
          <Tabs.Tab value="headers">
            {t('ask.headers')} ({of.headers.length})
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="body">
          {of.body === '' ? (
            <Text size="sm" c="dimmed">
              {t('try.noBody')}
            </Text>
          ) : (
            <>
              {of.base64 && (
                <Text size="sm" c="dimmed" mb={4}>
                  {t('try.base64')}
                </Text>
              )}
              <Code block tabIndex={0} mah={360} style={{ overflow: 'auto', whiteSpace: 'pre-wrap' }}>
                {readable(of)}
              </Code>
              {of.truncated && (
                <Text size="sm" c="dimmed" mt={4}>
                  {t('try.truncated')}
                </Text>
              )}
            </>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="headers">
          <Code block tabIndex={0} style={{ whiteSpace: 'pre-wrap' }}>
            {of.headers.map(([name, value]) => `${name}: ${value}`).join('\n')}
          </Code>
        </Tabs.Panel>
      </Tabs>
    </Box>
  );
}

/** JSON with indentation, anything else as it came. */
function readable({ body, base64, truncated }: TrialAnswer): string {
  if (base64 || truncated || !/^\s*[[{]/.test(body)) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
