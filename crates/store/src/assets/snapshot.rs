//! What a node served last, in a folder of its own: it starts from there when the database is away.
//!
//! A file holds all assets, with a checksum before them; each definition has a file that is called by its hash. The
//! assets are replaced last, in one step, so that there is always a whole snapshot.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Asset, DataKey, Head};
use crate::StoreError;

/// What the file of assets begins with; the checksum of all that comes after it follows.
const FORMAT: &str = "gatewright snapshot 1 ";

/// What a node served.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    pub head: Head,
    pub assets: Vec<Asset>,
    /// Definitions that the assets refer to, by their hashes.
    pub documents: Vec<String>,
    /// Keys of the secrets, encrypted as they are in the store.
    pub keys: Vec<DataKey>,
}

/// Replaces the snapshot in a folder. Only the owner may read it.
pub fn write<'a>(
    folder: &Path,
    snapshot: &Snapshot,
    content: impl Fn(&str) -> Option<&'a [u8]>,
) -> Result<(), StoreError> {
    let documents = folder.join("documents");
    in_place("create", &documents, || fs::DirBuilder::new().recursive(true).mode(0o700).create(&documents))?;
    for hash in &snapshot.documents {
        let path = documents.join(hash);
        if let Some(content) = content(hash).filter(|_| !path.exists()) {
            replace(&path, &[content])?;
        }
    }
    let body = serde_json::to_vec(snapshot).unwrap_or_default();
    let checksum = format!("{FORMAT}{:x}\n", Sha256::digest(&body));
    replace(&folder.join("assets"), &[checksum.as_bytes(), &body])?;
    // Nobody refers to the others any more.
    let used: HashSet<&str> = snapshot.documents.iter().map(String::as_str).collect();
    for entry in in_place("read", &documents, || fs::read_dir(&documents))?.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| used.contains(name)) {
            let path = entry.path();
            in_place("delete", &path, || fs::remove_file(&path))?;
        }
    }
    Ok(())
}

/// A snapshot, and its definitions in their order.
pub type Kept = (Snapshot, Vec<Vec<u8>>);

/// The snapshot in a folder, whole, or `None` when there is none.
pub fn read(folder: &Path) -> Result<Option<Kept>, StoreError> {
    let path = folder.join("assets");
    let content = match fs::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(StoreError::Io { action: "read", path, cause }),
    };
    let corrupt = |reason: String| StoreError::Corrupt { file: path.clone(), reason };
    let (head, body) = match content.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&content[..end], &content[end + 1..]),
        None => (&content[..], &[][..]),
    };
    let Some(checksum) = std::str::from_utf8(head).ok().and_then(|head| head.strip_prefix(FORMAT)) else {
        return Err(corrupt("it is no snapshot of this version".into()));
    };
    if format!("{:x}", Sha256::digest(body)) != checksum {
        return Err(corrupt("its checksum is not right".into()));
    }
    let snapshot: Snapshot = serde_json::from_slice(body).map_err(|error| corrupt(error.to_string()))?;
    let documents = snapshot.documents.iter().map(|hash| document(folder, hash)).collect::<Result<_, _>>()?;
    Ok(Some((snapshot, documents)))
}

fn document(folder: &Path, hash: &str) -> Result<Vec<u8>, StoreError> {
    let path = folder.join("documents").join(hash);
    let content = in_place("read", &path, || fs::read(&path))?;
    if format!("{:x}", Sha256::digest(&content)) == hash {
        return Ok(content);
    }
    Err(StoreError::Corrupt { file: path, reason: "it is not what its name says".into() })
}

/// Puts a file in the place of another one, in one step.
fn replace(path: &Path, content: &[&[u8]]) -> Result<(), StoreError> {
    let new: PathBuf = path.with_extension("new");
    in_place("write", &new, || {
        let mut file =
            fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        for part in content {
            file.write_all(part)?;
        }
        file.sync_all()
    })?;
    in_place("write", path, || {
        fs::rename(&new, path)?;
        // The name is safe when the folder is.
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    })
}

fn in_place<T>(
    action: &'static str,
    path: &Path,
    done: impl FnOnce() -> io::Result<T>,
) -> Result<T, StoreError> {
    done().map_err(|cause| StoreError::Io { action, path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn snapshot(documents: &[&[u8]]) -> Snapshot {
        let asset = Asset {
            kind: "api".into(),
            id: "1".into(),
            name: "orders:1.0".into(),
            revision: 7,
            created_at: 1,
            changed_at: 2,
            document: "{}".into(),
            sealed: None,
        };
        let documents = documents.iter().map(|content| format!("{:x}", Sha256::digest(content))).collect();
        Snapshot { head: Head { revision: 7, epoch: 3 }, assets: vec![asset], documents, keys: Vec::new() }
    }

    #[test]
    fn what_was_written_is_read_again_and_only_the_owner_may() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("snapshot");
        assert_eq!(read(&folder).unwrap(), None);
        let first = snapshot(&[b"one", b"two"]);
        write(&folder, &first, |hash| Some(if hash == first.documents[0] { b"one" } else { b"two" }))
            .unwrap();
        assert_eq!(read(&folder).unwrap(), Some((first, vec![b"one".to_vec(), b"two".to_vec()])));
        for file in [folder.join("assets"), folder.join("documents").join(&snapshot(&[b"one"]).documents[0])]
        {
            assert_eq!(
                fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                file.display()
            );
        }
        // A document that stays is not written again, and one that nobody uses goes.
        let second = snapshot(&[b"two"]);
        write(&folder, &second, |_| None).unwrap();
        assert_eq!(read(&folder).unwrap(), Some((second, vec![b"two".to_vec()])));
        assert_eq!(fs::read_dir(folder.join("documents")).unwrap().count(), 1);
    }

    #[test]
    fn no_half_of_a_snapshot_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let whole = snapshot(&[b"one"]);
        let assets = folder.join("assets");
        let document = folder.join("documents").join(&whole.documents[0]);
        for (file, change) in [
            (&assets, Box::new(|c: &mut Vec<u8>| c.truncate(c.len() - 1)) as Box<dyn Fn(&mut Vec<u8>)>),
            (&assets, Box::new(|c| c.truncate(10))),
            (&assets, Box::new(Vec::clear)),
            (&assets, Box::new(|c| *c.last_mut().unwrap() ^= 1)),
            (&assets, Box::new(|c| c[20] = b'2')),
            (&document, Box::new(|c| c.push(0))),
        ] {
            write(folder, &whole, |_| Some(b"one")).unwrap();
            let mut content = fs::read(file).unwrap();
            change(&mut content);
            fs::write(file, content).unwrap();
            assert!(matches!(read(folder), Err(StoreError::Corrupt { .. })), "{}", file.display());
            fs::remove_file(file).unwrap();
        }
        write(folder, &whole, |_| Some(b"one")).unwrap();
        fs::remove_file(&document).unwrap();
        assert!(matches!(read(folder), Err(StoreError::Io { .. })));
    }
}
