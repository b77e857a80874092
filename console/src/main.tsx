import '@mantine/core/styles.css';
import './app/base.css';
import { MantineProvider } from '@mantine/core';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { worthAnotherTry } from './api/client';
import { router } from './app/router';
import { theme, variables } from './app/theme';
import { TextsProvider } from './i18n';
import { ToastProvider } from './parts/Toasts';
import { SessionGate } from './session/SessionGate';

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
      <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
        <TextsProvider>
          <QueryClientProvider client={queries}>
            <ToastProvider>
              <SessionGate>
                <RouterProvider router={router} />
              </SessionGate>
            </ToastProvider>
          </QueryClientProvider>
        </TextsProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
