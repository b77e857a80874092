//! What policies see of the API that they are compiled for: its operations by position, and its definition.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    cell::{OnceCell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use model::{
    ConfigDoc, DestinationDoc, Diagnostic, KeyEntry, KeyMaterial, KeyRef, Operation, PolicyFiles, Secret,
    UpstreamDoc,
    diagnostic::nearest,
    secret::ResolvedSecrets,
    source::{Documents, Sources},
};

use crate::{
    authorization_server::{AuthorizationServer, AuthorizationServers},
    language::LanguageCx,
};

/// An API as its policies see it while they are compiled.
#[derive(Default)]
pub struct ApiShape<'a> {
    /// Those that requests can meet, by the position that `Exchange::operation` has: what is written by hand first,
    /// then what is imported, without those that were skipped.
    operations: &'a [Cow<'a, Operation>],
    sources: Option<&'a Sources>,
    upstreams: &'a [UpstreamDoc],
    destinations: &'a [DestinationDoc],
    secrets: Option<&'a ResolvedSecrets>,
    servers: Option<&'a AuthorizationServers>,
    name: &'a str,
    scopes: Vec<(&'a str, Vec<u32>)>,
    language: LanguageCx,
    files: Option<&'a PolicyFiles>,
    keys: Option<&'a KeyMaterial>,
    seals_callbacks: bool,
    documents: OnceCell<Documents>,
    shared: RefCell<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl<'a> ApiShape<'a> {
    /// Operations by position, and the definition that their addresses lead into.
    pub fn new(
        operations: &'a [Cow<'a, Operation>],
        sources: Option<&'a Sources>,
        config: &'a ConfigDoc,
    ) -> Self {
        let (upstreams, secrets) = (&*config.upstreams, Some(&config.resolved_secrets));
        let (files, keys) = (Some(&config.files), Some(&config.key_material));
        let language = super::aliases::language(&config.aliases);
        let destinations = &*config.destinations;
        Self {
            operations,
            sources,
            upstreams,
            destinations,
            secrets,
            language,
            files,
            keys,
            seals_callbacks: config.settings.callbacks.url.is_some(),
            ..Self::default()
        }
    }

    /// The same with the name of the API and its scopes.
    #[must_use]
    pub(crate) fn called(mut self, name: &'a str, scopes: Vec<(&'a str, Vec<u32>)>) -> Self {
        (self.name, self.scopes) = (name, scopes);
        self
    }

    #[must_use]
    pub(crate) fn with_authorization_servers(mut self, servers: &'a AuthorizationServers) -> Self {
        self.servers = Some(servers);
        self
    }

    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The operations of one of its scopes, by position.
    pub fn scope(&self, name: &str) -> Option<&[u32]> {
        self.scopes.iter().find(|(known, _)| *known == name).map(|(_, operations)| &**operations)
    }

    pub(crate) fn authorization_servers(
        &self,
        path: &str,
        names: &[String],
    ) -> Result<Vec<Arc<AuthorizationServer>>, Diagnostic> {
        let Some(servers) = self.servers else { return Ok(Vec::new()) };
        if names.is_empty() {
            let all: Vec<_> = servers.list.iter().filter(|server| server.is_for_calls()).cloned().collect();
            return match all.is_empty() {
                false => Ok(all),
                true => Err(Diagnostic::error(path, "there are no authorization servers")
                    .help("say in `authorizationServers` whose tokens are accepted")),
            };
        }
        let find = |(index, name): (usize, &String)| {
            let path = format!("{path}[{index}]");
            let found = servers.by_name(name).cloned();
            if found.as_ref().is_some_and(|server| !server.is_for_calls()) {
                let problem = format!("found `{name}`, whose tokens are good for `assertions` only");
                return Err(Diagnostic::error(path, problem)
                    .help("write what its tokens for APIs have in `aud` as `audiences` of the server"));
            }
            found.ok_or_else(|| {
                let problem =
                    Diagnostic::error(path, format!("found `{name}`, which is no authorization server"));
                match nearest(name, servers.list.iter().map(|server| &*server.name)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("name one of `authorizationServers`"),
                }
            })
        };
        names.iter().enumerate().map(find).collect()
    }

    pub(crate) fn seals_callbacks(&self) -> bool {
        self.seals_callbacks
    }

    /// What names stand for in the texts of its policies.
    pub(crate) fn language(&self) -> &LanguageCx {
        &self.language
    }

    pub(crate) fn secret(&self, secret: &Secret) -> Option<&'a str> {
        self.secrets?.get(secret)
    }

    pub(crate) fn key(&self, wanted: &KeyRef) -> Option<Result<&'a KeyEntry, Diagnostic>> {
        self.keys.map(|keys| keys.key(wanted))
    }

    pub(crate) fn file(&self, name: &str) -> Option<&'a Arc<[u8]>> {
        self.files?.get(name)
    }

    pub(crate) fn check_upstream(&self, text: &str) -> Result<(), Diagnostic> {
        if self.upstreams.iter().any(|upstream| upstream.name == text) {
            return Ok(());
        }
        if text.contains("://") {
            return super::upstreams::check_url(text);
        }
        Err(super::upstreams::unknown(text, self.upstreams.iter().map(|upstream| upstream.name.as_str())))
    }

    pub(crate) fn check_destination(&self, name: &str) -> Result<(), Diagnostic> {
        super::destinations::find(name, self.destinations)
    }

    pub fn operations(&self) -> &[Cow<'a, Operation>] {
        self.operations
    }

    /// The definition; empty when there is none. It is read when the first policy asks, and forgotten when the API
    /// is compiled: policies take out of it what they need.
    pub fn documents(&self) -> &Documents {
        self.documents.get_or_init(|| self.sources.map(Sources::read).unwrap_or_default())
    }

    /// Whether there is a definition at all.
    pub fn is_imported(&self) -> bool {
        self.sources.is_some()
    }

    /// Something made once for this API, however many policies ask for it.
    pub fn shared<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let known = self.shared.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return known;
        }
        let made = Arc::new(make());
        self.shared.borrow_mut().insert(TypeId::of::<T>(), made.clone());
        made
    }
}
