//! Files that policies name in their configuration, such as scripts: read when the configuration is loaded.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// What is in the files that policies name, by the path as it is written there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PolicyFiles(BTreeMap<Box<str>, PolicyFile>);

#[derive(Clone, PartialEq, Eq)]
struct PolicyFile {
    content: Arc<[u8]>,
    /// Of the content, which may be long, and is asked for by every API.
    digest: u64,
}

impl PolicyFiles {
    pub fn insert(&mut self, name: &str, content: Vec<u8>) {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let file = PolicyFile { digest: hasher.finish(), content: content.into() };
        self.0.insert(name.into(), file);
    }

    pub fn get(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.0.get(name).map(|file| &file.content)
    }
}

impl Hash for PolicyFiles {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (name, file) in &self.0 {
            (name, file.digest).hash(state);
        }
    }
}

impl fmt::Debug for PolicyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
