/** From an OpenAPI document to an API that is served: one page, three ways in. */
import {
  Alert,
  Box,
  Button,
  FileButton,
  Group,
  Stack,
  Switch,
  Tabs,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { IconCircleCheck, IconFileUpload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type DragEvent, useMemo, useState } from 'react';
import { createAsset, type How, type Import, importApi, replaceAsset, type Spec } from '../../api/assets';
import { useTexts } from '../../i18n';
import { Method } from '../../parts/Method';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { Warnings } from '../../parts/Warnings';
import { ImportByUrl } from './ImportByUrl';
import classes from './ImportPage.module.css';
import { aboutOf, operationsOf } from './operations';

/** Operations that are shown; the others are counted. */
const SHOWN = 12;

/** A document, and where it was fetched from. */
interface Chosen {
  document: string;
  url?: string | undefined;
}

export function ImportPage() {
  const { t } = useTexts();
  const [chosen, setChosen] = useState<Chosen | null>(null);
  return (
    <>
      <PageHeader
        title={t('import.title')}
        about={t('import.about')}
        back={{ to: '/apis', label: t('nav.apis') }}
      />
      <Stack gap="lg" maw={860}>
        {chosen === null ? (
          <Choose onDocument={(document, url) => setChosen({ document, url })} />
        ) : (
          <Describe {...chosen} onBack={() => setChosen(null)} />
        )}
      </Stack>
    </>
  );
}

function Choose({ onDocument }: { onDocument: (document: string, url?: string) => void }) {
  const { t } = useTexts();
  const [over, setOver] = useState(false);
  const [pasted, setPasted] = useState('');
  const [failed, setFailed] = useState(false);
  const take = async (file: File | null | undefined) => {
    if (!file) return;
    const text = await file.text();
    setFailed(text.trim() === '');
    if (text.trim() !== '') onDocument(text);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  return (
    <Tabs defaultValue="file" variant="pills">
      <Tabs.List mb="md">
        <Tabs.Tab value="file">{t('import.file')}</Tabs.Tab>
        <Tabs.Tab value="paste">{t('import.paste')}</Tabs.Tab>
        <Tabs.Tab value="url">{t('import.url')}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="file">
        <Box
          className={`${classes.drop} ${over ? classes.over : ''}`}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={drop}
          data-testid="drop"
        >
          <IconFileUpload size={40} stroke={1.4} aria-hidden />
          <Title order={2} ta="center">
            {t('import.drop')}
          </Title>
          <Text c="dimmed" size="sm" ta="center">
            {t('import.kinds')}
          </Text>
          <FileButton onChange={take} accept=".json,.yaml,.yml,application/json,application/yaml">
            {(props) => (
              <Button variant="light" {...props}>
                {t('import.choose')}
              </Button>
            )}
          </FileButton>
          {failed && (
            <Text className="gw-bad" size="sm" role="alert">
              {t('import.emptyFile')}
            </Text>
          )}
        </Box>
      </Tabs.Panel>
      <Tabs.Panel value="paste">
        <Stack>
          <Textarea
            label={t('import.pasteLabel')}
            value={pasted}
            onChange={(event) => setPasted(event.currentTarget.value)}
            rows={14}
            classNames={{ input: 'gw-mono' }}
            spellCheck={false}
          />
          <Group>
            <Button onClick={() => onDocument(pasted)} disabled={pasted.trim() === ''}>
              {t('next')}
            </Button>
          </Group>
        </Stack>
      </Tabs.Panel>
      <Tabs.Panel value="url">
        <ImportByUrl onDocument={onDocument} />
      </Tabs.Panel>
    </Tabs>
  );
}

function Describe({ document, url, onBack }: Chosen & { onBack: () => void }) {
  const { t, count } = useTexts();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toast = useToast();
  const about = useMemo(() => aboutOf(document), [document]);
  const operations = useMemo(() => operationsOf(document), [document]);
  const [name, setName] = useState(about.title ?? '');
  const [version, setVersion] = useState(about.version ?? '');
  const [upstream, setUpstream] = useState(about.server ?? '');
  const [basePath, setBasePath] = useState('');
  const [active, setActive] = useState(true);
  const [follow, setFollow] = useState(false);
  const what: Import = { document, name, version, upstream, basePath };
  // Fetched again means that the API names the URL, instead of the document that is there now.
  const make = (how: How) =>
    follow && url !== undefined ? createAsset('apis', followed(what, url), how) : importApi(what, how);
  const tried = useQuery({
    queryKey: ['try', 'import', document, name, version, upstream, basePath, follow],
    queryFn: () => make({ dryRun: true }),
    retry: false,
    gcTime: 0,
    placeholderData: (before) => before,
  });
  const doImport = useMutation({
    mutationFn: async () => {
      const api = await make({});
      return active ? api : replaceAsset('apis', api.name, api.revision, { ...api.spec, inactive: true }, {});
    },
    onSuccess: async (api) => {
      toast(t(active ? 'import.done' : 'import.doneInactive', { name: api.name }));
      await queries.invalidateQueries({ queryKey: ['assets'] });
      await navigate({ to: '/apis/$name', params: { name: api.name } });
    },
  });
  const refused = doImport.error ?? (tried.isFetching ? null : tried.error);
  return (
    <>
      <Box className="gw-panel" p="lg">
        <Stack>
          <div className={classes.pair}>
            <TextInput
              label={t('import.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <TextInput
              label={t('import.version')}
              value={version}
              onChange={(event) => setVersion(event.currentTarget.value)}
            />
          </div>
          <TextInput
            label={t('import.upstream')}
            description={t('import.upstreamHelp')}
            placeholder="http://orders.internal:8080"
            value={upstream}
            onChange={(event) => setUpstream(event.currentTarget.value)}
          />
          <TextInput
            label={t('import.basePath')}
            description={t('import.basePathHelp')}
            placeholder={`/gateway/${name}/${version}`}
            value={basePath}
            onChange={(event) => setBasePath(event.currentTarget.value)}
          />
          <Switch
            label={t('import.active')}
            description={t('import.activeHelp')}
            checked={active}
            onChange={(event) => setActive(event.currentTarget.checked)}
          />
        </Stack>
      </Box>
      {url !== undefined && (
        <Switch
          label={t('import.follow')}
          description={t('import.followHelp', { url })}
          checked={follow}
          onChange={(event) => setFollow(event.currentTarget.checked)}
        />
      )}
      {refused !== null && <ProblemBox error={refused} title={t('review.refused')} />}
      <Warnings warnings={tried.data?.warnings ?? []} />
      {tried.isSuccess && !tried.isPlaceholderData && (
        <Alert color="teal" variant="light" icon={<IconCircleCheck size={18} />} role="status">
          {t('import.valid')}
        </Alert>
      )}
      <Group>
        <Button
          onClick={() => doImport.mutate()}
          loading={doImport.isPending}
          disabled={!tried.isSuccess || tried.isPlaceholderData}
        >
          {t(active ? 'import.submit' : 'import.submitInactive')}
        </Button>
        <Button variant="default" onClick={onBack}>
          {t('import.another')}
        </Button>
      </Group>
      {operations.length > 0 && (
        <Box className="gw-panel" p="lg">
          <Title order={2} mb="md">
            {count('import.operations', operations.length)}
          </Title>
          <Stack gap="xs">
            {operations.slice(0, SHOWN).map(({ method, path, summary }) => (
              <Group key={`${method} ${path}`} gap="sm" wrap="nowrap">
                <Method method={method} />
                <Text className="gw-mono">{path}</Text>
                <Text size="sm" c="dimmed" truncate visibleFrom="sm">
                  {summary}
                </Text>
              </Group>
            ))}
            {operations.length > SHOWN && (
              <Text size="sm" c="dimmed">
                {count('import.more', operations.length - SHOWN)}
              </Text>
            )}
          </Stack>
        </Box>
      )}
    </>
  );
}

/** An API whose definition is fetched whenever the configuration is made ready. */
function followed({ name, version, upstream, basePath }: Import, url: string): Spec {
  const given = Object.entries({ name, version, upstream, basePath }).filter(([, value]) => value);
  return { ...Object.fromEntries(given), definition: url };
}
