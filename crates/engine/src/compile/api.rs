//! One API: its operations into a trie, its policies into a chain.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use foldhash::fast::FixedState;
use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics, Operation, PolicyDoc, diagnostic::nearest};

use super::{ApiDefinition, ApiShape, CompileCx, Environment};
use crate::{
    journal::{ApiNames, Level, OperationNames, PolicyNames},
    route::{OperationTrie, Template, decode},
    snapshot::{self, CompiledApi, Slot},
    stats::ApiStats,
};

pub(super) struct Job<'a> {
    pub doc: &'a ApiDoc,
    pub definition: Option<&'a ApiDefinition>,
    pub path: &'a str,
    pub config: &'a ConfigDoc,
    pub environment: &'a Environment<'a>,
    pub revision: u64,
}

impl Job<'_> {
    /// The API compiled, or taken over when it is what it was.
    pub(super) fn compile(
        &self,
        reusable: &HashMap<&str, &Arc<CompiledApi>>,
        problems: &mut Diagnostics,
    ) -> Option<Arc<CompiledApi>> {
        let name = self.doc.name.clone().or_else(|| self.definition.map(|d| d.title.clone()));
        let Some(name) = name.filter(|name| !name.trim().is_empty()) else {
            problems.push(
                Diagnostic::error(
                    format!("{}.name", self.path),
                    "missing, and there is no definition with a title",
                )
                .help("add `name: Orders`"),
            );
            return None;
        };
        let version = self
            .doc
            .version
            .clone()
            .or_else(|| self.definition.map(|d| d.version.clone()))
            .unwrap_or_else(|| "1.0".to_owned());
        let id = format!("{name}:{version}");
        let fingerprint = self.fingerprint(&id);
        if let Some(known) = reusable.get(id.as_str()).filter(|known| known.fingerprint == fingerprint) {
            self.environment.registry.touch(self.revision, &known.state_keys);
            return Some(Arc::clone(known));
        }

        let errors_before = problems.0.len();
        let mut api_problems = Diagnostics::default();
        let (trie, operations) = self.operations(&mut api_problems);
        let operation_names = operations.iter().map(|operation| names_of(operation)).collect();
        let shape = ApiShape::new(operations, self.definition.and_then(|d| d.sources.as_deref()));
        let paths = self.base_paths(&name, &version, &mut api_problems);
        let chain = self.chain(&id, &shape, &mut api_problems);
        problems.0.extend(api_problems.0.into_iter().map(|p| p.under(self.path)));
        let ((base_path, versionless_path), chain) = paths.zip(chain)?;
        if problems.0[errors_before..].iter().any(|p| p.severity == model::diagnostic::Severity::Error) {
            return None;
        }
        let stats_key = format!("stats:{id}");
        let stats = self
            .environment
            .registry
            .keep(self.revision, stats_key.clone(), || ApiStats::new(self.environment.workers));
        let mut state_keys = chain.state_keys;
        state_keys.push(stats_key);
        Some(Arc::new(CompiledApi {
            names: Arc::new(ApiNames {
                id: id.into(),
                name: name.into(),
                version: version.into(),
                operations: operation_names,
                policies: chain.names,
            }),
            doc: self.doc.clone(),
            base_path: base_path.into(),
            versionless_path: versionless_path.map(Into::into),
            chains: [snapshot::Chain::new(chain.slots)].into(),
            operation_chains: [].into(),
            stats,
            max_body_size: self.doc.max_body_size.or(self.config.settings.limits.body_size).map(|s| s.get()),
            operations: trie,
            fingerprint,
            state_keys,
        }))
    }

    /// Covers everything that the compiled API is made from.
    fn fingerprint(&self, id: &str) -> u64 {
        let mut hasher = FixedState::with_seed(7).build_hasher();
        id.hash(&mut hasher);
        serde_json::to_vec(self.doc).unwrap_or_default().hash(&mut hasher);
        serde_json::to_vec(&self.config.policies).unwrap_or_default().hash(&mut hasher);
        self.definition.map(|d| d.fingerprint).hash(&mut hasher);
        self.config.settings.limits.body_size.map(|s| s.get()).hash(&mut hasher);
        self.environment.workers.hash(&mut hasher);
        hasher.finish()
    }

    /// The operations that requests can meet, by position.
    fn operations(&self, problems: &mut Diagnostics) -> (Option<OperationTrie>, Vec<Cow<'_, Operation>>) {
        if self.definition.is_none() && self.doc.operations.is_empty() {
            return (None, Vec::new());
        }
        let written = self.doc.operations.iter().enumerate().map(|(index, doc)| {
            let mut operation = Operation::new(doc.method.as_str(), doc.path.as_str());
            if let Some(name) = &doc.name {
                operation.name.clone_from(name);
            }
            (Some(index), Cow::Owned(operation))
        });
        let imported = self
            .definition
            .into_iter()
            .flat_map(|d| &d.operations)
            .map(|operation| (None, Cow::Borrowed(operation)));
        let mut trie = OperationTrie::default();
        let mut taken = Vec::new();
        for (index, operation) in written.chain(imported) {
            // What was written by hand must be right; a definition with flaws is used as far as it goes.
            let problem = |message: String| match index {
                Some(index) => Diagnostic::error(format!("operations[{index}]"), message),
                None => Diagnostic::warning("definition", message),
            };
            let valid_method = operation.method == "*"
                || (http::Method::from_bytes(operation.method.as_bytes()).is_ok()
                    && operation.method.bytes().all(|b| !b.is_ascii_lowercase()));
            if !valid_method {
                problems.push(problem(format!(
                    "found method `{}`, expected one in capitals such as GET, or `*`",
                    operation.method
                )));
                continue;
            }
            let template = match Template::parse(&operation.path) {
                Ok(template) => template,
                Err(error) => {
                    problems.push(problem(format!("found path `{}`, but {error}", operation.path)));
                    continue;
                }
            };
            let Ok(position) = u32::try_from(taken.len()) else { continue };
            if trie.insert(&template, &operation.method, position) {
                taken.push(operation);
            } else {
                problems.push(problem(format!(
                    "found {} {} a second time, or with other parameter names; only the first is used",
                    operation.method, operation.path
                )));
            }
        }
        (Some(trie), taken)
    }

    /// The API's base path, and the one for calls without a version.
    fn base_paths(
        &self,
        name: &str,
        version: &str,
        problems: &mut Diagnostics,
    ) -> Option<(String, Option<String>)> {
        let Some(written) = &self.doc.base_path else {
            // A slash inside a name would look like one more segment.
            let (name, version) = (name.trim().replace('/', "-"), version.trim().replace('/', "-"));
            return Some((format!("/gateway/{name}/{version}"), Some(format!("/gateway/{name}"))));
        };
        let trimmed = written.trim_end_matches('/');
        let problem = if !written.starts_with('/') {
            "expected a path that starts with `/`"
        } else if written.contains(['{', '}', '?', '#', '*']) {
            "expected a path without templates, wildcards, query or fragment"
        } else {
            match decode(trimmed, false) {
                Ok(decoded) if !decoded.contains("//") => return Some((decoded.into_owned(), None)),
                _ => "expected a path without empty or dot segments and with valid encoding",
            }
        };
        problems.push(Diagnostic::error("basePath", format!("found `{written}`, {problem}")));
        None
    }

    fn chain(&self, id: &str, api: &ApiShape<'_>, problems: &mut Diagnostics) -> Option<Chain> {
        let global = self.config.policies.iter().map(|doc| (Level::Global, doc)).enumerate();
        let own = self.doc.policies.iter().map(|doc| (Level::Api, doc)).enumerate();
        let mut chain: Vec<(Slot, PolicyNames)> = Vec::new();
        let mut cx = CompileCx::new(self.environment, self.revision, "").of_api(api);
        let mut failed = false;
        for (index, (level, doc)) in global.chain(own) {
            let path = format!("policies[{index}]");
            let Some(kind) = self.environment.kinds.iter().find(|kind| kind.type_name == doc.kind) else {
                problems.push(unknown_kind(self.environment, doc, &path));
                failed = true;
                continue;
            };
            // A policy that may be there once: the global one wins, and the API's own is inert.
            if !kind.repeatable && chain.iter().any(|(_, names)| names.kind == kind.type_name) {
                problems.push(Diagnostic::warning(
                    path,
                    format!(
                        "`{}` has no effect: it may be there once, and an earlier or global one wins",
                        doc.kind
                    ),
                ));
                continue;
            }
            let namesakes =
                chain.iter().filter(|(_, n)| n.level == level && *n.name == *doc.display_name()).count();
            cx.scope = format!("{id}/{}/{}/{namesakes}", level.name(), doc.display_name());
            let compiled = kind.compile(doc.config.clone(), &mut cx);
            // Prefixes and names of one policy mean nothing to the next.
            let warnings = std::mem::take(&mut cx.language).take_warnings();
            problems.0.extend(warnings.into_iter().map(|warning| warning.under("config").under(&path)));
            problems.0.extend(cx.take_warnings().into_iter().map(|w| w.under("config").under(&path)));
            match compiled {
                Ok(policy) => {
                    let needs = policy.get().needs();
                    chain.push((
                        Slot { position: 0, stage: kind.stage, policy, needs },
                        PolicyNames {
                            kind: kind.type_name,
                            name: doc.display_name().into(),
                            stage: kind.stage,
                            level,
                        },
                    ));
                }
                Err(found) => {
                    failed = true;
                    problems.0.extend(found.0.into_iter().map(|p| p.under("config").under(&path)));
                }
            }
        }
        if failed {
            return None;
        }
        chain.sort_by_key(|(slot, _)| slot.stage);
        for (position, (slot, _)) in (0_u16..).zip(&mut chain) {
            slot.position = position;
        }
        let (slots, names) = chain.into_iter().unzip();
        Some(Chain { slots, names, state_keys: cx.state_keys })
    }
}

fn names_of(operation: &Operation) -> OperationNames {
    OperationNames {
        name: operation.name.as_str().into(),
        method: operation.method.as_str().into(),
        path: operation.path.as_str().into(),
    }
}

struct Chain {
    slots: Vec<Slot>,
    names: Vec<PolicyNames>,
    state_keys: Vec<String>,
}

fn unknown_kind(environment: &Environment<'_>, doc: &PolicyDoc, path: &str) -> Diagnostic {
    let known = environment.kinds.iter().map(|kind| kind.type_name);
    let help = match nearest(&doc.kind, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known policies: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Diagnostic::error(format!("{path}.type"), format!("found `{}`, which is no policy", doc.kind)).help(help)
}
