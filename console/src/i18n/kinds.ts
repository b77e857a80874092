/** What kinds of assets are called. */
import type { Locale } from '.';

interface KindText {
  one: string;
  many: string;
  about: string;
}

export const KIND_TEXTS: Record<Locale, Record<string, KindText>> = {
  en: {
    apis: { one: 'API', many: 'APIs', about: 'A published interface in front of a service.' },
    applications: {
      one: 'Application',
      many: 'Applications',
      about: 'Who calls APIs: recognised by API keys, addresses, certificates or claims.',
    },
    upstreams: {
      one: 'Upstream',
      many: 'Upstreams',
      about: 'A service behind APIs: its addresses, load balancing, health checks, time limits.',
    },
    policies: {
      one: 'Global policy',
      many: 'Global policies',
      about: 'A rule for all APIs, or for those that a filter names.',
    },
    policyTemplates: {
      one: 'Policy template',
      many: 'Policy templates',
      about: 'Policies that belong together, to be used by several APIs.',
    },
    aliases: { one: 'Alias', many: 'Aliases', about: 'A name for a value that differs from place to place.' },
    urlAliases: { one: 'URL alias', many: 'URL aliases', about: 'Another address of an API.' },
    destinations: { one: 'Destination', many: 'Destinations', about: 'Where alerts are sent.' },
    listeners: {
      one: 'Listener',
      many: 'Listeners',
      about: 'An address and port that the gateway answers on.',
    },
    authorizationServers: {
      one: 'Authorization server',
      many: 'Authorization servers',
      about: 'Who issues the tokens that clients send.',
    },
    secrets: {
      one: 'Secret',
      many: 'Secrets',
      about: 'A value that is kept encrypted, and that other assets refer to.',
    },
    keystores: {
      one: 'Keystore',
      many: 'Keystores',
      about: 'Private keys with their certificates, for listeners, upstreams and signatures.',
    },
    truststores: {
      one: 'Truststore',
      many: 'Truststores',
      about: 'Certificates of authorities that listeners and upstreams trust.',
    },
    sharedSettings: {
      one: 'Shared setting',
      many: 'Shared settings',
      about: 'Sections of the settings that hold on all nodes.',
    },
    plans: {
      one: 'Plan',
      many: 'Plans',
      about: 'How much of an API a subscription may use: rate and quota.',
    },
    subscriptions: {
      one: 'Subscription',
      many: 'Subscriptions',
      about: 'An application may call an API by a plan.',
    },
    apiDocuments: {
      one: 'API document',
      many: 'API documents',
      about: 'Something to read about an API in the developer portal: a text, a link or a file.',
    },
    portals: { one: 'Portal', many: 'Portals', about: 'How the developer portal looks.' },
    teams: { one: 'Team', many: 'Teams', about: 'Users who look after the same assets.' },
    teamRules: {
      one: 'Team rule',
      many: 'Team rules',
      about: 'Gives new assets to teams by what they are like.',
    },
    users: { one: 'User', many: 'Users', about: 'Somebody who logs in with a name and a password.' },
    groups: { one: 'Group', many: 'Groups', about: 'Users who may do the same.' },
  },
  de: {
    apis: { one: 'API', many: 'APIs', about: 'Eine veröffentlichte Schnittstelle vor einem Dienst.' },
    applications: {
      one: 'Anwendung',
      many: 'Anwendungen',
      about: 'Wer APIs aufruft: erkannt an API-Schlüsseln, Adressen, Zertifikaten oder Claims.',
    },
    upstreams: {
      one: 'Upstream',
      many: 'Upstreams',
      about: 'Ein Dienst hinter APIs: Adressen, Lastverteilung, Zustandsprüfung, Zeitgrenzen.',
    },
    policies: {
      one: 'Globale Richtlinie',
      many: 'Globale Richtlinien',
      about: 'Eine Regel für alle APIs oder für die, die ein Filter nennt.',
    },
    policyTemplates: {
      one: 'Richtlinienvorlage',
      many: 'Richtlinienvorlagen',
      about: 'Richtlinien, die zusammengehören, für mehrere APIs.',
    },
    aliases: {
      one: 'Alias',
      many: 'Aliase',
      about: 'Ein Name für einen Wert, der je nach Umgebung anders ist.',
    },
    urlAliases: { one: 'URL-Alias', many: 'URL-Aliase', about: 'Eine weitere Adresse einer API.' },
    destinations: { one: 'Ziel', many: 'Ziele', about: 'Wohin Alarme geschickt werden.' },
    listeners: {
      one: 'Listener',
      many: 'Listener',
      about: 'Adresse und Port, auf denen das Gateway antwortet.',
    },
    authorizationServers: {
      one: 'Autorisierungsserver',
      many: 'Autorisierungsserver',
      about: 'Wer die Token ausstellt, die Clients senden.',
    },
    secrets: {
      one: 'Geheimnis',
      many: 'Geheimnisse',
      about: 'Ein Wert, der verschlüsselt aufbewahrt wird und auf den andere Assets verweisen.',
    },
    keystores: {
      one: 'Keystore',
      many: 'Keystores',
      about: 'Private Schlüssel mit ihren Zertifikaten, für Listener, Upstreams und Signaturen.',
    },
    truststores: {
      one: 'Truststore',
      many: 'Truststores',
      about: 'Zertifikate der Stellen, denen Listener und Upstreams vertrauen.',
    },
    sharedSettings: {
      one: 'Gemeinsame Einstellung',
      many: 'Gemeinsame Einstellungen',
      about: 'Abschnitte der Einstellungen, die auf allen Knoten gelten.',
    },
    plans: {
      one: 'Plan',
      many: 'Pläne',
      about: 'Wie viel ein Abonnement von einer API nutzen darf: Rate und Kontingent.',
    },
    subscriptions: {
      one: 'Abonnement',
      many: 'Abonnements',
      about: 'Eine Anwendung darf eine API nach einem Plan aufrufen.',
    },
    apiDocuments: {
      one: 'API-Dokument',
      many: 'API-Dokumente',
      about: 'Etwas zu lesen über eine API im Entwicklerportal: ein Text, ein Link oder eine Datei.',
    },
    portals: { one: 'Portal', many: 'Portale', about: 'Wie das Entwicklerportal aussieht.' },
    teams: { one: 'Team', many: 'Teams', about: 'Benutzer, die sich um dieselben Assets kümmern.' },
    teamRules: {
      one: 'Teamregel',
      many: 'Teamregeln',
      about: 'Gibt neue Assets je nach ihren Eigenschaften an Teams.',
    },
    users: { one: 'Benutzer', many: 'Benutzer', about: 'Wer sich mit Namen und Passwort anmeldet.' },
    groups: { one: 'Gruppe', many: 'Gruppen', about: 'Benutzer, die dasselbe dürfen.' },
  },
};
