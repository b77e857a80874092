import '@mantine/core/styles.css';
import '../app/base.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from '../app/queries';
import { TextsProvider } from '../i18n';
import { PortalGate } from './PortalGate';
import { portalRouter } from './router';

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
