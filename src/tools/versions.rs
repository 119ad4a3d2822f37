//! What is pinned: versions of kind, kustomize and node images with their SHA-256, from `kind/versions.json`.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{cli::Arch, report::BadInput};

/// What is installed where nothing else was asked for.
pub(crate) const KIND: &str = "v0.33.0";
/// The kustomize that builds manifests.
pub(crate) const KUSTOMIZE: &str = "v5.8.1";
/// The Kubernetes that a cluster gets where nothing else was asked for.
pub(crate) const KUBERNETES: &str = "v1.35.8";

type Hashes = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Pinned {
    /// Version, then architecture.
    kind: Hashes,
    /// Version, then architecture; of the `.tar.gz`.
    kustomize: Hashes,
    /// Version of kind, then of Kubernetes.
    node_images: Hashes,
}

static PINNED: LazyLock<Pinned> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../kind/versions.json")).expect("a test reads it")
});

/// The SHA-256 of a release file of kind or kustomize, where it is pinned.
pub(crate) fn sha256(tool: super::Tool, version: &str, arch: Arch) -> Option<&'static str> {
    let hashes = match tool {
        super::Tool::Kind => &PINNED.kind,
        super::Tool::Kustomize => &PINNED.kustomize,
    };
    hashes
        .get(version)?
        .get(super::arch_name(arch))
        .map(String::as_str)
}

/// The versions of a tool that are pinned, newest first.
pub(crate) fn known(tool: super::Tool) -> Vec<&'static str> {
    newest_first(match tool {
        super::Tool::Kind => &PINNED.kind,
        super::Tool::Kustomize => &PINNED.kustomize,
    })
}

/// The kind and the node image that a cluster is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KindVersions {
    /// Version of kind, as `v0.33.0`.
    pub(crate) kind: String,
    /// The node image with its digest, or as the user named it.
    pub(crate) node_image: String,
    /// Kubernetes version, as `v1.35.8`, where the name of the image tells.
    pub(crate) kubernetes: Option<String>,
}

/// Chooses kind and node image by what was asked for, each part optional.
///
/// # Errors
/// [`BadInput`] naming the input and what is known, where they cannot be had together.
pub(crate) fn choose(
    kind: Option<&str>,
    kubernetes: Option<&str>,
    node_image: Option<&str>,
) -> Result<KindVersions, BadInput> {
    let wanted_kind = kind.map(with_v);
    let wanted = kubernetes.map(with_v);
    kubernetes.map_or(Ok(()), check_kubernetes)?;
    if let Some(image) = node_image {
        let tagged = image_version(image);
        if let (Some(tagged), Some(wanted)) = (&tagged, &wanted)
            && !matches_version(tagged, wanted)
        {
            return Err(BadInput {
                input: "kubernetes-version",
                reason: format!("{wanted} is not what the node-image {image} holds"),
                remedy: Some("leave one of the two empty".to_owned()),
            });
        }
        return Ok(KindVersions {
            kind: wanted_kind.unwrap_or_else(|| KIND.to_owned()),
            node_image: image.to_owned(),
            kubernetes: tagged,
        });
    }
    let kinds = match &wanted_kind {
        Some(kind) if !PINNED.node_images.contains_key(kind) => {
            return Err(BadInput {
                input: "kind-version",
                reason: format!("no node image is known for kind {kind}"),
                remedy: Some(format!(
                    "use {}, or name a node-image",
                    newest_first(&PINNED.node_images).join(", ")
                )),
            });
        }
        Some(kind) => vec![kind.as_str()],
        None => newest_first(&PINNED.node_images),
    };
    for kind in &kinds {
        let images = &PINNED.node_images[*kind];
        let preferred = wanted.as_deref().unwrap_or(KUBERNETES);
        let version = newest_first(images)
            .into_iter()
            .find(|version| matches_version(version, preferred))
            // A kind that was asked for may not have the default: then its second newest is the proven one.
            .or_else(|| {
                let minor = minor(KUBERNETES);
                (wanted.is_none())
                    .then(|| {
                        newest_first(images)
                            .into_iter()
                            .find(|version| matches_version(version, &minor))
                    })
                    .flatten()
            });
        if let Some(version) = version {
            return Ok(KindVersions {
                kind: (*kind).to_owned(),
                node_image: format!("kindest/node:{version}@sha256:{}", images[version]),
                kubernetes: Some(version.to_owned()),
            });
        }
    }
    let mut versions: Vec<&str> = kinds
        .iter()
        .flat_map(|kind| newest_first(&PINNED.node_images[*kind]))
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(numbers(version)));
    Err(BadInput {
        input: "kubernetes-version",
        reason: format!("no node image is known for {}", wanted.unwrap_or_default()),
        remedy: Some(format!(
            "use one of {}, or name a node-image",
            versions.join(", ")
        )),
    })
}

