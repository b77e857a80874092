/** Something to read about an API: texts here, links and files elsewhere. */
import { Box, Group, NavLink, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconDownload, IconExternalLink, IconFileText } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { BASE } from '../../../api/client';
import { ProblemBox } from '../../../parts/ProblemBox';
import { type ApiDetail, type Document, documentPath, documentQuery } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { apiPath, Link, useAddress } from '../../links';
import { linkTo } from '../../parts/allowed';
import { LazyMarkdown } from '../../parts/LazyMarkdown';
import type { ApiSearch } from '../../router';
import classes from './Documents.module.css';

const ICONS = { markdown: IconFileText, link: IconExternalLink, file: IconDownload };

export function Documents({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const { search } = useAddress<object, ApiSearch>();
  const texts = api.documents.filter(({ kind }) => kind === 'markdown');
  const shown = texts.find(({ name }) => name === search.at) ?? texts[0];
  return (
    <div className={classes.columns}>
      <nav aria-label={p('tab.documents')}>
        {api.documents.map((document) => (
          <Entry key={document.name} api={api} document={document} active={document === shown} />
        ))}
      </nav>
      {shown !== undefined && <Shown document={shown} />}
    </div>
  );
}

function Entry({ api, document, active }: { api: ApiDetail; document: Document; active: boolean }) {
  const { p } = usePortalTexts();
  const { kind, name, title, summary } = document;
  const Icon = ICONS[kind];
  const about = summary ?? (kind === 'file' ? (document.fileName ?? undefined) : undefined);
  const look = {
    label: title,
    description: about,
    leftSection: <Icon size={18} aria-hidden />,
    style: { borderRadius: 'var(--mantine-radius-md)' },
  };
  if (kind === 'markdown') {
    const search = { tab: 'documents', at: name };
    return (
      <NavLink
        {...look}
        active={active}
        aria-current={active ? 'page' : undefined}
        renderRoot={(props) => <Link to={apiPath(api.name)} search={search} {...props} />}
      />
    );
  }
  if (kind === 'file') return <NavLink {...look} component="a" href={BASE + documentPath(name)} download />;
  const leads = linkTo(document.url ?? '');
  if (leads === undefined) return null;
  return (
    <NavLink
      {...look}
      component="a"
      href={leads}
      target="_blank"
      rel="noreferrer noopener"
      aria-label={p('documents.elsewhere', { title })}
    />
  );
}

function Shown({ document }: { document: Document }) {
  const text = useQuery(documentQuery(document.name));
  return (
    <Box component="article" maw={820} miw={0}>
      <Stack gap="xs" mb="lg">
        <Group gap="xs">
          <Title order={2}>{document.title}</Title>
        </Group>
        {document.summary != null && <Text c="dimmed">{document.summary}</Text>}
      </Stack>
      {text.isPending && <Skeleton height={240} />}
      {text.isError && <ProblemBox error={text.error} retry={() => text.refetch()} />}
      {text.data !== undefined && <LazyMarkdown text={text.data} />}
    </Box>
  );
}
