//! Watches the files of a configuration and says when one of them was changed as a whole.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::mpsc;

/// A watch over files. Their directories are watched, since editors replace files instead of writing them.
pub struct Watch {
    watcher: RecommendedWatcher,
    directories: HashSet<PathBuf>,
    wanted: Arc<Mutex<Wanted>>,
}

/// Whose changes matter. Other files lie in the same directories, some of them written all the time.
#[derive(Default)]
struct Wanted {
    files: HashSet<PathBuf>,
    /// Folders in which every configuration file matters, also one that is not there yet.
    folders: HashSet<PathBuf>,
}

impl Wanted {
    fn wants(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let in_folder = || path.parent().is_some_and(|parent| self.folders.contains(parent));
        let is_configuration = || path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        // Mounted volumes are switched by renaming a link that begins with two dots.
        self.files.contains(path) || name.starts_with("..") || (in_folder() && is_configuration())
    }
}

impl Watch {
    /// Every change puts something into the channel; changes that nobody has looked at yet count once.
    pub fn new(changed: mpsc::Sender<()>) -> notify::Result<Self> {
        let wanted = Arc::new(Mutex::new(Wanted::default()));
        let seen = Arc::clone(&wanted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let matters = |event: &Event| {
                let wanted = seen.lock().unwrap_or_else(PoisonError::into_inner);
                event.paths.iter().any(|path| wanted.wants(path))
            };
            if event.is_ok_and(|event| is_whole(event.kind) && matters(&event)) {
                // A full channel says already what there is to say.
                let _ = changed.try_send(());
            }
        })?;
        Ok(Self { watcher, directories: HashSet::new(), wanted })
    }

    /// Watches these files and folders from now on, beside those watched already.
    pub fn add(&mut self, files: &[PathBuf]) {
        for file in files {
            let is_folder = file.is_dir();
            let directory = if is_folder { file.clone() } else { parent(file) };
            // Events carry absolute paths, whatever was asked for.
            let Ok(directory) = std::path::absolute(&directory) else { continue };
            {
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                match file.file_name() {
                    _ if is_folder => wanted.folders.insert(directory.clone()),
                    Some(name) => wanted.files.insert(directory.join(name)),
                    None => false,
                };
            }
            if self.directories.contains(&directory) {
                continue;
            }
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.directories.insert(directory);
                }
                Err(error) => {
                    tracing::warn!(directory = %directory.display(), %error, "changes here will not be noticed; send SIGHUP after a change");
                }
            }
        }
    }
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A file that is still being written is left alone until it is closed: half a configuration may be valid.
fn is_whole(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
    )
}
