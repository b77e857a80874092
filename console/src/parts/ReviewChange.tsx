/**
 * The last look before a change is made: what changes, what the server thinks of it, why. The change is tried first,
 * and made only from the revision that it began with; when somebody else was faster, both versions are shown.
 */
import { Alert, Button, Group, Loader, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconCircleCheck, IconGitMerge } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  type Asset,
  assetQuery,
  createAsset,
  type How,
  historyQuery,
  replaceAsset,
  type Spec,
} from '../api/assets';
import { isStale } from '../api/problem';
import { useTexts } from '../i18n';
import { CommandLine } from './CommandLine';
import { Diff } from './code';
import { ProblemBox } from './ProblemBox';
import { quoted } from './shell';
import { useToast } from './Toasts';
import { Warnings } from './Warnings';
import { toYaml } from './yaml';

interface Props {
  list: string;
  /** What the change began with; `null` makes a new one. */
  base: Asset | null;
  spec: Spec;
  onClose: () => void;
  onSaved: (asset: Asset) => void;
  /** Somebody else's version is taken, and one's own dropped. */
  onTakeTheirs?: (theirs: Asset) => void;
}

export function ReviewChange({ list, base: began, spec, onClose, onSaved, onTakeTheirs }: Props) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [base, setBase] = useState(began);
  const [reason, setReason] = useState('');
  const run = (how: How) =>
    base === null ? createAsset(list, spec, how) : replaceAsset(list, base.name, base.revision, spec, how);
  const tried = useQuery({
    queryKey: ['try', list, base?.name, base?.revision, JSON.stringify(spec)],
    queryFn: () => run({ dryRun: true }),
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const save = useMutation({
    mutationFn: () => run({ reason }),
    onSuccess: async (asset) => {
      toast(t('saved', { name: asset.name, revision: asset.revision }));
      onSaved(asset);
      await queries.invalidateQueries({ queryKey: ['assets'] });
    },
  });
  const stale = isStale(tried.error) || isStale(save.error);
  const before = base === null ? '' : toYaml(base.spec);
  const after = toYaml(tried.data?.spec ?? spec);
  const rebase = (theirs: Asset) => {
    save.reset();
    setBase(theirs);
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('review.title')}
      size="xl"
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        {stale && base !== null ? (
          <Conflict list={list} base={base} spec={spec} onRebase={rebase} onTakeTheirs={onTakeTheirs} />
        ) : (
          <>
            {tried.isPending && (
              <Group gap="xs" role="status">
                <Loader size="xs" />
                <Text size="sm">{t('review.trying')}</Text>
              </Group>
            )}
            {tried.isError && <ProblemBox error={tried.error} title={t('review.refused')} />}
            {tried.isSuccess && (
              <Alert color="teal" variant="light" icon={<IconCircleCheck size={18} />} role="status">
                {t('review.valid')}
              </Alert>
            )}
            <Warnings warnings={tried.data?.warnings ?? []} />
            <Diff before={before} after={after} />
            <TextInput
              label={t('review.reason')}
              description={t('review.reasonHelp')}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
              maxLength={500}
            />
            <CommandLine
              label={t('review.cli')}
              text={`gatewright apply -f ${list}.yaml${reason === '' ? '' : ` --reason ${quoted(reason)}`}`}
            />
            {save.isError && <ProblemBox error={save.error} title={t('review.refused')} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t('back')}
              </Button>
              <Button onClick={() => save.mutate()} loading={save.isPending} disabled={!tried.isSuccess}>
                {t('save')}
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  );
}

interface ConflictProps {
  list: string;
  base: Asset;
  spec: Spec;
  onRebase: (theirs: Asset) => void;
  onTakeTheirs?: ((theirs: Asset) => void) | undefined;
}

function Conflict({ list, base, spec, onRebase, onTakeTheirs }: ConflictProps) {
  const { t, ago } = useTexts();
  const now = useQuery({ ...assetQuery(list, base.id), staleTime: 0 });
  const history = useQuery({ ...historyQuery(list, base.id), staleTime: 0 });
  const latest = history.data?.[0];
  const theirs = now.data;
  if (now.isError) return <ProblemBox error={now.error} title={t('conflict.gone')} />;
  return (
    <>
      <Alert
        color="orange"
        variant="light"
        icon={<IconGitMerge size={18} />}
        title={t('conflict.title')}
        role="alert"
      >
        {latest === undefined
          ? t('conflict.text')
          : t('conflict.who', { user: latest.author, when: ago(latest.at), revision: latest.revision })}
      </Alert>
      {theirs !== undefined && (
        <>
          <Text fw={600}>{t('conflict.theirs')}</Text>
          <Diff before={toYaml(base.spec)} after={toYaml(theirs.spec)} />
          <Text fw={600}>{t('conflict.mine')}</Text>
          <Diff before={toYaml(theirs.spec)} after={toYaml(spec)} />
          <Group justify="flex-end">
            {onTakeTheirs !== undefined && (
              <Button variant="default" onClick={() => onTakeTheirs(theirs)}>
                {t('conflict.takeTheirs')}
              </Button>
            )}
            <Button onClick={() => onRebase(theirs)}>{t('conflict.rebase')}</Button>
          </Group>
        </>
      )}
    </>
  );
}
