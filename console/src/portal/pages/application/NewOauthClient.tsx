/** Makes an OAuth client or a new secret of one, and tells the secret once. */
import { Alert, Button, Checkbox, Group, Radio, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { CommandLine } from '../../../parts/CommandLine';
import { Dialog, DialogEnd } from '../../../parts/Dialog';
import {
  createOauthClient,
  type GrantType,
  type OauthClient,
  type Offered,
  rotateSecret,
  type WantedOauthClient,
} from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { type Lasting, type Overlap, SelectLasting, SelectOverlap } from './Lasting';
import { curlLine } from './token';

/** What programs there are, as far as it matters for how they get tokens. */
const KINDS = ['service', 'users', 'public'] as const;
type Kind = (typeof KINDS)[number];

const NEEDS: Record<Kind, GrantType> = {
  service: 'clientCredentials',
  users: 'authorizationCode',
  public: 'authorizationCode',
};

interface Props {
  application: string;
  offered: Offered;
  onClose: () => void;
}

export function NewOauthClient({ application, offered, onClose }: Props) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const kinds = KINDS.filter((kind) => offered.grantTypes.includes(NEEDS[kind]));
  const [kind, setKind] = useState<Kind>(kinds[0] ?? 'service');
  const [name, setName] = useState('');
  const [uris, setUris] = useState<string[]>([]);
  const [refreshes, setRefreshes] = useState(true);
  const [lasts, setLasts] = useState<Lasting>('ever');
  const sendsUsers = kind !== 'service';
  const mayRefresh = sendsUsers && offered.grantTypes.includes('refreshToken');
  const create = useMutation({
    mutationFn: () => {
      const wanted: WantedOauthClient = {
        public: kind === 'public',
        grantTypes: [NEEDS[kind], ...(mayRefresh && refreshes ? (['refreshToken'] as const) : [])],
      };
      if (name.trim() !== '') wanted.name = name.trim();
      if (sendsUsers) wanted.redirectUris = uris;
      if (kind !== 'public' && lasts !== 'ever') wanted.expiresIn = lasts;
      return createOauthClient(application, wanted);
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['portal', 'applications'] }),
  });
  const title = p('oauth.create');
  if (create.isSuccess) {
    const { clientSecret, ...client } = create.data;
    return (
      <Told
        title={title}
        client={client}
        secret={clientSecret ?? undefined}
        offered={offered}
        onClose={onClose}
      />
    );
  }
  return (
    <Dialog title={title} size="lg" onClose={onClose} onSubmit={() => create.mutate()}>
      <TextInput
        label={p('oauth.name')}
        description={p('oauth.nameHelp')}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={100}
        data-autofocus
      />
      <Radio.Group
        label={p('oauth.kind')}
        value={kind}
        onChange={(value) => setKind(kinds.find((known) => known === value) ?? kind)}
      >
        <Stack gap="xs" mt="xs">
          {kinds.map((known) => (
            <Radio
              key={known}
              value={known}
              label={p(`oauth.${known}`)}
              description={p(`oauth.${known}Text`)}
            />
          ))}
        </Stack>
      </Radio.Group>
      {sendsUsers && (
        <TagsInput
          label={p('oauth.redirectUris')}
          description={p('oauth.redirectUrisHelp')}
          placeholder="https://shop.example/callback"
          value={uris}
          onChange={setUris}
          maxTags={20}
          splitChars={[',', ' ']}
        />
      )}
      {mayRefresh && (
        <Checkbox
          label={p('oauth.refreshes')}
          checked={refreshes}
          onChange={(event) => setRefreshes(event.currentTarget.checked)}
        />
      )}
      {kind !== 'public' && <SelectLasting label={p('oauth.lasts')} value={lasts} onChange={setLasts} />}
      <DialogEnd
        action={title}
        running={create}
        onClose={onClose}
        disabled={sendsUsers && uris.length === 0}
      />
    </Dialog>
  );
}

/** Secrets that are live at a time. */
const LIVE = 2;

export function NewSecret({ application, client, offered, onClose }: Props & { client: OauthClient }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const [overlap, setOverlap] = useState<Overlap>('1d');
  const [lasts, setLasts] = useState<Lasting>('ever');
  const onlyNow = client.secrets.length >= LIVE;
  const rotate = useMutation({
    mutationFn: () =>
      rotateSecret(application, client.id, {
        overlap: onlyNow ? '0s' : overlap,
        ...(lasts === 'ever' ? {} : { expiresIn: lasts }),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['portal', 'applications'] }),
  });
  const title = p('oauth.rotate');
  if (rotate.isSuccess) {
    return (
      <Told
        title={title}
        client={client}
        secret={rotate.data.clientSecret}
        offered={offered}
        onClose={onClose}
      />
    );
  }
  return (
    <Dialog title={title} size="lg" onClose={onClose} onSubmit={() => rotate.mutate()}>
      <SelectOverlap
        label={p('oauth.overlap')}
        description={p(onlyNow ? 'oauth.overlapBoth' : 'oauth.overlapHelp')}
        value={overlap}
        onChange={setOverlap}
        onlyNow={onlyNow}
      />
      <SelectLasting label={p('oauth.lasts')} value={lasts} onChange={setLasts} />
      <DialogEnd action={p('keys.rotate')} running={rotate} onClose={onClose} />
    </Dialog>
  );
}

interface ToldProps {
  title: string;
  client: OauthClient;
  /** Missing for a public client. */
  secret: string | undefined;
  offered: Offered;
  onClose: () => void;
}

function Told({ title, client, secret, offered, onClose }: ToldProps) {
  const { p } = usePortalTexts();
  return (
    <Dialog title={title} size="lg" onClose={onClose} closeOnClickOutside={false} closeOnEscape={false}>
      {secret !== undefined && (
        <Alert variant="light" color="yellow" icon={<IconAlertCircle size={19} />} title={p('oauth.once')}>
          {p('keys.onceText')}
        </Alert>
      )}
      <Line label={p('oauth.id')} text={client.id} />
      {secret !== undefined && <Line label={p('oauth.secret')} text={secret} />}
      {client.grantTypes.includes('authorizationCode') && (
        <Line label={p('oauth.authorizationUrl')} text={offered.authorizationUrl} />
      )}
      <Line label={p('oauth.tokenUrl')} text={offered.tokenUrl} />
      {client.grantTypes.includes('clientCredentials') && (
        <Line label={p('oauth.curl')} text={curlLine(client, offered)} />
      )}
      <Group justify="flex-end">
        <Button onClick={onClose}>{p(secret === undefined ? 'oauth.done' : 'oauth.kept')}</Button>
      </Group>
    </Dialog>
  );
}

function Line({ label, text }: { label: string; text: string }) {
  return (
    <div>
      <Text size="sm" fw={550} mb={4}>
        {label}
      </Text>
      <CommandLine label={label} text={text} />
    </div>
  );
}
