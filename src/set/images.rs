//! The images that a set runs, and others in their place.
//!
//! Containers are found wherever a pod is described, in custom resources too.

mod reference;

use std::collections::BTreeSet;

use serde_json::Value;

pub use reference::Reference;

use crate::{inputs::Pairs, set::objects::Object};

/// Puts other images in place; says which of the overrides met none.
///
/// `old` is a whole reference, a name without tag (the tag stays unless `new` has one), or a beginning that ends in `/`.
pub fn override_all(objects: &mut [Object], overrides: &Pairs) {
    if overrides.0.is_empty() {
        return;
    }
    let mut met = vec![0_usize; overrides.0.len()];
    for object in objects {
        let mut value = object.value();
        let mut changed = false;
        each(&mut value, &mut |image| {
            for (at, (old, new)) in overrides.0.iter().enumerate() {
                if let Some(other) = in_place_of(image, old, new) {
                    *image = other;
                    met[at] += 1;
                    changed = true;
                    return;
                }
            }
        });
        if changed {
            object.replace(&value);
        }
    }
    for ((old, new), times) in overrides.0.iter().zip(met) {
        if times == 0 {
            tracing::warn!("image-overrides: no container has the image {old}");
        } else {
            tracing::info!("image {old} → {new}: {times} containers");
        }
    }
}

/// Every image of every container of the objects.
pub fn of(value: &Value) -> BTreeSet<String> {
    let mut images = BTreeSet::new();
    let mut value = value.clone();
    each(&mut value, &mut |image| {
        images.insert(image.clone());
    });
    images
}

fn in_place_of(image: &str, old: &str, new: &str) -> Option<String> {
    if image == old {
        return Some(new.to_owned());
    }
    if old.ends_with('/') {
        return Some(format!("{new}{}", image.strip_prefix(old)?));
    }
    let rest = image.strip_prefix(old)?;
    (rest.starts_with(':') || rest.starts_with('@')).then(|| {
        if tag_at(new).is_some() {
            new.to_owned()
        } else {
            format!("{new}{rest}")
        }
    })
}

/// Where tag or digest begins; a colon before the last slash is a port.
fn tag_at(image: &str) -> Option<usize> {
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    image[name..].find([':', '@']).map(|at| name + at)
}

fn each(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                let containers = key == "containers" || key == "initContainers";
                if let (true, Value::Array(containers)) = (containers, &mut *inner) {
                    for container in containers {
                        if let Some(Value::String(image)) = container.get_mut("image") {
                            visit(image);
                        }
                    }
                }
                each(inner, visit);
            }
        }
        Value::Array(items) => {
            for item in items {
                each(item, visit);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn an_override_is_a_reference_a_name_or_a_beginning() {
        for (image, old, new, result) in [
            ("a/b:1", "a/b:1", "c:2", Some("c:2")),
            ("a/b:1", "a/b", "c/d", Some("c/d:1")),
            ("a/b:1", "a/b", "c/d:2", Some("c/d:2")),
            ("a/b@sha256:1", "a/b", "r:5000/d", Some("r:5000/d@sha256:1")),
            (
                "gcr.io/x/b:1",
                "gcr.io/x/",
                "ghcr.io/y/",
                Some("ghcr.io/y/b:1"),
            ),
            ("a/bc:1", "a/b", "x", None),
            ("a/b", "a/b:1", "x", None),
        ] {
            assert_eq!(
                in_place_of(image, old, new).as_deref(),
                result,
                "{image} {old}"
            );
        }
    }

    #[test]
    fn containers_are_found_at_any_depth() {
        let text = "apiVersion: v1\nkind: X\nmetadata: {name: a, labels: {image: no}}\n\
                    spec: {deep: [{template: {spec: {containers: [{image: 'a:1'}], initContainers: [{image: b}]}}}]}\n";
        let mut objects = objects::read("x", text).unwrap();
        let overrides = "a=c\nb=d:2".parse().unwrap();
        override_all(&mut objects, &overrides);
        let images = of(&objects[0].value());
        assert_eq!(Vec::from_iter(images), ["c:1", "d:2"]);
    }
}
