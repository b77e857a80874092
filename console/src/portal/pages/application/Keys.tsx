/** API keys of an application: told once, exchanged with an overlap, taken away. */
import { Alert, Badge, Box, Button, Group, Text, Title } from '@mantine/core';
import { IconAlertCircle, IconKey, IconPlus, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { CommandLine } from '../../../parts/CommandLine';
import { Confirm, Dialog, DialogEnd } from '../../../parts/Dialog';
import { useToast } from '../../../parts/Toasts';
import { type Application, createKey, deleteKey, type Key, type MadeKey } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { type Lasting, type Overlap, SelectLasting, SelectOverlap } from './Lasting';
import rows from './rows.module.css';

const LIVE = 2;

type Doing = { what: 'create' } | { what: 'rotate' | 'revoke'; key: Key };

export function Keys({ application }: { application: Application }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [doing, setDoing] = useState<Doing | null>(null);
  const { keys } = application;
  const live = keys.filter((key) => !key.expired).length;
  const create = (
    <Button
      leftSection={<IconPlus size={17} />}
      variant={keys.length === 0 ? 'filled' : 'default'}
      disabled={live >= LIVE}
      onClick={() => setDoing({ what: 'create' })}
    >
      {p('keys.create')}
    </Button>
  );
  return (
    <section>
      <Group justify="space-between" mb="md">
        <div>
          <Title order={2}>{p('keys.title')}</Title>
          <Text c="dimmed">{p(live >= LIVE ? 'keys.full' : 'keys.about')}</Text>
        </div>
        {keys.length > 0 && create}
      </Group>
      {keys.length === 0 && (
        <Box className={rows.list ?? ''} p="xl">
          <Group>
            <IconKey size={26} stroke={1.6} aria-hidden />
            <Box className={rows.grow ?? ''}>
              <Text fw={620}>{p('keys.none.title')}</Text>
              <Text c="dimmed">{p('keys.none.text')}</Text>
            </Box>
            {create}
          </Group>
        </Box>
      )}
      {keys.length > 0 && (
        <ul className={rows.list}>
          {keys.map((key, index) => (
            <KeyRow
              key={key.id ?? index}
              of={key}
              onRotate={() => setDoing({ what: 'rotate', key })}
              onRevoke={() => setDoing({ what: 'revoke', key })}
              mayRotate={live < LIVE}
            />
          ))}
        </ul>
      )}
      {doing?.what === 'create' && <NewKey application={application} onClose={() => setDoing(null)} />}
      {doing?.what === 'rotate' && (
        <NewKey application={application} replaces={doing.key} onClose={() => setDoing(null)} />
      )}
      {doing?.what === 'revoke' && (
        <Confirm
          title={p('keys.revokeOne', { key: short(doing.key) })}
          action={p('keys.revoke')}
          does={() => deleteKey(application.name, doing.key.id ?? '')}
          onDone={() => {
            toast(p('keys.revoked'));
            return queries.invalidateQueries({ queryKey: ['portal', 'applications'] });
          }}
          onClose={() => setDoing(null)}
        >
          <Text>{p('keys.revokeText')}</Text>
        </Confirm>
      )}
    </section>
  );
}

interface RowProps {
  of: Key;
  mayRotate: boolean;
  onRotate: () => void;
  onRevoke: () => void;
}

function short(key: Key): string {
  return key.id == null ? '…' : key.id.slice(0, 8);
}

function KeyRow({ of: key, mayRotate, onRotate, onRevoke }: RowProps) {
  const { p, ago, time } = usePortalTexts();
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          <Text fw={620} className="gw-mono">
            {short(key)}
          </Text>
          {key.expired ? (
            <Badge color="red" variant="light" tt="none">
              {p('keys.expired')}
            </Badge>
          ) : (
            key.expires != null && (
              <Badge color="yellow" variant="light" tt="none">
                {p('keys.expires', { at: time(key.expires) })}
              </Badge>
            )
          )}
        </Group>
        <Text size="sm" c="dimmed">
          {key.created != null && <>{p('keys.created', { when: ago(key.created) })} · </>}
          {key.lastUsed == null ? p('keys.unused') : p('keys.used', { when: ago(key.lastUsed) })}
        </Text>
      </Box>
      {key.id != null && (
        <Group gap="xs">
          {!key.expired && (
            <Button
              size="xs"
              variant="default"
              leftSection={<IconRefresh size={15} />}
              onClick={onRotate}
              disabled={!mayRotate}
              aria-label={p('keys.rotateOne', { key: short(key) })}
            >
              {p('keys.rotate')}
            </Button>
          )}
          <Button
            size="xs"
            variant="subtle"
            color="red"
            leftSection={<IconTrash size={15} />}
            onClick={onRevoke}
            aria-label={p('keys.revokeOne', { key: short(key) })}
          >
            {p('keys.revoke')}
          </Button>
        </Group>
      )}
    </li>
  );
}

interface NewProps {
  application: Application;
  replaces?: Key;
  onClose: () => void;
}

function NewKey({ application, replaces, onClose }: NewProps) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const [lasts, setLasts] = useState<Lasting>('ever');
  const [overlap, setOverlap] = useState<Overlap>('1d');
  const create = useMutation({
    mutationFn: () =>
      createKey(application.name, {
        ...(lasts === 'ever' ? {} : { expiresIn: lasts }),
        ...(replaces?.id == null ? {} : { replaces: replaces.id, overlap }),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['portal', 'applications'] }),
  });
  const title = p(replaces === undefined ? 'keys.create' : 'keys.rotate');
  return (
    <Dialog
      onClose={onClose}
      title={title}
      size="lg"
      closeOnClickOutside={!create.isSuccess}
      closeOnEscape={!create.isSuccess}
    >
      {create.isSuccess ? (
        <Told made={create.data} onClose={onClose} />
      ) : (
        <>
          {replaces !== undefined && (
            <SelectOverlap
              label={p('keys.overlap')}
              description={p('keys.overlapHelp')}
              value={overlap}
              onChange={setOverlap}
            />
          )}
          <SelectLasting label={p('keys.lasts')} value={lasts} onChange={setLasts} />
          <DialogEnd action={title} running={create} onAct={() => create.mutate()} onClose={onClose} />
        </>
      )}
    </Dialog>
  );
}

function Told({ made, onClose }: { made: MadeKey; onClose: () => void }) {
  const { p } = usePortalTexts();
  return (
    <>
      <Alert variant="light" color="yellow" icon={<IconAlertCircle size={19} />} title={p('keys.once')}>
        {p('keys.onceText')}
      </Alert>
      <CommandLine text={made.key} label={p('keys.key')} />
      <Group justify="flex-end">
        <Button onClick={onClose}>{p('keys.kept')}</Button>
      </Group>
    </>
  );
}
