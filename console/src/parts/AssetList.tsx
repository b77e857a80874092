/**
 * A list of assets: searched by the server, page after page as one scrolls. Only rows that can be seen are drawn, so
 * that ten thousand scroll like ten.
 */
import {
  Box,
  Center,
  Checkbox,
  Group,
  Loader,
  Select,
  Skeleton,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { type Asset, listQuery, type Sort } from '../api/assets';
import { useTexts } from '../i18n';
import classes from './AssetList.module.css';
import { BulkBar } from './BulkBar';
import type { Action } from './bulk';
import { ProblemBox } from './ProblemBox';

const BulkDialog = lazy(() => import('./BulkDialog'));

interface Props {
  list: string;
  q: string;
  sort: Sort;
  filter?: string | undefined;
  onSearch: (change: { q?: string | undefined; sort?: string | undefined }) => void;
  row: (asset: Asset) => ReactNode;
  /** When there is nothing at all. */
  empty: ReactNode;
  /** Beside the search, such as filters that are set. */
  tools?: ReactNode;
  /** Several can be chosen, to do something with them. */
  selectable?: boolean;
}

const ROW = 64;

/** What is being done with assets that were chosen. */
interface Acting {
  action: Action;
  assets: Asset[];
  onDone: () => void;
}

export function AssetList(props: Props) {
  const [acting, setActing] = useState<Acting | null>(null);
  return (
    <>
      <List {...props} onAct={setActing} />
      {acting !== null && (
        <Suspense>
          <BulkDialog
            list={props.list}
            action={acting.action}
            assets={acting.assets}
            onClose={(done) => {
              setActing(null);
              if (done) acting.onDone();
            }}
          />
        </Suspense>
      )}
    </>
  );
}

function List({
  onAct,
  list,
  q,
  sort,
  filter,
  onSearch,
  row,
  empty,
  tools,
  selectable = false,
}: Props & { onAct: (acting: Acting) => void }) {
  const { t, count } = useTexts();
  const [text, setText] = useState(q);
  const [settled] = useDebouncedValue(text, 250);
  const search = useRef(onSearch);
  search.current = onSearch;
  useEffect(() => {
    if (settled !== q) search.current({ q: settled === '' ? undefined : settled });
  }, [settled, q]);

  const query = useInfiniteQuery({
    ...listQuery(list, { q, sort, filter }),
    placeholderData: (before) => before,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  const total = query.data?.pages.at(-1)?.total ?? 0;
  const isFiltered = q !== '' || filter !== undefined;

  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  // What is gone, or not in this search, is not chosen any more.
  const chosen = items.filter(({ id }) => marked.has(id));
  const mark = (ids: string[], on: boolean) =>
    setMarked((before) => {
      const after = new Set(before);
      for (const id of ids) {
        if (on) after.add(id);
        else after.delete(id);
      }
      return after;
    });

  const frame = useRef<HTMLDivElement>(null);
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW,
    overscan: 12,
    scrollMargin: frame.current?.offsetTop ?? 0,
    getItemKey: (index) => items[index]?.id ?? index,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= items.length - 30) void fetchNextPage();
  }, [last, items.length, hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (query.isPending) {
    return (
      <Stack gap="xs" role="status" aria-label={t('loading')}>
        <Skeleton height={36} />
        <Skeleton height={ROW} />
        <Skeleton height={ROW} />
        <Skeleton height={ROW} />
      </Stack>
    );
  }
  if (query.isError && query.data === undefined) {
    return <ProblemBox error={query.error} retry={() => query.refetch()} />;
  }
  if (total === 0 && !isFiltered) return <Box className="gw-panel">{empty}</Box>;
  return (
    <>
      <Group mb="sm" gap="sm">
        <TextInput
          aria-label={t('list.search')}
          placeholder={t('list.search')}
          leftSection={<IconSearch size={16} />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          flex="1 1 220px"
          maw={420}
          type="search"
        />
        <Select
          aria-label={t('list.sort')}
          value={sort}
          onChange={(value) => onSearch({ sort: value === 'name' ? undefined : (value ?? undefined) })}
          data={[
            { value: 'name', label: t('list.sort.name') },
            { value: '-name', label: t('list.sort.nameDown') },
            { value: '-changedAt', label: t('list.sort.changed') },
            { value: 'changedAt', label: t('list.sort.unchanged') },
          ]}
          allowDeselect={false}
          w={200}
        />
        {tools}
        <Text size="sm" c="dimmed" ml="auto" role="status">
          {count('list.count', total)}
        </Text>
      </Group>
      {total === 0 ? (
        <Box className="gw-panel" p="xl">
          <Text c="dimmed" ta="center">
            {t('list.nothing')}
          </Text>
        </Box>
      ) : (
        <div ref={frame} className={`gw-panel ${classes.frame ?? ''}`}>
          {selectable && (
            <div className={classes.head}>
              <Checkbox
                aria-label={t('bulk.chooseAll')}
                checked={chosen.length > 0 && chosen.length === items.length}
                indeterminate={chosen.length > 0 && chosen.length < items.length}
                onChange={(event) =>
                  mark(
                    items.map(({ id }) => id),
                    event.currentTarget.checked,
                  )
                }
              />
              {chosen.length > 0 ? (
                <BulkBar
                  list={list}
                  count={chosen.length}
                  onBegin={(action) => onAct({ action, assets: chosen, onDone: () => setMarked(new Set()) })}
                  onClear={() => setMarked(new Set())}
                />
              ) : (
                <Text size="sm" c="dimmed" aria-hidden>
                  {t('bulk.chooseAll')}
                </Text>
              )}
            </div>
          )}
          <div role="list" style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {shown.map((place) => {
              const asset = items[place.index];
              if (asset === undefined) return null;
              return (
                <div
                  key={place.key}
                  role="listitem"
                  ref={rows.measureElement}
                  data-index={place.index}
                  className={classes.row}
                  style={{ transform: `translateY(${place.start - rows.options.scrollMargin}px)` }}
                >
                  {selectable && (
                    <Checkbox
                      className={classes.mark ?? ''}
                      aria-label={t('bulk.choose', { name: asset.name })}
                      checked={marked.has(asset.id)}
                      onChange={(event) => mark([asset.id], event.currentTarget.checked)}
                    />
                  )}
                  <div className={classes.body}>{row(asset)}</div>
                </div>
              );
            })}
          </div>
        </div>
      )}
      {isFetchingNextPage && (
        <Center py="md">
          <Loader size="sm" aria-label={t('loading')} />
        </Center>
      )}
    </>
  );
}
