/** The APIs that are there for whoever looks. */
import { Box, Group, Pagination, Select, Skeleton, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconMoodEmpty, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import { catalogQuery, type CatalogSort, PAGE_SIZE, type Search } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { Link, useAddress, useGo } from '../links';
import { ApiCards } from '../parts/ApiCard';
import { Head, Page } from '../parts/Page';
import classes from './CatalogPage.module.css';
import { NoApis } from './HomePage';

export function CatalogPage() {
  const { p, many } = usePortalTexts();
  const { search } = useAddress<object, Search>();
  const go = useGo();
  const apis = useQuery(catalogQuery(search));
  const change = (changed: Search) =>
    go({
      to: '/apis',
      search: { ...search, page: undefined, ...changed },
      replace: true,
      resetScroll: false,
    });
  const { data } = apis;
  const isFiltered = [search.q, search.category, search.tag].some((filter) => filter !== undefined);
  const pages = data === undefined ? 1 : Math.ceil(data.total / PAGE_SIZE);
  return (
    <Page>
      <Head title={p('nav.apis')} about={p('catalog.about')} />
      <div className={classes.columns}>
        <Filters search={search} categories={data?.categories ?? {}} tags={data?.tags ?? {}} />
        <Box miw={0}>
          <Group mb="lg" gap="sm">
            <SearchBox q={search.q ?? ''} onChange={(q) => change({ q: q === '' ? undefined : q })} />
            <Select
              w={190}
              aria-label={p('catalog.sort')}
              value={search.sort ?? 'name'}
              onChange={(sort) => change({ sort: sort === 'name' ? undefined : (sort as CatalogSort) })}
              allowDeselect={false}
              data={[
                { value: 'name', label: p('catalog.sort.name') },
                { value: 'rating', label: p('catalog.sort.rating') },
                { value: 'changed', label: p('catalog.sort.changed') },
              ]}
            />
          </Group>
          {apis.isPending && <Skeleton height={260} />}
          {apis.isError && <ProblemBox error={apis.error} retry={() => apis.refetch()} />}
          {data !== undefined && data.total === 0 && !isFiltered && <NoApis />}
          {data !== undefined && data.total === 0 && isFiltered && (
            <Empty icon={IconMoodEmpty} title={p('catalog.nothing.title')} text={p('catalog.nothing.text')} />
          )}
          {data !== undefined && data.total > 0 && (
            <>
              <Text size="sm" c="dimmed" mb="sm" role="status">
                {many('catalog.count', data.total)}
              </Text>
              <ApiCards apis={data.items} />
            </>
          )}
          {pages > 1 && (
            <Pagination
              mt="xl"
              total={pages}
              value={search.page ?? 1}
              onChange={(page) => change({ page })}
              getControlProps={(control) => ({
                'aria-label': p(`catalog.${control === 'next' ? 'next' : 'previous'}`),
              })}
            />
          )}
        </Box>
      </div>
    </Page>
  );
}

function SearchBox({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const { p } = usePortalTexts();
  const [words, setWords] = useState(q);
  useEffect(() => setWords(q), [q]);
  const settle = useDebouncedCallback(onChange, 250);
  return (
    <TextInput
      type="search"
      flex="1 1 220px"
      value={words}
      onChange={(event) => {
        setWords(event.currentTarget.value);
        settle(event.currentTarget.value.trim());
      }}
      placeholder={p('catalog.search')}
      aria-label={p('catalog.search')}
      leftSection={<IconSearch size={16} aria-hidden />}
    />
  );
}

interface FiltersProps {
  search: Search;
  categories: Record<string, number>;
  tags: Record<string, number>;
}

function Filters({ search, categories, tags }: FiltersProps) {
  const { p, number } = usePortalTexts();
  const { q, sort } = search;
  const rest = { q, sort };
  const isEmpty = Object.keys(categories).length + Object.keys(tags).length === 0;
  if (isEmpty) return <div />;
  return (
    <nav className={classes.side} aria-label={p('catalog.filter')}>
      {Object.keys(categories).length > 0 && (
        <>
          <Text size="sm" fw={650} mb="xs" component="h2">
            {p('catalog.categories')}
          </Text>
          <div className={classes.options}>
            <Link
              to="/apis"
              search={{ ...rest, tag: search.tag }}
              className={classes.option}
              aria-current={search.category === undefined ? 'true' : undefined}
            >
              {p('catalog.everything')}
            </Link>
            {Object.entries(categories).map(([category, count]) => (
              <Link
                key={category}
                to="/apis"
                search={{ ...rest, tag: search.tag, category }}
                className={classes.option}
                aria-current={search.category === category ? 'true' : undefined}
              >
                {category}
                <Text span size="sm" c="dimmed">
                  {number(count)}
                </Text>
              </Link>
            ))}
          </div>
        </>
      )}
      {Object.keys(tags).length > 0 && (
        <>
          <Text size="sm" fw={650} mt="lg" mb="xs" component="h2">
            {p('catalog.tags')}
          </Text>
          <div className={classes.tags}>
            {Object.keys(tags).map((tag) => (
              <Link
                key={tag}
                to="/apis"
                search={{ ...rest, category: search.category, tag: search.tag === tag ? undefined : tag }}
                className={classes.tag}
                aria-current={search.tag === tag ? 'true' : undefined}
              >
                {tag}
              </Link>
            ))}
          </div>
        </>
      )}
    </nav>
  );
}
