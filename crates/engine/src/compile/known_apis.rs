//! APIs by name, for whatever else names one. They are read when somebody asks, which in most configurations is for few of
//! many thousand.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use foldhash::fast::RandomState;
use model::{ConfigDoc, Diagnostic, diagnostic::nearest};

pub struct KnownApis<'a> {
    config: &'a ConfigDoc,
    read: OnceCell<Read<'a>>,
}

struct Read<'a> {
    versions: HashMap<&'a str, HashSet<&'a str>, RandomState>,
    /// Names that come from definitions are not known here.
    all: bool,
}

impl<'a> KnownApis<'a> {
    pub fn new(config: &'a ConfigDoc) -> Self {
        Self { config, read: OnceCell::new() }
    }

    fn read(&self) -> &Read<'a> {
        self.read.get_or_init(|| {
            let mut read = Read { versions: HashMap::default(), all: true };
            for api in &self.config.apis {
                match &api.name {
                    Some(name) => {
                        let version = api.version.as_deref().unwrap_or("1.0");
                        read.versions.entry(name).or_default().insert(version);
                    }
                    None => read.all = false,
                }
            }
            read
        })
    }

    /// What is wrong with a name that is none of an API, as far as that can be said.
    pub fn unknown(&self, path: impl FnOnce() -> String, name: &str) -> Option<Diagnostic> {
        let read = self.read();
        (read.all && !read.versions.contains_key(name)).then(|| self.problem(path(), name))
    }

    /// The same for a name, or a name and a version.
    pub fn unknown_with_version(&self, path: impl FnOnce() -> String, text: &str) -> Option<Diagnostic> {
        let read = self.read();
        let is_known = read.versions.contains_key(text)
            || text.match_indices(':').any(|(colon, _)| {
                let versions = read.versions.get(&text[..colon]);
                versions.is_some_and(|versions| versions.contains(&text[colon + 1..]))
            });
        (read.all && !is_known).then(|| self.problem(path(), text))
    }

    fn problem(&self, path: String, name: &str) -> Diagnostic {
        let problem = Diagnostic::error(path, format!("found `{name}`, which is no API"));
        match nearest(name, self.read().versions.keys().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        }
    }
}
