import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Where `npm run dev` finds the admin API.
const manager = process.env.GATEWRIGHT_MANAGER ?? 'http://127.0.0.1:9072';

export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsDir: 'files',
    // The Content-Security-Policy lets nothing inline in, neither scripts nor pictures in style sheets.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 900,
    // The console, and the developer portal, which is served under /portal/ and has its files from here.
    rolldownOptions: { input: ['index.html', 'portal.html'] },
  },
  server: { proxy: { '/api': manager } },
  test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] },
});
