//! The files of the repository, read once for all checks.

use crate::source::{Literals, code};
use anyhow::{Context as _, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folders that are not the project's own text, beside the hidden ones.
const SKIPPED: [&str; 5] = ["target", "node_modules", "__pycache__", "artifacts", "corpus"];
/// Hidden folders that are.
const HIDDEN: [&str; 2] = [".ci", ".cargo"];
/// What is text that people write. Data, fixtures and lock files are not.
const EXTENSIONS: [&str; 11] = ["rs", "md", "toml", "yaml", "yml", "sh", "py", "js", "mjs", "ts", "tsx"];
/// Files of that kind without an extension.
const NAMES: [&str; 2] = ["Makefile", "run"];

/// The repository.
#[derive(Debug, Default)]
pub struct Tree {
    /// Where it is.
    pub root: PathBuf,
    /// Its files, by path.
    pub files: Vec<File>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// The path from the root, with forward slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
    code: OnceLock<String>,
}

/// The root of the repository that this crate stands in.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

// === impl Tree ===

impl Tree {
    /// Reads every file that people write.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                if path.is_dir() && !path.is_symlink() {
                    if HIDDEN.contains(&name) || !(name.starts_with('.') || SKIPPED.contains(&name)) {
                        folders.push(path);
                    }
                } else if is_ours(&path, name) {
                    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                    let relative = path.strip_prefix(root).unwrap_or(&path);
                    files.push(File::new(relative.to_string_lossy().replace('\\', "/"), text));
                }
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { root: root.to_owned(), files })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.has_extension("rs"))
    }

    /// The file at a path.
    ///
    /// # Errors
    /// When there is none.
    pub fn file(&self, path: &str) -> Result<&File> {
        self.files.iter().find(|file| file.path == path).with_context(|| format!("there is no {path}"))
    }

    /// A tree of a few files, for the tests of the checks.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File::new((*path).into(), (*text).into());
        Self { root: PathBuf::new(), files: files.iter().map(file).collect() }
    }
}

fn is_ours(path: &Path, name: &str) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    EXTENSIONS.contains(&extension) || NAMES.contains(&name)
}

// === impl File ===

impl File {
    fn new(path: String, text: String) -> Self {
        Self { path, text, code: OnceLock::new() }
    }

    /// Its code, line for line, without comments and without what stands in literals.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.get_or_init(|| code(&self.text, Literals::Blanked))
    }

    /// Whether the name ends so.
    #[must_use]
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension() == Some(OsStr::new(extension))
    }

    /// The name without its extension.
    #[must_use]
    pub fn stem(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(OsStr::to_str).unwrap_or_default()
    }

    /// The crate that the file belongs to, and its path inside that crate.
    #[must_use]
    pub fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}
