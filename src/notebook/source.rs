//! Reads a notebook or a script, refuses what cannot be a test, and makes it ready to be sent.
//!
//! Given files and parameters; knows nothing of a cluster. A notebook loses the outputs it was saved with, gets its
//! parameters, and each of its code cells a name that the log, the JUnit report and the summary all use.

mod names;
mod reading;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    inputs::Pairs,
    notebook::parameters,
    report::{Exit, Explain},
};

/// The notebooks that run when none is named: one for any cluster, and one for Kubeflow's.
const DIGITS: (&str, &str) = ("digits", include_str!("../../e2e/digits/digits.ipynb"));
const MNIST: (&str, &str) = ("mnist", include_str!("../../e2e/mnist/mnist.ipynb"));
/// A `ConfigMap` holds 1 MiB with its metadata; a file of ours no more than this.
pub(super) const PIECE: usize = 900 * 1024;
/// Into how many pieces a notebook may be split.
const PIECES: usize = 16;
/// Key of a code cell's metadata with the name that it goes by.
pub const METADATA: &str = "manifests-e2e";

/// What runs the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nbclient, cell by cell.
    Notebook,
    /// Python.
    Python,
    /// A POSIX shell.
    Sh,
    /// Bash.
    Bash,
}

impl Kind {
    /// The word that `start.sh` takes for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Notebook => "notebook",
            Self::Python => "python",
            Self::Sh => "sh",
            Self::Bash => "bash",
        }
    }
}

/// A test that can be sent to a cluster.
#[derive(Debug)]
pub struct Source {
    /// The file's name without its extension: `mnist`.
    pub name: String,
    /// What runs it.
    pub kind: Kind,
    /// The files that its container needs, none over 900 KiB.
    pub files: Vec<(String, Vec<u8>)>,
    /// The environment that it wants: a script's parameters, what limits a notebook.
    pub env: Vec<(String, String)>,
}

/// Why a file is no test. Nothing was created.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is missing or cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no notebook.
    #[error("{file} is no notebook: {reason}")]
    NotANotebook {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing in it that could pass.
    #[error("{file} has no code to run: it would pass without a test")]
    Empty {
        /// The file.
        file: String,
    },
    /// Neither its name nor its first line says what runs it.
    #[error("{file} is neither a Python nor a shell file")]
    UnknownScript {
        /// The file.
        file: String,
    },
    /// It does not fit into the cluster.
    #[error("{file} is too large to be sent: {size} KiB gzipped without outputs, of {limit} KiB")]
    TooLarge {
        /// The file.
        file: String,
        /// KiB that it takes.
        size: usize,
        /// KiB that it may take.
        limit: usize,
    },
    /// A parameter cannot be given to it.
    #[error("parameter `{name}`: {reason}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl Explain for SourceError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Unreadable { .. } => {
                    "name a file of this checkout (is there a checkout step before?)"
                }
                Self::NotANotebook { .. } => {
                    "`jupyter nbconvert --to notebook` writes one of format 4; a .py or .sh file goes to `script`"
                }
                Self::Empty { .. } => "add a code cell that fails when the test should fail",
                Self::UnknownScript { .. } => {
                    "call it .py, .sh or .bash, or begin it with `#!/usr/bin/env python3`"
                }
                Self::TooLarge { .. } => "let it download its data instead of carrying it",
                Self::Parameter { .. } => "write one `name=value` a line",
            }
            .to_owned(),
        )
    }
}

impl Source {
    /// Reads the notebook or script that is named, else the default notebook for a cluster without Kubeflow.
    ///
    /// # Errors
    /// [`SourceError`]: it can be no test.
    pub fn read(
        notebook: Option<&Path>,
        script: Option<&Path>,
        parameters: &Pairs,
    ) -> Result<Self, SourceError> {
        if let Some(path) = script {
            return Self::script(path, parameters);
        }
        let Some(path) = notebook else {
            return Self::default(DIGITS, parameters);
        };
        let bytes = bytes_of(path)?;
        Self::notebook(&stem(path), &path.display().to_string(), &bytes, parameters)
    }

    /// The default notebook for a cluster that serves one of Kubeflow's APIs.
    ///
    /// # Errors
    /// [`SourceError`]: it cannot be given these parameters.
    pub fn kubeflow(parameters: &Pairs) -> Result<Self, SourceError> {
        Self::default(MNIST, parameters)
    }

    fn default((name, text): (&str, &str), parameters: &Pairs) -> Result<Self, SourceError> {
        Self::notebook(name, "the default notebook", text.as_bytes(), parameters)
    }

    /// The same with a time limit for each of its cells.
    #[must_use]
    pub fn with_cell_timeout(mut self, limit: Option<Duration>) -> Self {
        let name = "MANIFESTS_E2E_CELL_TIMEOUT";
        self.env
            .extend(limit.map(|it| (name.to_owned(), it.as_secs_f64().to_string())));
        self
    }

