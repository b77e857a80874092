//! Configuration files: one, or all of a folder, into one document that remembers where everything was written.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use manager::{Assets, Held};
use model::{
    ApiDoc, ConfigDoc, Diagnostic, Diagnostics, SharedSettingsDoc, check, diagnostic::Severity, yaml,
};

use crate::testing::is_test_file;

/// Largest configuration file.
const LARGEST: u64 = 64 << 20;

/// A configuration and where its parts were written.
pub(super) struct Read {
    pub config: ConfigDoc,
    pub origins: Origins,
    pub files: Vec<PathBuf>,
}

/// Where the entries of each list were written.
#[derive(Debug, Default)]
pub(super) struct Origins {
    files: Vec<(String, yaml::Marks)>,
    /// File and position in it, by the name of the list and the position in the whole.
    entries: HashMap<&'static str, Vec<(usize, usize)>>,
    settings: Option<usize>,
    /// What comes after the entries of files.
    assets: Option<Arc<Assets>>,
    /// The assets of each list, read when something is to be told of one.
    of_list: OnceLock<HashMap<&'static str, Vec<Arc<Held>>>>,
}

impl Origins {
    /// The next entries of all lists are assets, each of which is shown as if it were a file.
    pub(super) fn go_on(&mut self, assets: Arc<Assets>) {
        self.assets = Some(assets);
    }

    /// Only these entries of a list are left.
    pub(super) fn retain(&mut self, list: &'static str, left: &[bool]) {
        if let Some(entries) = self.entries.get_mut(list) {
            let mut left = left.iter();
            entries.retain(|_| left.next().copied().unwrap_or(true));
        }
    }

    /// The assets of a list that are served, in the order of the configuration.
    fn assets_of(&self, list: &str) -> &[Arc<Held>] {
        let all = self.of_list.get_or_init(|| {
            let mut all = HashMap::<_, Vec<_>>::new();
            for held in self.assets.iter().flat_map(|assets| assets.all()) {
                if held.parsed.typed.downcast_ref::<ApiDoc>().is_none_or(ApiDoc::is_served) {
                    all.entry(held.kind.list).or_default().push(Arc::clone(held));
                }
            }
            all
        });
        all.get(list).map_or(&[], Vec::as_slice)
    }

    /// The asset that a path of the settings is in, and the path in it.
    fn in_shared(&self, path: &str) -> Option<(&Held, String)> {
        let path = path.strip_prefix("settings.")?;
        let section = path.split(['[', '.']).next().unwrap_or(path);
        let shared = self.assets_of("sharedSettings").iter().find(|held| {
            let doc = held.parsed.typed.downcast_ref::<SharedSettingsDoc>();
            doc.is_some_and(|doc| doc.sections().contains(&section))
        })?;
        Some((shared, path.to_owned()))
    }

