//! What policies see of the API that they are compiled for: its operations by position, and its definition.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    cell::{OnceCell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use model::{
    ConfigDoc, DestinationDoc, Diagnostic, Operation, PolicyFiles, Secret, UpstreamDoc,
    secret::ResolvedSecrets,
    source::{Documents, Sources},
};

use crate::language::LanguageCx;

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
    language: LanguageCx,
    files: Option<&'a PolicyFiles>,
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
        let files = Some(&config.files);
        let language = super::aliases::language(&config.aliases);
        let destinations = &*config.destinations;
        Self { operations, sources, upstreams, destinations, secrets, language, files, ..Self::default() }
    }

    /// What names stand for in the texts of its policies.
    pub(crate) fn language(&self) -> &LanguageCx {
        &self.language
    }

    pub(crate) fn secret(&self, secret: &Secret) -> Option<&'a str> {
        self.secrets?.get(secret)
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
