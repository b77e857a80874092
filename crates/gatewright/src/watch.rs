//! Watches the files of a configuration and says when one of them was changed as a whole.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
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
}

impl Watch {
    /// Every change puts something into the channel; changes that nobody has looked at yet count once.
    pub fn new(changed: mpsc::Sender<()>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_whole(event.kind)) {
                // A full channel says already what there is to say.
                let _ = changed.try_send(());
            }
        })?;
        Ok(Self { watcher, directories: HashSet::new() })
    }

    /// Watches these files and folders from now on, beside those watched already.
    pub fn add(&mut self, files: &[PathBuf]) {
        for file in files {
            let directory = if file.is_dir() { file.clone() } else { parent(file) };
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
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_)
    )
}
