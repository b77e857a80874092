/** The versions of an asset: what each changed, and a way back. */
import { Badge, Box, Button, Group, Skeleton, Text, TextInput, Timeline } from '@mantine/core';
import { IconHistory, IconPencil } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Asset, historyQuery, restoreAsset, type Version } from '../api/assets';
import { useTexts } from '../i18n';
import { Diff } from './code';
import { Dialog, DialogEnd } from './Dialog';
import { useMayChange } from './kinds';
import { ProblemBox } from './ProblemBox';
import { useToast } from './Toasts';
import { Warnings } from './Warnings';
import { toYaml } from './yaml';

export function History({ list, asset }: { list: string; asset: Asset }) {
  const { t, ago, time } = useTexts();
  const may = useMayChange(list);
  const history = useQuery(historyQuery(list, asset.id));
  const [opened, setOpened] = useState<number | null>(null);
  const [back, setBack] = useState<Version | null>(null);
  if (history.isPending) return <Skeleton height={240} />;
  if (history.isError) return <ProblemBox error={history.error} retry={() => history.refetch()} />;
  const versions = history.data;
  return (
    <Box className="gw-panel" p="lg">
      <Timeline bulletSize={26} lineWidth={2} active={versions.length}>
        {versions.map((version, index) => {
          const before = versions[index + 1];
          const isOpen = opened === version.revision;
          const isCurrent = version.revision === asset.revision;
          return (
            <Timeline.Item
              key={version.revision}
              bullet={<IconPencil size={14} />}
              title={
                <Group gap="xs">
                  <Text fw={600}>{t('history.revision', { revision: version.revision })}</Text>
                  {isCurrent && (
                    <Badge variant="light" tt="none">
                      {t('history.current')}
                    </Badge>
                  )}
                </Group>
              }
            >
              <Text size="sm" c="dimmed" title={time(version.at)}>
                {t('history.by', { user: version.author, when: ago(version.at) })}
              </Text>
              {version.reason && <Text size="sm">{version.reason}</Text>}
              <Group gap="xs" mt={6}>
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-expanded={isOpen}
                  onClick={() => setOpened(isOpen ? null : version.revision)}
                >
                  {t(isOpen ? 'history.hide' : 'history.show')}
                </Button>
                {may && !isCurrent && version.spec != null && (
                  <Button
                    size="compact-sm"
                    variant="light"
                    leftSection={<IconHistory size={14} />}
                    onClick={() => setBack(version)}
                  >
                    {t('history.restore')}
                  </Button>
                )}
              </Group>
              {isOpen && (
                <Box mt="sm">
                  <Diff before={toYaml(before?.spec)} after={toYaml(version.spec)} />
                </Box>
              )}
            </Timeline.Item>
          );
        })}
      </Timeline>
      {back !== null && <Restore list={list} asset={asset} version={back} onClose={() => setBack(null)} />}
    </Box>
  );
}

interface RestoreProps {
  list: string;
  asset: Asset;
  version: Version;
  onClose: () => void;
}

function Restore({ list, asset, version, onClose }: RestoreProps) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [reason, setReason] = useState('');
  const tried = useQuery({
    queryKey: ['try', 'restore', asset.id, version.revision, asset.revision],
    queryFn: () => restoreAsset(list, asset.id, version.revision, { dryRun: true }),
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const restore = useMutation({
    mutationFn: () => restoreAsset(list, asset.id, version.revision, { reason }),
    onSuccess: async () => {
      toast(t('history.restored', { revision: version.revision }));
      onClose();
      await queries.invalidateQueries({ queryKey: ['assets'] });
    },
  });
  return (
    <Dialog onClose={onClose} size="xl" title={t('history.restoreTitle', { revision: version.revision })}>
      <Text size="sm">{t('history.restoreText')}</Text>
      <Diff before={toYaml(asset.spec)} after={toYaml(version.spec)} />
      <Warnings warnings={tried.data?.warnings ?? []} />
      {tried.isError && <ProblemBox error={tried.error} title={t('review.refused')} />}
      <TextInput
        label={t('review.reason')}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        maxLength={500}
      />
      <DialogEnd
        action={t('history.restore')}
        running={restore}
        onAct={() => restore.mutate()}
        onClose={onClose}
        disabled={!tried.isSuccess}
      />
    </Dialog>
  );
}
