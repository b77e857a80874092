/**
 * Changes several assets, one after the other: what that means is said first, each is tried, then done, and its result
 * is told. Afterwards everything can be brought back as it was.
 */
import { Alert, Badge, Box, Button, Group, Modal, Progress, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { Asset } from '../api/assets';
import { asProblem } from '../api/problem';
import { type TextKey, useTexts } from '../i18n';
import { type Action, act, undo } from './bulk';

type Result = { is: 'waiting' | 'fine' | 'nothing' | 'done' | 'undone' } | { is: 'failed'; why: string };
type Phase = 'asking' | 'checking' | 'ready' | 'running' | 'done' | 'undoing' | 'undone';

interface Props {
  list: string;
  action: Action;
  assets: Asset[];
  /** Says whether anything was done. */
  onClose: (done: boolean) => void;
}

const TITLES: Record<Action, TextKey> = {
  activate: 'api.activate',
  deactivate: 'api.deactivate',
  addTag: 'bulk.addTag',
  removeTag: 'bulk.removeTag',
  delete: 'delete',
};

const MEANS: Record<Action, TextKey> = {
  activate: 'bulk.means.activate',
  deactivate: 'bulk.means.deactivate',
  addTag: 'bulk.means.tag',
  removeTag: 'bulk.means.tag',
  delete: 'bulk.means.delete',
};

export default function BulkDialog({ list, action, assets: given, onClose }: Props) {
  const { t, count, number } = useTexts();
  const queries = useQueryClient();
  // The list behind changes while this goes on.
  const [assets] = useState(given);
  const needsTag = action === 'addTag' || action === 'removeTag';
  const [tag, setTag] = useState('');
  const [typed, setTyped] = useState('');
  const [phase, setPhase] = useState<Phase>(needsTag ? 'asking' : 'checking');
  const [results, setResults] = useState<Record<string, Result>>({});
  const stopped = useRef(false);

  const tell = (id: string, result: Result) => setResults((before) => ({ ...before, [id]: result }));
  const each = async (chosen: Asset[], step: (asset: Asset) => Promise<Result>) => {
    for (const asset of chosen) {
      if (stopped.current) return;
      tell(asset.id, await step(asset).catch(failed));
    }
  };
  const check = async () => {
    setPhase('checking');
    await each(assets, async (asset) => ({
      is: (await act(list, action, asset, tag.trim(), { dryRun: true })) ? 'fine' : 'nothing',
    }));
    setPhase('ready');
  };
  const inState = (...states: Result['is'][]) =>
    assets.filter(({ id }) => states.includes(results[id]?.is ?? 'waiting'));
  const run = async () => {
    setPhase('running');
    await each(inState('fine'), async (asset) => {
      await act(list, action, asset, tag.trim(), { reason: t('bulk.reason') });
      return { is: 'done' };
    });
    setPhase('done');
    await queries.invalidateQueries({ queryKey: ['assets'] });
  };
  const bringBack = async () => {
    setPhase('undoing');
    await each(inState('done'), async (asset) => {
      await undo(list, asset);
      return { is: 'undone' };
    });
    setPhase('undone');
    await queries.invalidateQueries({ queryKey: ['assets'] });
  };

  const first = useRef(check);
  useEffect(() => {
    stopped.current = false;
    if (!needsTag) void first.current();
    return () => {
      stopped.current = true;
    };
  }, [needsTag]);

  const busy = phase === 'checking' || phase === 'running' || phase === 'undoing';
  const todo = inState('fine').length;
  const settled = assets.length - inState('waiting').length;
  const finished = inState('done', 'failed', 'nothing', 'undone').length;
  const confirmed = action !== 'delete' || typed.trim() === String(todo);
  const after = phase === 'done' || phase === 'undone';
  return (
    <Modal
      opened
      size="lg"
      onClose={() => onClose(after)}
      closeOnClickOutside={!busy}
      title={count('bulk.title', assets.length).replace('{action}', t(TITLES[action]))}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        <Alert color={action === 'delete' || action === 'deactivate' ? 'orange' : 'blue'} variant="light">
          {t(MEANS[action])}
        </Alert>
        {phase === 'asking' && (
          <Group
            align="flex-end"
            component="form"
            onSubmit={(event: { preventDefault: () => void }) => {
              event.preventDefault();
              void check();
            }}
          >
            <TextInput
              label={t('bulk.tag')}
              value={tag}
              onChange={(event) => setTag(event.currentTarget.value)}
              data-autofocus
              flex={1}
            />
            <Button type="submit" disabled={tag.trim() === ''}>
              {t('next')}
            </Button>
          </Group>
        )}
        {busy && (
          <Box role="status">
            <Text size="sm" mb={4}>
              {t(phase === 'checking' ? 'review.trying' : 'bulk.running')}
            </Text>
            <Progress
              value={(100 * (phase === 'checking' ? settled : finished)) / assets.length}
              aria-label={t('bulk.progress')}
            />
          </Box>
        )}
        {phase !== 'asking' && (
          <Box
            component="ul"
            className="gw-panel"
            m={0}
            p="sm"
            mah={300}
            tabIndex={0}
            aria-label={t('bulk.results')}
            style={{ overflowY: 'auto', listStyle: 'none' }}
          >
            {assets.map(({ id, name }) => (
              <Row key={id} name={name} result={results[id] ?? { is: 'waiting' }} />
            ))}
          </Box>
        )}
        {phase === 'ready' && action === 'delete' && todo > 0 && (
          <TextInput
            label={t('bulk.typeCount', { count: todo })}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
          />
        )}
        <Group justify="flex-end">
          {phase === 'done' && inState('done').length > 0 && (
            <Button variant="default" onClick={() => void bringBack()}>
              {t('bulk.undo')}
            </Button>
          )}
          <Button variant="default" onClick={() => onClose(after)}>
            {t(after ? 'close' : 'back')}
          </Button>
          {!after && phase !== 'asking' && (
            <Button
              color={action === 'delete' ? 'red' : undefined}
              onClick={() => void run()}
              loading={phase === 'running'}
              disabled={phase !== 'ready' || todo === 0 || !confirmed}
            >
              {t(TITLES[action])} ({number(todo)})
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function failed(error: unknown): Result {
  const { message, errors } = asProblem(error);
  const named = errors.map(({ file, path }) => [file, path].filter(Boolean).join(' ')).join(', ');
  return { is: 'failed', why: named === '' ? message : `${message} ${named}` };
}

const SAYS: Record<Result['is'], [TextKey, string]> = {
  waiting: ['bulk.waiting', 'gray'],
  fine: ['bulk.fine', 'blue'],
  nothing: ['bulk.nothing', 'gray'],
  done: ['bulk.done', 'green'],
  undone: ['bulk.undone', 'gray'],
  failed: ['bulk.failed', 'red'],
};

function Row({ name, result }: { name: string; result: Result }) {
  const { t } = useTexts();
  const [text, colour] = SAYS[result.is];
  return (
    <Box component="li" py={4}>
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <Text size="sm" truncate>
          {name}
        </Text>
        <Badge variant="dot" color={colour} tt="none" style={{ flexShrink: 0 }}>
          {t(text)}
        </Badge>
      </Group>
      {result.is === 'failed' && (
        <Text size="xs" className="gw-bad">
          {result.why}
        </Text>
      )}
    </Box>
  );
}