    /// Turns a path in the whole configuration into a file, a line and a path in that file.
    pub(super) fn locate(&self, mut problem: Diagnostic) -> Diagnostic {
        if problem.file.is_some() {
            return problem;
        }
        let in_asset = |mut problem: Diagnostic, held: &Held, path: String| {
            problem.path = path;
            problem.in_file(format!("{} {}", held.kind.name, held.parsed.name), None)
        };
        if let Some((held, path)) = self.in_shared(&problem.path) {
            return in_asset(problem, held, path);
        }
        let list = problem.path.split(['[', '.']).next().unwrap_or("").to_owned();
        let mut file = (list == "settings").then_some(self.settings).flatten();
        let rest = problem.path[list.len()..].to_owned();
        if let Some((index, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && let Ok(index) = index.parse::<usize>()
        {
            let entries = self.entries.get(list.as_str()).map_or(&[][..], Vec::as_slice);
            match entries.get(index) {
                Some((of, position)) => {
                    problem.path = format!("{list}[{position}]{rest}");
                    file = Some(*of);
                }
                None => {
                    if let Some(held) = self.assets_of(&list).get(index - entries.len()) {
                        return in_asset(problem, held, rest.trim_start_matches('.').to_owned());
                    }
                }
            }
        }
        let only = || (self.files.len() == 1 && self.assets.is_none()).then_some(0);
        match file.or_else(only).and_then(|file| self.files.get(file)) {
            Some((name, marks)) => {
                let line = marks.line(&problem.path);
                problem.in_file(name.clone(), line)
            }
            None => problem,
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Read, Diagnostics> {
    let paths = if path.is_dir() { folder(path)? } else { vec![path.to_owned()] };
    let whole_folder = path.is_dir();
    let mut read = Read { config: ConfigDoc::default(), origins: Origins::default(), files: Vec::new() };
    let mut problems = Diagnostics::default();
    for file in paths {
        if let Err(found) = read_file(&file, whole_folder, &mut read) {
            problems.0.extend(found.0);
        }
    }
    if whole_folder {
        // A file that appears later belongs to the configuration, too.
        read.files.push(path.to_owned());
    }
    if problems.has_errors() { Err(problems) } else { Ok(read) }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.is_file()
                && path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
                && !is_test_file(path)
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Diagnostic::error("", "the folder has no .yaml, .yml or .json file")
            .in_file(path.display().to_string(), None)
            .into());
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostics {
    Diagnostic::error("", format!("cannot be read: {error}")).in_file(path.display().to_string(), None).into()
}

fn read_file(path: &Path, in_folder: bool, read: &mut Read) -> Result<(), Diagnostics> {
    let name = path.display().to_string();
    let here = |d: Diagnostic| {
        let line = d.line;
        d.in_file(name.clone(), line)
    };
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > LARGEST {
        return Err(here(Diagnostic::error("", "is larger than 64 MiB")).into());
    }
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let parsed = yaml::parse(&text).map_err(|d| Diagnostics::from(here(d)))?;
    if parsed.value.is_null() {
        return Err(here(
            Diagnostic::error("", "the file is empty").help("`gatewright schema` shows what it may hold"),
        )
        .into());
    }
    let is_definition = |key| parsed.value.get(key).is_some();
    if is_definition("openapi") || is_definition("swagger") {
        if in_folder {
            return Ok(());
        }
        return Err(here(
            Diagnostic::error("", "this is an API definition, not a configuration")
                .help(format!("`gatewright up {name}` serves it, `apis: [{{definition: {name}}}]` uses it")),
        )
        .into());
    }
    // What is odd in a definition is used as far as it goes; what is odd in a configuration was not meant.
    if !parsed.warnings.is_empty() {
        let odd = parsed.warnings.into_iter().map(|d| Diagnostic { severity: Severity::Error, ..here(d) });
        return Err(Diagnostics(odd.collect()));
    }
    read.files.push(path.to_owned());
    let has_settings = parsed.value.get("settings").is_some();
    let whole = parsed.value.clone();
    let document: ConfigDoc = check::parse(parsed.value).map_err(|problems| {
        // The full schema looks into the policies as well, so that everything is said at once.
        let full = check::check(&policies::config_schema(), &whole);
        let problems = if full.len() > problems.0.len() { Diagnostics(full) } else { problems };
        Diagnostics(
            problems
                .0
                .into_iter()
                .map(|d| {
                    let line = parsed.marks.line(&d.path);
                    d.in_file(name.clone(), line)
                })
                .collect(),
        )
    })?;
    let file = read.origins.files.len();
    if has_settings {
        if let Some(other) = read.origins.settings.replace(file) {
            let other = &read.origins.files[other].0;
            return Err(here(Diagnostic::error(
                "settings",
                format!("are in {other} already; one file may have them"),
            ))
            .into());
        }
        read.config.settings = document.settings;
    }
    read.origins.files.push((name, parsed.marks));
    let entries = &mut read.origins.entries;
    append(entries, "listeners", file, &mut read.config.listeners, document.listeners);
    append(entries, "upstreams", file, &mut read.config.upstreams, document.upstreams);
    append(entries, "apis", file, &mut read.config.apis, document.apis.iter().cloned().collect());
    append(entries, "applications", file, &mut read.config.applications, document.applications);
    let servers = &mut read.config.authorization_servers;
    append(entries, "authorizationServers", file, servers, document.authorization_servers);
    append(entries, "users", file, &mut read.config.users, document.users);
    append(entries, "groups", file, &mut read.config.groups, document.groups);
    append(entries, "teams", file, &mut read.config.teams, document.teams);
    append(entries, "teamRules", file, &mut read.config.team_rules, document.team_rules);
    append(entries, "policies", file, &mut read.config.policies, document.policies);
    append(entries, "aliases", file, &mut read.config.aliases, document.aliases);
    append(entries, "destinations", file, &mut read.config.destinations, document.destinations);
    append(entries, "urlAliases", file, &mut read.config.url_aliases, document.url_aliases);
    append(entries, "secrets", file, &mut read.config.secrets, document.secrets);
    append(entries, "keystores", file, &mut read.config.keystores, document.keystores);
    append(entries, "truststores", file, &mut read.config.truststores, document.truststores);
    append(entries, "plans", file, &mut read.config.plans, document.plans);
    append(entries, "subscriptions", file, &mut read.config.subscriptions, document.subscriptions);
    append(entries, "apiDocuments", file, &mut read.config.api_documents, document.api_documents);
    append(entries, "sharedSettings", file, &mut read.config.shared_settings, document.shared_settings);
    append(entries, "portals", file, &mut read.config.portals, document.portals);
    let templates = &mut read.config.policy_templates;
    append(entries, "policyTemplates", file, templates, document.policy_templates);
    Ok(())
}

fn append<T>(
    entries: &mut HashMap<&'static str, Vec<(usize, usize)>>,
    list: &'static str,
    file: usize,
    whole: &mut impl Extend<T>,
    part: Vec<T>,
) {
    entries.entry(list).or_default().extend((0..part.len()).map(|position| (file, position)));
    whole.extend(part);
}
