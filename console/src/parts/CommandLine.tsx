/** A command that can be copied as it stands. */
import { ActionIcon, CopyButton, Group, ScrollArea, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useTexts } from '../i18n';

export function CommandLine({ text, label }: { text: string; label: string }) {
  const { t } = useTexts();
  return (
    <Group wrap="nowrap" className="gw-panel" gap={0} align="center" bg="var(--gw-canvas)">
      <ScrollArea
        flex={1}
        miw={0}
        type="auto"
        viewportProps={{ tabIndex: 0, 'aria-label': label, role: 'region' }}
      >
        <pre className="gw-mono" style={{ margin: 0, padding: '12px 16px' }}>
          {text}
        </pre>
      </ScrollArea>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Tooltip label={t(copied ? 'copied' : 'copy')}>
            <ActionIcon
              variant="subtle"
              color={copied ? 'teal' : 'gray'}
              size="lg"
              mx={6}
              onClick={copy}
              aria-label={t('copy')}
            >
              {copied ? <IconCheck size={18} /> : <IconCopy size={18} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
