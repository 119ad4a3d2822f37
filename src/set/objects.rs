//! The objects of a set: who each is, where it was written, what is sent for it.
//!
//! Given rendered YAML; refuses documents without kind or name.

mod values;

use std::sync::{Arc, LazyLock};

use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _},
};
use serde_json::Value;

use crate::{
    api::ObjectId,
    report::{Exit, Explain},
    yaml::{self, Document},
};

pub use values::values;

/// One object of a set. Its content is kept as JSON text, a tenth of what a tree of values takes.
#[derive(Clone, Debug)]
pub struct Object {
    /// Who it is.
    pub id: ObjectId,
    /// Version within its group.
    pub version: String,
    /// Where it was written: `e2e/sample, document 12`.
    pub source: String,
    body: Arc<[u8]>,
}

impl Object {
    /// `apiVersion` as it is written.
    pub fn api_version(&self) -> String {
        if self.id.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.id.group, self.version)
        }
    }

    /// Its content.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).expect("it was written from a value")
    }

    /// Its content as JSON text.
    pub fn body(&self) -> &Arc<[u8]> {
        &self.body
    }

    /// Whether it says nothing but who it is.
    pub fn is_bare(&self) -> bool {
        let only = |value: &Value, known: &[&str]| {
            let keys = value.as_object().into_iter().flatten();
            keys.map(|(key, _)| key.as_str())
                .all(|key| known.contains(&key))
        };
        let value = self.value();
        only(&value, &["apiVersion", "kind", "metadata"])
            && only(&value["metadata"], &["name", "namespace"])
    }

    /// Gives it other content; the identity stays.
    pub fn replace(&mut self, value: &Value) {
        self.body = serde_json::to_vec(value)
            .expect("a value can be written")
            .into();
    }

    /// Puts it into a namespace, or into none where its kind has no namespaces.
    pub fn settle(&mut self, namespace: Option<&str>) {
        if self.id.namespace.as_deref() == namespace {
            return;
        }
        let mut value = self.value();
        match (namespace, value["metadata"].as_object_mut()) {
            (Some(namespace), Some(metadata)) => {
                metadata.insert("namespace".to_owned(), namespace.into());
            }
            (None, Some(metadata)) => {
                metadata.remove("namespace");
            }
            (_, None) => {}
        }
        self.replace(&value);
        self.id.namespace = namespace.map(str::to_owned);
    }
}

/// Why a set cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// A document is no YAML, or a key in it is repeated.
    #[error("{at}: not YAML: {reason}")]
    Malformed {
        /// Where: `e2e/sample.yaml:12`, and which object if that can be told.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// A document is no object.
    #[error("{at}: not a Kubernetes object: it has no {missing}")]
    Incomplete {
        /// Where.
        at: String,
        /// `kind`, `apiVersion`, `metadata.name`.
        missing: &'static str,
    },
    /// What has to be text is none.
    #[error("{at}: its {field} is {value}, which is not text: quote it")]
    NoText {
        /// Where.
        at: String,
        /// `metadata.name`.
        field: &'static str,
        /// What is there: `true`.
        value: String,
    },
    /// An object has `generateName` alone: each deploy would make another.
    #[error("{at}: it has `generateName` and no `name`")]
    Generated {
        /// Where.
        at: String,
    },
    /// More than one thing is wrong.
    #[error("{}, and {} more", .0[0], .0.len() - 1)]
    Several(Vec<SetError>),
    /// Nothing is to be deployed.
    #[error("the manifests hold no object")]
    Empty,
}

impl SetError {
    /// All that is wrong, as one; at least one thing is.
    pub fn all(errors: Vec<SetError>) -> Self {
        let mut flat = Vec::new();
        for error in errors {
            match error {
                Self::Several(errors) => flat.extend(errors),
                error => flat.push(error),
            }
        }
        if flat.len() == 1 {
            flat.remove(0)
        } else {
            Self::Several(flat)
        }
    }

    /// What is wrong with a source before it has documents.
    pub fn of(source: &str, fault: yaml::Fault) -> Self {
        Self::Malformed {
            at: format!("{source}:{}", fault.line),
            reason: fault.reason,
        }
    }

