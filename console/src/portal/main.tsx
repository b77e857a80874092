import '@mantine/core/styles.css';
import '../app/base.css';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { worthAnotherTry } from '../api/client';
import { TextsProvider } from '../i18n';
import { PortalGate } from './PortalGate';
import { portalRouter } from './router';

const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: worthAnotherTry, staleTime: 5_000, networkMode: 'always' },
    mutations: { networkMode: 'always' },
  },
  queryCache: new QueryCache(),
  mutationCache: new MutationCache(),
});

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <TextsProvider>
        <QueryClientProvider client={queries}>
          <PortalGate>
            <RouterProvider router={portalRouter} />
          </PortalGate>
        </QueryClientProvider>
      </TextsProvider>
    </StrictMode>,
  );
}
