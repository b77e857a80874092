/** The definition of an API: rendered for reading, or the document itself. */
import { Box, Button, Group, SegmentedControl, Skeleton } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { definitionQuery } from '../../api/assets';
import { BASE } from '../../api/client';
import { useTexts } from '../../i18n';
import { Code } from '../../parts/code';
import { ProblemBox } from '../../parts/ProblemBox';

const Viewer = lazy(() => import('./DefinitionViewer'));

export function Definition({ name }: { name: string }) {
  const { t } = useTexts();
  const definition = useQuery(definitionQuery(name));
  const [shown, setShown] = useState('viewer');
  if (definition.isPending) return <Skeleton height={400} />;
  if (definition.isError) return <ProblemBox error={definition.error} retry={() => definition.refetch()} />;
  const document = definition.data;
  return (
    <>
      <Group mb="sm" justify="space-between">
        <SegmentedControl
          value={shown}
          onChange={setShown}
          aria-label={t('definition.how')}
          data={[
            { value: 'viewer', label: t('definition.viewer') },
            { value: 'source', label: t('definition.source') },
          ]}
        />
        <Button
          component="a"
          href={`${BASE}/apis/${encodeURIComponent(name)}/definition`}
          download
          variant="default"
          leftSection={<IconDownload size={16} />}
        >
          {t('definition.download')}
        </Button>
      </Group>
      {shown === 'viewer' ? (
        <Box className="gw-panel" style={{ overflow: 'hidden' }}>
          <Suspense fallback={<Skeleton height={400} />}>
            <Viewer document={document} />
          </Suspense>
        </Box>
      ) : (
        <Code
          value={document}
          label={t('tab.definition')}
          language={document.trimStart().startsWith('{') ? 'json' : 'yaml'}
        />
      )}
    </>
  );
}
