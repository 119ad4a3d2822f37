//! The objects of a set: who each is, where it was written, what is sent for it.
//!
//! Given rendered YAML; refuses documents without kind or name.

mod values;

use std::sync::{Arc, LazyLock};

use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _},
};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    api::ObjectId,
    report::{Exit, Explain},
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
    /// A document is no YAML.
    #[error("{at}: not YAML: {reason}")]
    Malformed {
        /// Where.
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
    /// An object has `generateName` alone: each deploy would make another.
    #[error("{at}: it has `generateName` and no `name`")]
    Generated {
        /// Where.
        at: String,
    },
    /// Nothing is to be deployed.
    #[error("the manifests hold no object")]
    Empty,
}

impl Explain for SetError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Malformed { .. } | Self::Empty => return None,
                Self::Incomplete { .. } => "name kustomize directories and files of manifests only",
                Self::Generated { .. } => {
                    "each deploy would make another object: give it a `name`, or make it with `kubectl create` in a step of its own"
                }
            }
            .to_owned(),
        )
    }
}

/// Reads the objects of one source: each document, the items of lists one by one, empty documents skipped.
///
/// # Errors
/// [`SetError`] naming the document.
pub fn read(source: &str, text: &str) -> Result<Vec<Object>, SetError> {
    let documents: Vec<&str> = documents(text).collect();
    let one = |(number, document): (usize, &&str)| {
        let at = format!("{source}, document {}", number + 1);
        let malformed = |reason| SetError::Malformed {
            at: at.clone(),
            reason,
        };
        let value = parse(document).map_err(malformed)?;
        if is_deeper(&value, DEEPEST) {
            return Err(malformed(format!("nested more than {DEEPEST} deep")));
        }
        let mut objects = Vec::new();
        take(&value, &at, &mut objects)?;
        Ok(objects)
    };
    // All of them before any is looked at: the first that is wrong is told, whichever was read first.
    let read: Vec<Result<Vec<Object>, SetError>> =
        side_by_side(|| documents.par_iter().enumerate().map(one).collect());
    let objects: Result<Vec<Vec<Object>>, SetError> = read.into_iter().collect();
    Ok(objects?.into_iter().flatten().collect())
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

/// So many lists and maps within each other are read as JSON again.
const DEEPEST: usize = 127;

fn is_deeper(value: &Value, than: usize) -> bool {
    let inner = |inner: &Value| is_deeper(inner, than - 1);
    match value {
        Value::Array(items) => than == 0 || items.iter().any(inner),
        Value::Object(map) => than == 0 || map.values().any(inner),
        _ => false,
    }
}

fn take(value: &Value, at: &str, objects: &mut Vec<Object>) -> Result<(), SetError> {
    if value.is_null() {
        return Ok(());
    }
    let text = |pointer: &str| {
        let text = value.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let missing = |missing: &'static str| SetError::Incomplete {
        at: at.to_owned(),
        missing,
    };
    let kind = text("/kind").ok_or_else(|| missing("kind"))?;
    let api_version = text("/apiVersion").ok_or_else(|| missing("apiVersion"))?;
    if let Some(items) = value.get("items").and_then(Value::as_array)
        && kind.ends_with("List")
    {
        for (number, item) in items.iter().enumerate() {
            take(item, &format!("{at}, item {}", number + 1), objects)?;
        }
        return Ok(());
    }
    let generated =
        text("/metadata/generateName").map(|_| SetError::Generated { at: at.to_owned() });
    let name = text("/metadata/name")
        .ok_or_else(|| generated.unwrap_or_else(|| missing("metadata.name")))?;
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

/// The documents of a text. A line that begins with `---` and a blank parts them, wherever it stands: YAML allows it in
/// no scalar.
pub fn documents(text: &str) -> impl Iterator<Item = &str> {
    static MARK: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r"(?m)^---(?:[ \t].*)?\r?$\n?").expect("the pattern is valid")
    });
    MARK.split(text.trim_start_matches('\u{feff}'))
        .filter(|document| {
            document
                .lines()
                .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        })
}

