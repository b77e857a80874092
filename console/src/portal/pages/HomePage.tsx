/** Where a visitor arrives: what is offered, how to begin. */
import { Anchor, Box, Button, Group, Skeleton, Text, TextInput, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconArrowRight, IconBooks, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import { catalogQuery } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { Link, useGo } from '../links';
import { ApiCards } from '../parts/ApiCard';
import { LazyMarkdown } from '../parts/LazyMarkdown';
import { Page } from '../parts/Page';
import { useLook, useUser } from '../visitor';
import classes from './HomePage.module.css';

const SHOWN = 6;

export function HomePage() {
  const { p, many } = usePortalTexts();
  const look = useLook();
  const user = useUser();
  const best = useQuery(catalogQuery({ sort: 'rating' }, SHOWN));
  useDocumentTitle(look.title);
  const welcome = look.texts.welcome;
  return (
    <>
      <section className={classes.hero}>
        <Page>
          <Title order={1} className={classes.title ?? ''}>
            {look.texts.headline ?? look.title}
          </Title>
          <div className={classes.welcome}>
            {welcome === undefined ? <p>{p('home.welcome')}</p> : <LazyMarkdown text={welcome} />}
          </div>
          <div className={classes.ways}>
            <Search />
            <Button size="md" renderRoot={(props) => <Link to="/apis" {...props} />}>
              {p('home.browse')}
            </Button>
            {user === undefined && look.signUp !== 'off' && (
              <Button size="md" variant="default" renderRoot={(props) => <Link to="/signup" {...props} />}>
                {p('signUp')}
              </Button>
            )}
          </div>
        </Page>
      </section>
      <Page>
        <ol className={classes.steps}>
          {([1, 2, 3] as const).map((number) => (
            <li key={number}>
              <span className={classes.number} aria-hidden>
                {number}
              </span>
              <Text fw={650} mb={4}>
                {p(`home.step${number}.title`)}
              </Text>
              <Text c="dimmed">{p(`home.step${number}.text`)}</Text>
            </li>
          ))}
        </ol>
        <Group justify="space-between" mt={48} mb="lg">
          <Title order={2}>{p('home.apis')}</Title>
          {best.data !== undefined && best.data.total > SHOWN && (
            <Anchor renderRoot={(props) => <Link to="/apis" {...props} />}>
              <Group gap={4}>
                {many('home.all', best.data.total)} <IconArrowRight size={16} aria-hidden />
              </Group>
            </Anchor>
          )}
        </Group>
        {best.isPending && <Skeleton height={180} />}
        {best.isError && <ProblemBox error={best.error} retry={() => best.refetch()} />}
        {best.data !== undefined &&
          (best.data.total === 0 ? <NoApis /> : <ApiCards apis={best.data.items} />)}
      </Page>
    </>
  );
}

function Search() {
  const { p } = usePortalTexts();
  const go = useGo();
  const [words, setWords] = useState('');
  const search = (event: FormEvent) => {
    event.preventDefault();
    go({ to: '/apis', search: words.trim() === '' ? {} : { q: words.trim() } });
  };
  return (
    <Box component="form" role="search" onSubmit={search} className={classes.search ?? ''}>
      <TextInput
        type="search"
        size="md"
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
        placeholder={p('catalog.search')}
        aria-label={p('catalog.search')}
        leftSection={<IconSearch size={18} aria-hidden />}
      />
    </Box>
  );
}

export function NoApis() {
  const { p } = usePortalTexts();
  const user = useUser();
  return (
    <Empty
      icon={IconBooks}
      title={p('catalog.empty.title')}
      text={p(user === undefined ? 'catalog.empty.visitor' : 'catalog.empty.text')}
    >
      {user === undefined && (
        <Button renderRoot={(props) => <Link to="/login" {...props} />}>{p('login.title')}</Button>
      )}
    </Empty>
  );
}
