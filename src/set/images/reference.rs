//! The name of an image as the nodes read it: registry, repository, tag or digest.
//!
//! Given text; refuses what the kubelet would call `InvalidImageName`.

use std::{fmt, sync::LazyLock};

/// The registry of names without one.
const DEFAULT: &str = "docker.io";

/// The name of an image, in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Registry: `docker.io`, `10.99.0.1:5000`.
    pub registry: String,
    /// Path within it: `library/python`.
    pub repository: String,
    /// Its tag; `latest` where it has neither tag nor digest.
    pub tag: Option<String>,
    /// Its digest, which counts more than the tag.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads one; none where it is no name of an image.
    pub fn parse(text: &str) -> Option<Self> {
        static FORM: LazyLock<regex::Regex> = LazyLock::new(|| {
            regex::Regex::new(
                r"^([a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?$",
            )
            .expect("the pattern is valid")
        });
        let (registry, rest) = match text.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DEFAULT, text),
        };
        let parts = FORM.captures(rest)?;
        let part = |at: usize| parts.get(at).map(|part| part.as_str().to_owned());
        let registry = match registry {
            "index.docker.io" | "registry-1.docker.io" => DEFAULT,
            other => other,
        };
        let mut repository = part(1)?;
        if registry == DEFAULT && !repository.contains('/') {
            repository.insert_str(0, "library/");
        }
        let digest = part(3);
        let tag = part(2).or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Some(Self {
            registry: registry.to_owned(),
            repository,
            tag,
            digest,
        })
    }

    /// What a registry is asked for: the digest, else the tag.
    pub fn version(&self) -> &str {
        let tag = self.tag.as_deref().unwrap_or("latest");
        self.digest.as_deref().unwrap_or(tag)
    }

    /// Whether the nodes ask the registry each time, unless the pod says otherwise.
    pub fn moves(&self) -> bool {
        self.digest.is_none() && self.tag.as_deref() == Some("latest")
    }

    /// Whether a name that a node has given one of its images means this one: nodes name tag and digest apart.
    pub fn is_named(&self, other: &Self) -> bool {
        let version = match &self.digest {
            Some(_) => other.digest == self.digest,
            None => other.digest.is_none() && other.tag == self.tag,
        };
        version && other.registry == self.registry && other.repository == self.repository
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Docker's rule: the first part is a registry if it could not be part of a name on Docker Hub.
fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0b27c158feb36ab18a10ff687909ec730ece6280581dd407e2672359be7725dd";

    #[test]
    fn a_name_is_read_as_nodes_read_it() {
        for (text, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
            (
                "kserve/sklearnserver:v0.15.0",
                "docker.io/kserve/sklearnserver:v0.15.0",
            ),
            ("docker.io/busybox:1.28", "docker.io/library/busybox:1.28"),
            ("index.docker.io/a/b", "docker.io/a/b:latest"),
            ("localhost/a:1", "localhost/a:1"),
            ("10.99.0.1:5000/a/b_c:1", "10.99.0.1:5000/a/b_c:1"),
            ("registry:5000/a", "registry:5000/a:latest"),
            ("gcr.io/a/b/c:x", "gcr.io/a/b/c:x"),
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), full, "{text}");
        }
        let both = Reference::parse(&format!("quay.io/a/b:1@{DIGEST}")).unwrap();
        assert_eq!((both.version(), both.tag.as_deref()), (DIGEST, Some("1")));
        let digest = Reference::parse(&format!("quay.io/a/b@{DIGEST}")).unwrap();
        assert!(digest.is_named(&both) && both.is_named(&digest) && !digest.moves());
        assert!(Reference::parse("a").unwrap().moves());
        let tag = Reference::parse("quay.io/a/b:1").unwrap();
        assert!(!tag.is_named(&both), "a node's tag may have moved on");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "a/B",
            "a b",
            "a:",
            "a/b:{{tag}}",
            "$IMAGE",
            "a@sha256:1",
            "gcr.io/",
            "a//b",
            "-a",
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