fn parse(document: &str) -> Result<Value, String> {
    static OCTAL: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r"[:\-,\[{][ \t]+0[0-7]+[ \t]*(?:#|,|\}|\]|\r?$|\r?\n)")
            .expect("the pattern is valid")
    });
    if !OCTAL.is_match(document) {
        let reader = serde_yaml::Deserializer::from_str(document);
        return Value::deserialize(reader).map_err(|error| error.to_string());
    }
    // `0440` is octal to kubectl and text to YAML 1.2; the parser that knows the former takes three times as long.
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        // Or a namespace could not be called `n`.
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| {
        // The rest of it is an excerpt, which may show the values of a Secret.
        let text = error.to_string();
        text.lines().next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(text: &str) -> Vec<String> {
        let objects = read("x", text).unwrap();
        objects.iter().map(|o| o.id.to_string()).collect()
    }

    #[test]
    fn lists_are_opened_and_empty_documents_skipped() {
        let text = "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n\
                    - {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n\
                    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: b, namespace: a}}\n---\n";
        assert_eq!(ids(text), ["Namespace a", "Deployment a/b"]);
    }

    #[test]
    fn written_scalars_mean_what_kubectl_takes_them_for() {
        let text = "apiVersion: v1\nkind: X\nmetadata: {name: a}\nmode: 0440\non: n\ntext: '0440'\nin: {a: 017}\nno: |\n  mode: 0440\n";
        let value = read("x", text).unwrap()[0].value();
        assert_eq!(value["mode"], 288);
        assert_eq!(value["on"], "n");
        assert_eq!(value["text"], "0440");
        assert_eq!(value["in"]["a"], 15);
        assert_eq!(value["no"], "mode: 0440\n");
    }

    #[test]
    fn what_is_no_object_is_named() {
        for (text, said) in [
            (
                "{kind: Pod, apiVersion: v1, metadata: {generateName: a-}}",
                "x, document 1: it has `generateName` and no `name`",
            ),
            (
                "kind: X\n",
                "x, document 1: not a Kubernetes object: it has no apiVersion",
            ),
            ("a: b\n", "it has no kind"),
            (
                "apiVersion: v1\nkind: X\nmetadata: {}\n",
                "it has no metadata.name",
            ),
            (
                "apiVersion: v1\nkind: X\nmetadata: {name: a}\n---\na: [b\n",
                "x, document 2: not YAML",
            ),
            ("just text\n", "it has no kind"),
        ] {
            let error = read("x", text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn an_object_moves_between_namespaces() {
        let text = "{apiVersion: v1, kind: A, metadata: {name: b, namespace: c}}";
        let mut object = read("x", text).unwrap().remove(0);
        object.settle(None);
        assert_eq!(object.value()["metadata"], serde_json::json!({"name": "b"}));
        object.settle(Some("d"));
        assert_eq!(object.value()["metadata"]["namespace"], "d");
        assert_eq!(object.id.to_string(), "A d/b");
    }

    #[test]
    fn of_two_faults_the_first_is_told() {
        let fine = "{apiVersion: v1, kind: A, metadata: {name: a}}\n---\n".repeat(300);
        let text = format!("{fine}a: [b\n---\n{fine}kind: A\n---\n{fine}");
        let error = read("x", &text).unwrap_err().to_string();
        assert!(error.starts_with("x, document 301: not YAML"), "{error}");
    }

    #[test]
    fn what_is_nested_too_deep_is_named_and_all_else_is_read_again() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{{apiVersion: v1, kind: A, metadata: {{name: a}}, spec: {open}{close}}}")
        };
        let most = read("x", &nested(DEEPEST - 1)).unwrap();
        assert!(most[0].value()["spec"].is_array());
        let error = read("x", &nested(DEEPEST)).unwrap_err().to_string();
        assert!(error.starts_with("x, document 1: not YAML"), "{error}");
    }

    proptest! {
        #[test]
        fn documents_come_apart_as_they_were_put_together(
            values in prop::collection::vec(("[a-z]{1,8}", "(?s).{0,60}"), 1..6)
        ) {
            let mut text = String::new();
            for (name, data) in &values {
                let value = serde_json::json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": name}, "data": data});
                text.push_str("---\n");
                text.push_str(&serde_yaml::to_string(&value).unwrap());
            }
            let objects = read("x", &text).unwrap();
            let again: Vec<_> = objects.iter().map(|o| {
                let value = o.value();
                (o.id.name.clone(), value["data"].as_str().unwrap().to_owned())
            }).collect();
            prop_assert_eq!(again, values);
        }
    }
}