    fn notebook(name: &str, file: &str, bytes: &[u8], given: &Pairs) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::NotANotebook {
            file: file.to_owned(),
            reason,
        };
        let mut notebook = reading::notebook(bytes).map_err(refuse)?;
        match notebook["nbformat"].as_i64() {
            Some(4) => {}
            Some(other) => return Err(refuse(format!("its format is {other}, not 4"))),
            None => return Err(refuse("it has no `nbformat`".to_owned())),
        }
        if !notebook["metadata"].is_object() {
            notebook["metadata"] = json!({});
        }
        for key in ["kernelspec", "language_info"] {
            if notebook["metadata"]
                .get(key)
                .is_some_and(|it| !it.is_object())
            {
                return Err(refuse(format!("its `{key}` is no object")));
            }
        }
        if let Some(metadata) = notebook["metadata"].as_object_mut() {
            // The state of widgets belongs to the outputs.
            metadata.remove("widgets");
        }
        let has_hashes = names::has_hashes(language(&notebook).unwrap_or("python"));
        let Some(cells) = notebook["cells"].as_array_mut() else {
            return Err(refuse("it has no `cells`".to_owned()));
        };
        for (index, cell) in cells.iter_mut().enumerate() {
            if !cell["cell_type"].is_string() || !is_text(&cell["source"]) {
                return Err(refuse(format!("cell {} has no type or source", index + 1)));
            }
            if !cell["metadata"].is_object() {
                cell["metadata"] = json!({});
            }
            if cell["metadata"]
                .get("tags")
                .is_some_and(|tags| !is_words(tags))
            {
                let number = index + 1;
                return Err(refuse(format!(
                    "the `tags` of cell {number} are no list of words"
                )));
            }
            if let Some(metadata) = cell["metadata"].as_object_mut() {
                // An executed notebook may be run again.
                metadata.remove(METADATA);
                metadata.remove("papermill");
            }
            if cell["cell_type"] == "code" {
                cell["outputs"] = json!([]);
                cell["execution_count"] = Value::Null;
            }
        }
        if names::name_cells(cells, has_hashes) == 0 {
            return Err(SourceError::Empty {
                file: file.to_owned(),
            });
        }
        parameters::inject(&mut notebook, given)?;
        Ok(Self {
            name: name.to_owned(),
            kind: Kind::Notebook,
            files: pieces(file, &notebook)?,
            env: Vec::new(),
        })
    }

    fn script(path: &Path, parameters: &Pairs) -> Result<Self, SourceError> {
        let bytes = bytes_of(path)?;
        let file = path.display().to_string();
        // A comment in Latin-1 keeps no script from running.
        let text = String::from_utf8_lossy(&bytes);
        let kind = kind_of(path, &text)
            .ok_or_else(|| SourceError::UnknownScript { file: file.clone() })?;
        let mut code = text.lines().map(str::trim);
        if !code.any(|line| !line.is_empty() && !line.starts_with('#')) {
            return Err(SourceError::Empty { file });
        }
        if bytes.len() > PIECE {
            return Err(SourceError::TooLarge {
                file,
                size: bytes.len() / 1024,
                limit: PIECE / 1024,
            });
        }
        for (name, _) in &parameters.0 {
            parameters::check_variable(name)?;
        }
        Ok(Self {
            name: stem(path),
            kind,
            files: vec![("script".to_owned(), bytes)],
            env: parameters.0.clone(),
        })
    }
}

/// The language that a notebook says it is in.
pub(super) fn language(notebook: &Value) -> Option<&str> {
    ["/kernelspec/language", "/language_info/name"]
        .iter()
        .find_map(|path| notebook["metadata"].pointer(path)?.as_str())
        .filter(|language| !language.is_empty())
}

fn is_words(value: &Value) -> bool {
    let words = value.as_array();
    words.is_some_and(|words| words.iter().all(Value::is_string))
}

/// The notebook as files: whole where it fits into a `ConfigMap`, else gzipped and cut.
fn pieces(file: &str, notebook: &Value) -> Result<Vec<(String, Vec<u8>)>, SourceError> {
    let text = serde_json::to_vec(notebook).expect("a notebook is plain data");
    if text.len() <= PIECE {
        return Ok(vec![("notebook.ipynb".to_owned(), text)]);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder
        .write_all(&text)
        .and_then(|()| encoder.finish())
        .expect("memory can be written");
    if packed.len() > PIECE * PIECES {
        return Err(SourceError::TooLarge {
            file: file.to_owned(),
            size: packed.len() / 1024,
            limit: PIECE * PIECES / 1024,
        });
    }
    let cut = packed.chunks(PIECE).enumerate();
    Ok(cut
        .map(|(index, piece)| (format!("notebook.ipynb.gz.{index:02}"), piece.to_vec()))
        .collect())
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, SourceError> {
    fs::read(path).map_err(|source| SourceError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(
        || "test".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

fn kind_of(path: &Path, text: &str) -> Option<Kind> {
    let first = text.lines().next().filter(|line| line.starts_with("#!"));
    let says = |word: &str| first.is_some_and(|line| line.contains(word));
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match extension {
        "py" => Some(Kind::Python),
        "bash" => Some(Kind::Bash),
        _ if says("python") => Some(Kind::Python),
        _ if says("bash") => Some(Kind::Bash),
        "sh" => Some(Kind::Sh),
        _ if says("/sh") || says(" sh") || says("dash") => Some(Kind::Sh),
        _ => None,
    }
}

fn is_text(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(lines) => lines.iter().all(Value::is_string),
        _ => false,
    }
}

/// A multi-line text of a notebook, which may be a list of lines.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// Whether a cell carries a tag.
pub(super) fn tagged(cell: &Value, tag: &str) -> bool {
    cell["metadata"]["tags"]
        .as_array()
        .is_some_and(|tags| tags.iter().any(|each| each == tag))
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests;
