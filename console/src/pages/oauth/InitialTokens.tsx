/** Initial access tokens: which there are, a new one, and taking one away. */
import {
  ActionIcon,
  Alert,
  Badge,
  Box,
  Button,
  Group,
  NumberInput,
  Select,
  Skeleton,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { IconKey, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  createInitialToken,
  deleteInitialToken,
  type InitialToken,
  initialTokensQuery,
  type MadeInitialToken,
} from '../../api/initialTokens';
import { CommandLine } from '../../parts/CommandLine';
import { Confirm, Dialog, DialogEnd } from '../../parts/Dialog';
import { ProblemBox } from '../../parts/ProblemBox';
import rows from '../../parts/rows.module.css';
import { useToast } from '../../parts/Toasts';
import { useInitialTexts } from './initialTexts';

const LASTS = [7, 30, 90, 365];

export function InitialTokens() {
  const { p } = useInitialTexts();
  const queries = useQueryClient();
  const tokens = useQuery(initialTokensQuery);
  const [asking, setAsking] = useState(false);
  const [made, setMade] = useState<MadeInitialToken | null>(null);
  return (
    <Box className="gw-panel" p="lg" mt="xl">
      <Group justify="space-between" mb="xs">
        <Title order={2}>{p('title')}</Title>
        <Button size="xs" variant="default" onClick={() => setAsking(true)}>
          {p('new')}
        </Button>
      </Group>
      <Text size="sm" c="dimmed" mb="md">
        {p('about')}
      </Text>
      {made !== null && (
        <Alert
          color="teal"
          variant="light"
          icon={<IconKey size={18} />}
          title={p('once')}
          mb="md"
          role="status"
        >
          <CommandLine text={made.token} label={p('text')} />
        </Alert>
      )}
      {tokens.isPending && <Skeleton height={60} />}
      {tokens.isError && <ProblemBox error={tokens.error} retry={() => tokens.refetch()} />}
      {tokens.data?.length === 0 && <Text size="sm">{p('none')}</Text>}
      {tokens.data !== undefined && tokens.data.length > 0 && (
        <ul className={rows.list ?? ''} aria-label={p('title')}>
          {tokens.data.map((token) => (
            <Row key={token.id} token={token} />
          ))}
        </ul>
      )}
      {asking && (
        <NewInitialToken
          onClose={() => setAsking(false)}
          onMade={(token) => {
            setAsking(false);
            setMade(token);
            return queries.invalidateQueries(initialTokensQuery);
          }}
        />
      )}
    </Box>
  );
}

function Row({ token }: { token: InitialToken }) {
  const { p, ago, number } = useInitialTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [removing, setRemoving] = useState(false);
  const { name, author, uses, used, expiresAt } = token;
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          <Text fw={620} style={{ overflowWrap: 'anywhere' }}>
            {name}
          </Text>
          <Badge variant="light" color={token.usable ? 'green' : 'gray'} tt="none">
            {p(token.usable ? 'state.usable' : 'state.over')}
          </Badge>
        </Group>
        <Text size="sm" c="dimmed">
          {p('used', { used: number(used), uses: number(uses) })} ·{' '}
          {expiresAt == null ? p('forever') : p('expires', { when: ago(expiresAt) })} ·{' '}
          {p('made', { author, when: ago(token.createdAt) })}
        </Text>
      </Box>
      <ActionIcon
        variant="subtle"
        color="red"
        size={30}
        onClick={() => setRemoving(true)}
        aria-label={p('delete', { name })}
      >
        <IconTrash size={16} />
      </ActionIcon>
      {removing && (
        <Confirm
          title={p('delete', { name })}
          action={p('delete.action')}
          does={() => deleteInitialToken(token.id)}
          onDone={() => {
            toast(p('delete.done', { name }));
            return queries.invalidateQueries(initialTokensQuery);
          }}
          onClose={() => setRemoving(false)}
        >
          <Text>{p('delete.text')}</Text>
        </Confirm>
      )}
    </li>
  );
}

interface NewProps {
  onClose: () => void;
  onMade: (token: MadeInitialToken) => void | Promise<unknown>;
}

function NewInitialToken({ onClose, onMade }: NewProps) {
  const { p } = useInitialTexts();
  const [name, setName] = useState('');
  const [uses, setUses] = useState<number | string>(1);
  const [lasts, setLasts] = useState('30d');
  const create = useMutation({
    mutationFn: () => createInitialToken({ name, uses: Number(uses), expiresIn: lasts }),
    onSuccess: onMade,
  });
  return (
    <Dialog title={p('new')} onClose={onClose} onSubmit={() => create.mutate()}>
      <TextInput
        label={p('form.name')}
        description={p('form.nameHelp')}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={200}
        required
        data-autofocus
      />
      <NumberInput
        label={p('form.clients')}
        value={uses}
        onChange={setUses}
        min={1}
        max={1_000_000}
        allowDecimal={false}
        required
      />
      <Select
        label={p('form.lasts')}
        value={lasts}
        onChange={(value) => setLasts(value ?? 'never')}
        allowDeselect={false}
        data={[
          ...LASTS.map((days) => ({ value: `${days}d`, label: p('days', { days }) })),
          { value: 'never', label: p('form.lasts.forever') },
        ]}
      />
      <DialogEnd action={p('form.create')} running={create} onClose={onClose} />
    </Dialog>
  );
}
