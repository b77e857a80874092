/** Fields that name other assets, by kind and path. */
export const SUGGESTIONS: Record<string, Record<string, string>> = {
  apis: {
    upstream: 'upstreams',
    templates: 'policyTemplates',
    'canary.upstream': 'upstreams',
    'mirror.upstream': 'upstreams',
  },
  applications: { apis: 'apis' },
  users: { groups: 'groups' },
};