/// Refuses what is no version, such as `newest`.
///
/// # Errors
/// [`BadInput`] with what one looks like.
pub(crate) fn check_kubernetes(version: &str) -> Result<(), BadInput> {
    if is_version(&with_v(version)) {
        return Ok(());
    }
    Err(BadInput {
        input: "kubernetes-version",
        reason: format!("`{version}` is no version"),
        remedy: Some("write for example `v1.35.8` or `1.35`".to_owned()),
    })
}

/// The Kubernetes version that the tag of a node image names.
fn image_version(image: &str) -> Option<String> {
    let name = image.split('@').next()?;
    let tag = name.rsplit_once(':')?.1;
    (is_version(tag) && tag.matches('.').count() == 2).then(|| tag.to_owned())
}

fn with_v(version: &str) -> String {
    let version = version.trim();
    if version.starts_with('v') {
        version.to_owned()
    } else {
        format!("v{version}")
    }
}

/// `v1.35` matches every patch of it.
fn matches_version(version: &str, wanted: &str) -> bool {
    version == wanted
        || version
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('.'))
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|numbers| {
        let parts: Vec<&str> = numbers.split('.').collect();
        (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok())
    })
}

fn minor(version: &str) -> String {
    version
        .rsplit_once('.')
        .map_or(version, |(minor, _)| minor)
        .to_owned()
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn newest_first<V>(map: &BTreeMap<String, V>) -> Vec<&str> {
    let mut versions: Vec<&str> = map.keys().map(String::as_str).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(numbers(version)));
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_is_one_and_the_defaults_are_pinned() {
        let all = [&PINNED.kind, &PINNED.kustomize, &PINNED.node_images];
        for (version, hashes) in all.into_iter().flatten() {
            assert!(version.starts_with('v'), "{version}");
            for hash in hashes.values() {
                assert_eq!(hex::decode(hash).unwrap().len(), 32, "{hash}");
            }
        }
        assert!(sha256(super::super::Tool::Kind, KIND, Arch::Amd64).is_some());
        assert!(sha256(super::super::Tool::Kustomize, KUSTOMIZE, Arch::Arm64).is_some());
        assert!(PINNED.node_images[KIND].contains_key(KUBERNETES));
    }

    #[test]
    fn picks_the_newest_patch_and_the_newest_kind_that_has_it() {
        let choice = choose(None, None, None).unwrap();
        assert_eq!(
            (choice.kind.as_str(), choice.kubernetes.as_deref()),
            (KIND, Some(KUBERNETES))
        );
        let choice = choose(None, Some("1.33"), None).unwrap();
        assert_eq!(
            (choice.kind.as_str(), choice.kubernetes.as_deref()),
            ("v0.32.0", Some("v1.33.12"))
        );
        assert!(
            choice
                .node_image
                .starts_with("kindest/node:v1.33.12@sha256:")
        );
        let choice = choose(Some("0.31.0"), None, None).unwrap();
        assert_eq!(choice.kubernetes.as_deref(), Some("v1.35.0"));
    }

    #[test]
    fn takes_any_image_that_is_named() {
        let choice = choose(None, None, Some("registry:5000/node:v1.35.4")).unwrap();
        assert_eq!(choice.kubernetes.as_deref(), Some("v1.35.4"));
        let choice = choose(None, None, Some("registry:5000/node")).unwrap();
        assert_eq!(choice.kubernetes, None);
        assert!(choose(None, Some("1.34"), Some("kindest/node:v1.35.4")).is_err());
    }

    #[test]
    fn refuses_what_is_unknown_and_lists_what_is_known() {
        let error = choose(None, Some("1.21"), None).unwrap_err();
        assert_eq!(error.input, "kubernetes-version");
        assert!(
            error.remedy.unwrap().contains("v1.37.0, v1.36.4"),
            "newest first"
        );
        assert!(choose(Some("v9"), None, None).is_err());
        assert!(choose(None, Some("newest"), None).is_err());
    }
}
