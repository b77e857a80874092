//! Where documents come from that a definition refers to.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Largest document that is read.
pub(crate) const MAX_DOCUMENT: u64 = 64 << 20;

/// Reads documents that a definition refers to.
pub trait Loader {
    /// Bytes of the document at an absolute path or URL, or why they are not to be had.
    fn load(&self, location: &str) -> Result<Vec<u8>, String>;
}

/// Reads nothing: for definitions that arrive alone, whose references must not reach into this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLoader;

impl Loader for NoLoader {
    fn load(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("other documents are not read here; give the definition as one document".to_owned())
    }
}

/// Reads files below one directory.
#[derive(Debug, Clone)]
pub struct FileLoader {
    root: PathBuf,
}

impl FileLoader {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Reads files below the directory that holds `file`.
    pub fn beside(file: &Path) -> Self {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::new(parent.unwrap_or(Path::new(".")))
    }
}

impl Loader for FileLoader {
    fn load(&self, location: &str) -> Result<Vec<u8>, String> {
        if location.contains("://") {
            return Err("it is a URL, and only files beside the definition are read".to_owned());
        }
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => "there is no such file".to_owned(),
            ErrorKind::PermissionDenied => "permission to read the file is denied".to_owned(),
            _ => error.to_string(),
        };
        let root = fs::canonicalize(&self.root).map_err(failed)?;
        // Symbolic links are followed first: one that leads outside is outside.
        let path = fs::canonicalize(location);
        if !path.as_ref().is_ok_and(|path| path.starts_with(&root)) {
            // Whether a file exists out there is nobody's business.
            let inside = |root: &Path| {
                std::path::absolute(location).is_ok_and(|path| {
                    path.starts_with(root)
                        || std::path::absolute(root).is_ok_and(|root| path.starts_with(root))
                })
            };
            return Err(match path {
                Err(error) if inside(&self.root) || inside(&root) => failed(error),
                _ => "it is outside of the directory of the definition; move the file into it".to_owned(),
            });
        }
        let path = path.map_err(failed)?;
        let metadata = fs::metadata(&path).map_err(failed)?;
        // A pipe or a device could keep us waiting for ever.
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let mut bytes = Vec::new();
        File::open(&path).map_err(failed)?.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(format!("it is larger than {} MiB", MAX_DOCUMENT >> 20));
        }
        Ok(bytes)
    }
}
