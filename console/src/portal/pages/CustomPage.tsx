/** A page that the owners of the portal have written. */
import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Problem } from '../../api/problem';
import { ProblemBox } from '../../parts/ProblemBox';
import { pageQuery } from '../api/portal';
import { useAddress } from '../links';
import { LazyMarkdown } from '../parts/LazyMarkdown';
import { NotFound } from '../parts/NotFound';
import { Head, Page } from '../parts/Page';

export function CustomPage() {
  const { params } = useAddress<{ slug: string }>();
  const page = useQuery(pageQuery(params.slug));
  if (page.error instanceof Problem && page.error.status === 404) return <NotFound />;
  return (
    <Page width="text">
      {page.isPending && <Skeleton height={320} mt="xl" />}
      {page.isError && <ProblemBox error={page.error} retry={() => page.refetch()} />}
      {page.data !== undefined && (
        <>
          <Head title={page.data.title} />
          <LazyMarkdown text={page.data.markdown} />
        </>
      )}
    </Page>
  );
}
