/** What an API offers. */
import { Badge, Box, Group, Skeleton, Text } from '@mantine/core';
import { IconRouteOff } from '@tabler/icons-react';
import type { Asset } from '../../api/assets';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { Method } from '../../parts/Method';
import { ProblemBox } from '../../parts/ProblemBox';
import { useOperations } from './useOperations';

export function Operations({ api }: { api: Asset }) {
  const { t } = useTexts();
  const { operations, isPending, error } = useOperations(api);
  if (isPending) return <Skeleton height={240} />;
  if (error !== null) return <ProblemBox error={error} />;
  if (operations.length === 0) {
    return (
      <Box className="gw-panel">
        <Empty icon={IconRouteOff} title={t('operations.none.title')} text={t('operations.none.text')} />
      </Box>
    );
  }
  return (
    <Box className="gw-panel" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
      {operations.map(({ method, path, name, summary, deprecated }, index) => (
        <Box
          component="li"
          key={`${method} ${path}`}
          px="md"
          py="sm"
          style={index === 0 ? undefined : { borderTop: '1px solid var(--gw-line)' }}
        >
          <Group gap="md" wrap="nowrap" align="flex-start">
            <Method method={method} />
            <Box miw={0} flex={1}>
              <Group gap="xs">
                <Text className="gw-mono" fw={600}>
                  {path}
                </Text>
                {name !== undefined && (
                  <Text size="sm" c="dimmed">
                    {name}
                  </Text>
                )}
                {deprecated && (
                  <Badge color="gray" variant="light" tt="none">
                    {t('operations.deprecated')}
                  </Badge>
                )}
              </Group>
              {summary !== undefined && <Text size="sm">{summary}</Text>}
            </Box>
          </Group>
        </Box>
      ))}
    </Box>
  );
}
