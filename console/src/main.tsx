import '@mantine/core/styles.css';
import './app/base.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './app/queries';
import { router } from './app/router';
import { theme, variables } from './app/theme';
import { TextsProvider } from './i18n';
import { ToastProvider } from './parts/Toasts';
import { SessionGate } from './session/SessionGate';

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
