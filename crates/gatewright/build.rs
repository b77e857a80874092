//! Lists the files of the console, when it has been built (`make console`), so that `src/console.rs` has them in the
//! program. Without them the program is built all the same.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let console = home.join("../../console");
    let built = console.join("dist");
    // A path that is not there would have this run for every build.
    let watched = if built.is_dir() { &built } else { &console };
    println!("cargo::rerun-if-changed={}", watched.display());

    let mut files = Vec::new();
    if built.join("index.html.gz").is_file() {
        collect(&built.canonicalize()?, "", &mut files)?;
        files.sort();
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("console.rs");
    let mut out = fs::File::create(out)?;
    writeln!(out, "static FILES: &[File] = &[")?;
    for (name, path) in files {
        let gzip = with_ending(&path, "gz");
        let brotli = with_ending(&path, "br");
        let mut hash = DefaultHasher::new();
        hash.write(&fs::read(&gzip)?);
        let tag = format!("\"{:016x}\"", hash.finish());
        writeln!(
            out,
            "    File {{ name: {name:?}, tag: {tag:?}, gzip: include_bytes!({gzip:?}), brotli: include_bytes!({brotli:?}) }},"
        )?;
    }
    writeln!(out, "];")
}

/// Files that were compressed, by the path that they are served under.
fn collect(folder: &Path, under: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, &format!("{under}{name}/"), files)?;
        } else if with_ending(&path, "gz").is_file() {
            files.push((format!("{under}{name}"), path));
        }
    }
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