    /// What is wrong with a document.
    fn malformed(source: &str, document: &Document, faults: Vec<yaml::Fault>) -> Self {
        let object = document.object();
        let object = object.map_or_else(String::new, |object| format!(" ({object})"));
        let errors = faults.into_iter().map(|fault| Self::Malformed {
            at: format!("{source}:{}{object}", fault.line),
            reason: fault.reason,
        });
        Self::all(errors.collect())
    }
}

impl Explain for SetError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Several(errors) => return errors[0].hint(),
                Self::Malformed { .. } | Self::NoText { .. } | Self::Empty => return None,
                Self::Incomplete { .. } => "name kustomize directories and files of manifests only",
                Self::Generated { .. } => {
                    "each deploy would make another object: give it a `name`, or make it with `kubectl create` in a step of its own"
                }
            }
            .to_owned(),
        )
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Several(errors) => errors.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads the objects of one source: each document, the items of lists one by one, empty documents skipped.
///
/// # Errors
/// [`SetError`] naming each document that cannot be taken.
pub fn read(source: &str, text: &str) -> Result<Vec<Object>, SetError> {
    let documents = yaml::documents(text);
    let one = |(number, document): (usize, &Document)| {
        let value = document
            .read()
            .map_err(|faults| SetError::malformed(source, document, faults))?;
        let mut objects = Vec::new();
        let at = format!("{source}, document {}", number + 1);
        take(&value, &at, &mut objects)?;
        Ok(objects)
    };
    let read: Vec<Result<Vec<Object>, SetError>> =
        side_by_side(|| documents.par_iter().enumerate().map(one).collect());
    let mut objects = Vec::new();
    let mut errors = Vec::new();
    for read in read {
        match read {
            Ok(read) => objects.extend(read),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(objects)
    } else {
        Err(SetError::all(errors))
    }
}

/// Does work of many parts on the threads that read sets: four at most, since each holds the tree of a whole document.
pub fn side_by_side<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static READERS: LazyLock<ThreadPool> = LazyLock::new(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolBuilder::new()
            .num_threads(cores.min(4))
            // As the main thread's: a parser takes up to 1.6 MB for what is nested deep.
            .stack_size(8 << 20)
            .build()
            .expect("threads can be started")
    });
    READERS.install(work)
}

fn take(value: &Value, at: &str, objects: &mut Vec<Object>) -> Result<(), SetError> {
    if value.is_null() {
        return Ok(());
    }
    let text = |pointer: &str| {
        let text = value.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    // YAML 1.1 takes `on` and `n` for booleans.
    let typed = |field: &'static str| match value.pointer(&format!("/{}", field.replace('.', "/")))
    {
        Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(SetError::NoText {
            at: at.to_owned(),
            field,
            value: value.to_string(),
        }),
        _ => None,
    };
    let missing = |missing: &'static str| {
        typed(missing).unwrap_or_else(|| SetError::Incomplete {
            at: at.to_owned(),
            missing,
        })
    };
    let kind = text("/kind").ok_or_else(|| missing("kind"))?;
    let api_version = text("/apiVersion").ok_or_else(|| missing("apiVersion"))?;
    if values::is_list(&kind, value) {
        let items = value["items"].as_array().into_iter().flatten();
        for (number, item) in items.enumerate() {
            let item = values::of_list(item.clone(), &kind, &api_version);
            take(&item, &format!("{at}, item {}", number + 1), objects)?;
        }
        return Ok(());
    }
    let generated =
        text("/metadata/generateName").map(|_| SetError::Generated { at: at.to_owned() });
    let name = text("/metadata/name")
        .ok_or_else(|| generated.unwrap_or_else(|| missing("metadata.name")))?;
    if let Some(error) = typed("metadata.namespace") {
        return Err(error);
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let mut object = Object {
        id: ObjectId {
            group: group.to_owned(),
            kind,
            namespace: text("/metadata/namespace"),
            name,
        },
        version: version.to_owned(),
        source: at.to_owned(),
        body: Arc::from([]),
    };
    object.replace(value);
    objects.push(object);
    Ok(())
}

#[cfg(test)]
mod tests;
